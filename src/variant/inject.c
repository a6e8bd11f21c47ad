/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/inject.h"

#include "isa/inject.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSCALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */
#define SECCOMP_STOP (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)

struct injection {
	pid_t tid;
	int signal;	/* that came meanwhile; 0: none */
};

/* Lets the thread run until it stops like that (status >> 8). A death is left for the caller's caller
 * to wait for. */
static int run_until(struct injection *in, enum __ptrace_request how, int stop)
{
	for (;;) {
		siginfo_t info;
		int status;

		if (ptrace(how, in->tid, 0, 0) < 0)
			return -errno;
		while (waitid(P_PID, (id_t)in->tid, &info, WEXITED | WSTOPPED | WNOWAIT | __WALL) < 0)
			if (errno != EINTR)
				return -errno;
		if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED)
			return -ESRCH;
		if (waitpid(in->tid, &status, __WALL) < 0 || !WIFSTOPPED(status))
			return -ESRCH;
		if (status >> 8 == stop)
			return 0;
		if (status >> 16 == 0)
			in->signal = WSTOPSIG(status); /* SIGSTOP: all others are blocked */
	}
}

static int call_here(struct injection *in, long nr, uint64_t a, uint64_t b, int64_t *ret)
{
	struct isa_regs before, regs;
	long code;
	int r = isa_regs_get(in->tid, &before);

	if (r < 0)
		return r;
	errno = 0;
	code = ptrace(PTRACE_PEEKTEXT, in->tid, isa_regs_pc(&before), 0);
	if (errno)
		return -errno;
	if (ptrace(PTRACE_POKETEXT, in->tid, isa_regs_pc(&before), isa_inject_code((uint64_t)code)) < 0)
		return -errno;
	regs = before;
	isa_inject_nr(&regs, nr);
	for (int i = 0; i < 5; i++)
		isa_regs_set_arg(&regs, i, i == 0 ? a : i == 1 ? b : 0);
	r = isa_regs_set(in->tid, &regs);
	if (r == 0)
		r = run_until(in, PTRACE_CONT, SECCOMP_STOP);
	if (r == 0)
		r = run_until(in, PTRACE_SYSCALL, SYSCALL_STOP);
	if (r == 0)
		r = isa_regs_get(in->tid, &regs);
	if (r < 0)
		return r;
	*ret = isa_regs_ret(&regs);
	isa_inject_over(&before);
	if (ptrace(PTRACE_POKETEXT, in->tid, isa_regs_pc(&before), code) < 0)
		return -errno;
	return isa_regs_set(in->tid, &before);
}

int inject_after_exec(pid_t tid, long nr, uint64_t a, uint64_t b, int64_t *ret_result)
{
	struct injection in = { .tid = tid };
	uint64_t mask, all = ~0ull;
	int r;

	if (ptrace(PTRACE_GETSIGMASK, tid, sizeof(mask), &mask) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, tid, sizeof(all), &all) < 0)
		return -errno;
	r = run_until(&in, PTRACE_SYSCALL, SYSCALL_STOP); /* out of execve */
	if (r == 0)
		r = call_here(&in, nr, a, b, ret_result);
	if (r == 0 && ptrace(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask) < 0)
		r = -errno;
	if (in.signal)
		syscall(SYS_tgkill, tid, tid, in.signal);
	return r;
}
