/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: tracing a process (capture/ptrace, and both sides' exec, clone and signals). */
#include "cli/check.h"

#include "base/cleanup.h"
#include "isa/isa.h"
#include "variant/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |   \
	 PTRACE_O_TRACEVFORK | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)
#define INJECTED 424242 /* a result that no getppid() has */

int check_say(char detail[CHECK_DETAIL_MAX], int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, CHECK_DETAIL_MAX, fmt, ap);
	va_end(ap);
	return r;
}

pid_t check_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() != parent)
			_exit(1);
	}
	return pid < 0 ? -errno : pid;
}

int check_filter_getppid(unsigned action, unsigned flags)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(filter), .filter = filter };
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	return r < 0 ? -errno : r;
}

static int seize(pid_t pid)
{
	return ptrace(PTRACE_SEIZE, pid, 0, OPTIONS) < 0 ? -errno : 0;
}

static int probe_seize(char *detail)
{
	pid_t pid = check_fork();
	int status, r;

	if (pid < 0)
		return pid;
	if (pid == 0)
		for (;;)
			pause();
	r = seize(pid);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 || waitpid(pid, &status, __WALL) != pid)
		return -errno;
	return WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP ? 0 : 1;
}

/* A traced child that stops at its getppid(): in its seccomp stop when 0 is returned. It ends with
 * status 0 when getppid() gave INJECTED, else 1; 2 when the filter could not be installed. */
static int start_at_seccomp_stop(pid_t *ret_pid)
{
	int go[2], status, r;
	char byte = 0;
	pid_t pid;

	*ret_pid = -1;
	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	pid = check_fork();
	if (pid < 0)
		return pid;
	if (pid == 0) {
		if (read(go[0], &byte, 1) != 1 || check_filter_getppid(SECCOMP_RET_TRACE, 0) < 0)
			_exit(2);
		_exit(syscall(SYS_getppid) != INJECTED);
	}
	*ret_pid = pid;
	r = seize(pid);
	if (r < 0)
		return r;
	if (write(go[1], &byte, 1) != 1 || waitpid(pid, &status, __WALL) != pid)
		return -errno;
	if (!WIFSTOPPED(status) || status >> 16 != PTRACE_EVENT_SECCOMP)
		return WIFEXITED(status) && WEXITSTATUS(status) == 2 ? -EPERM : 1;
	return 0;
}

static int probe_seccomp_trace(char *detail)
{
	pid_t pid;

	return start_at_seccomp_stop(&pid);
}

static int probe_syscall_info(char *detail)
{
	struct __ptrace_syscall_info info = { 0 };
	pid_t pid;
	int r = start_at_seccomp_stop(&pid);

	if (r)
		return r;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		return -errno;
	return info.op == PTRACE_SYSCALL_INFO_SECCOMP && info.seccomp.nr == __NR_getppid &&
			       info.arch == isa_descs[isa_native].audit_arch
		       ? 0
		       : 1;
}

static int probe_skip(char *detail)
{
	struct isa_regs regs;
	pid_t pid;
	int r = start_at_seccomp_stop(&pid), status;

	if (r)
		return r;
	r = isa_regs_get(pid, &regs);
	if (r < 0)
		return r;
	isa_regs_set_ret(&regs, INJECTED);
	r = isa_syscall_set_nr(pid, &regs, -1);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_CONT, pid, 0, 0) < 0 || waitpid(pid, &status, __WALL) != pid)
		return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return check_say(detail, 1, "the call ran although it was skipped");
	return 0;
}

static int probe_process_vm(char *detail)
{
	uint64_t word = 1, got = 0, sent = 3;
	struct iovec here = { &got, sizeof(got) }, there = { &word, sizeof(word) };
	pid_t pid = check_fork();

	if (pid < 0)
		return pid;
	if (pid == 0) {
		word = 2; /* in the child's copy */
		raise(SIGSTOP);
		_exit(word != sent);
	}
	if (waitpid(pid, NULL, WUNTRACED) != pid ||
	    process_vm_readv(pid, &here, 1, &there, 1, 0) != sizeof(word))
		return -errno;
	if (got != 2)
		return 1;
	here.iov_base = &sent;
	return process_vm_writev(pid, &here, 1, &there, 1, 0) == sizeof(word) ? 0 : -errno;
}

static int probe_pidfd_getfd(char *detail)
{
	cleanup_close int pidfd = -1, fd = -1;
	pid_t pid = check_fork();

	if (pid < 0)
		return pid;
	if (pid == 0)
		for (;;)
			pause();
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
	/* Descriptor 0 may be closed here and there; that the kernel looked is enough. */
	return fd >= 0 || errno == EBADF ? 0 : -errno;
}

/* Other values than 0 and 1 can still be met by a capability, which the ptrace probe shows. */
static int probe_yama(char *detail)
{
	cleanup_fclose FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int value, r;

	if (!f)
		return check_say(detail, errno == ENOENT ? 0 : -errno,
				 "yama is not in this kernel");
	if (fscanf(f, "%d", &value) != 1)
		return 1;
	r = value <= 1 || (value == 2 && probe_seize(detail) == 0) ? 0 : -EPERM;
	return check_say(detail, r, "ptrace_scope is %d", value);
}

static int probe_proc(char *detail)
{
	struct proc_maps maps = { 0 };
	struct proc_syscall s;
	char state = 0;
	pid_t pid = check_fork();
	int r;

	if (pid < 0)
		return pid;
	if (pid == 0)
		for (;;)
			pause();
	for (int i = 0; i < 200 && state != 'S'; i++) {
		usleep(1000);
		r = proc_state(pid, &state);
		if (r < 0)
			return r;
	}
	r = proc_maps_read(pid, &maps);
	if (r < 0)
		return r;
	return proc_syscall(pid, &s);
}

static int probe_close_range(char *detail)
{
	pid_t pid = check_fork();
	int status;

	if (pid < 0)
		return pid;
	if (pid == 0)
		_exit(syscall(SYS_close_range, 3, ~0u, 0) < 0 ? errno : 0);
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : 1;
}

#define ALLOW_PTRACE                                                                               \
	"allow ptrace: sysctl kernel.yama.ptrace_scope=1 on the host; in a container --cap-add "   \
	"SYS_PTRACE and a seccomp profile that has it"

const struct check check_trace[] = {
	{"ptrace", CHECK_MUST,
	 "watch the program and stop it with its monitor (PTRACE_SEIZE, EXITKILL)", ALLOW_PTRACE,
	 probe_seize},
	{"ptrace-scope", CHECK_MUST, "trace children (yama)",
	 "sysctl kernel.yama.ptrace_scope=1 (3 forbids tracing until the next boot)", probe_yama},
	{"seccomp-trace", CHECK_MUST,
	 "stop at the calls that count and at no others (SECCOMP_RET_TRACE)",
	 "a kernel with CONFIG_SECCOMP_FILTER; in a container a seccomp profile that has "
	 "seccomp(2)",
	 probe_seccomp_trace},
	{"syscall-info", CHECK_MUST, "read a call without guessing (PTRACE_GET_SYSCALL_INFO)",
	 "a kernel of 5.3 or newer", probe_syscall_info},
	{"skip-call", CHECK_MUST, "give a call the leader's result instead of executing it",
	 "a kernel that lets tracers change call numbers", probe_skip},
	{"process-vm", CHECK_MUST, "read and write the program's memory (process_vm_readv, writev)",
	 ALLOW_PTRACE, probe_process_vm},
	{"pidfd-getfd", CHECK_MUST, "take a descriptor out of the program (pidfd_getfd)",
	 "a kernel of 5.6 or newer; " ALLOW_PTRACE, probe_pidfd_getfd},
	{"proc", CHECK_MUST, "see the program's memory map and state (/proc)",
	 "mount /proc without hidepid", probe_proc},
	{"close-range", CHECK_MUST, "start the program with no descriptor of the monitor",
	 "a kernel of 5.9 or newer", probe_close_range},
	{0},
};
