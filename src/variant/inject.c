/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/inject.h"

#include "isa/inject.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSCALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */

/* Of the program's signals only SIGSTOP gets through: all others are blocked. The kernel itself sends it
 * for the recorder (record.bpf.c), here for a call of ours, of which nobody wants a record. */
static void keep_signal(struct injection *in, int signal)
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, in->tid, 0, &info) == 0 && info.si_code != SI_KERNEL)
		in->signal = signal;
}

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
			keep_signal(in, WSTOPSIG(status));
	}
}

static bool is_behind_exec(pid_t tid)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_EXIT;
}

int inject_begin(struct injection *in, pid_t tid)
{
	uint64_t all = ~0ull;

	*in = (struct injection){ .tid = tid };
	if (ptrace(PTRACE_GETSIGMASK, tid, sizeof(in->mask), &in->mask) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, tid, sizeof(all), &all) < 0)
		return -errno;
	return is_behind_exec(tid) ? 0 : run_until(in, PTRACE_SYSCALL, SYSCALL_STOP);
}

/* At the entry and at the exit; the filter's stop between them is passed. */
static int make_call(struct injection *in, struct isa_regs *regs, int64_t *ret)
{
	int r = isa_regs_set(in->tid, regs);

	if (r == 0)
		r = run_until(in, PTRACE_SYSCALL, SYSCALL_STOP);
	if (r == 0)
		r = run_until(in, PTRACE_SYSCALL, SYSCALL_STOP);
	if (r == 0)
		r = isa_regs_get(in->tid, regs);
	if (r == 0)
		*ret = isa_regs_ret(regs);
	return r;
}

int inject_call(struct injection *in, long nr, const uint64_t arg[6], int64_t *ret)
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
	for (int i = 0; i < 6; i++)
		isa_regs_set_arg(&regs, i, arg[i]);
	r = make_call(in, &regs, ret);
	if (r < 0)
		return r;
	isa_inject_over(&before);
	if (ptrace(PTRACE_POKETEXT, in->tid, isa_regs_pc(&before), code) < 0)
		return -errno;
	return isa_regs_set(in->tid, &before);
}

int inject_end(struct injection *in)
{
	int r = ptrace(PTRACE_SETSIGMASK, in->tid, sizeof(in->mask), &in->mask) < 0 ? -errno : 0;

	if (in->signal)
		syscall(SYS_tgkill, in->tid, in->tid, in->signal);
	return r;
}

int inject_after_exec(pid_t tid, long nr, uint64_t a, uint64_t b, int64_t *ret_result)
{
	const uint64_t arg[6] = { a, b };
	struct injection in;
	int r = inject_begin(&in, tid), q;

	if (r == 0)
		r = inject_call(&in, nr, arg, ret_result);
	q = inject_end(&in);
	return r < 0 ? r : q;
}
