/* SPDX-License-Identifier: Apache-2.0 */
/* Processes, programs, groups, sessions, descriptors of processes; the pids are the leader's everywhere. */
#include "calls.h"
#include "old.h"

#include <linux/kcmp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/times.h>

static void identities(void)
{
	char path[64], target[64];
	pid_t pid = getpid();
	pid_t group = getpgid(0), session = getsid(0);
	ssize_t n;

	EXPECT(pid > 1 && syscall(SYS_gettid) == pid && getppid() > 1);
	n = readlink("/proc/self", target, sizeof(target));
	EXPECT(n > 0 && n == snprintf(path, sizeof(path), "%d", pid) && !memcmp(target, path, (size_t)n));
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	EXPECT(access(path, R_OK) == 0);
	EXPECT(group == old_getpgrp() && group == getpgid(pid) && session == getsid(pid));
	FAILS(getpgid(-1), ESRCH);
	FAILS(getsid(-1), ESRCH);
	say("getpid, gettid, getppid, getpgid, getpgrp, getsid\n");
}

static void lives_in_group(int arg)
{
	pid_t pid = getpid();

	(void)arg;
	EXPECT(setpgid(0, 0) == 0 && getpgid(0) == pid);
	FAILS(setsid(), EPERM);
	FAILS(setpgid(0, -4), EINVAL);
}

static void lives_in_session(int arg)
{
	pid_t pid = getpid();

	(void)arg;
	EXPECT(setsid() == pid && getsid(0) == pid && getpgid(0) == pid);
	FAILS(setpgid(0, 0), EPERM);
}

static void groups(void)
{
	end_child(start_child(lives_in_group, 0));
	end_child(start_child(lives_in_session, 0));
	FAILS(setpgid(1, 1), ESRCH);
	say("setpgid, setsid\n");
}

static void exits_with(int status)
{
	syscall(SYS_exit, status); /* the thread, which is the process */
}

static void waiting(void)
{
	siginfo_t info = { 0 };
	struct rusage usage;
	int status = 0;
	pid_t pid = old_fork();

	EXPECT(pid >= 0);
	if (pid == 0)
		_exit(5);
	EXPECT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	EXPECT(info.si_pid == pid && info.si_status == 5 && info.si_code == CLD_EXITED && info.si_uid == getuid());
	EXPECT(wait4(pid, &status, 0, &usage) == pid && WEXITSTATUS(status) == 5 && usage.ru_maxrss > 0);
	pid = start_child(exits_with, 6);
	EXPECT(syscall(SYS_waitid, P_ALL, 0, &info, WEXITED, &usage) == 0 && info.si_pid == pid && info.si_status == 6);
	pid = vfork();
	if (pid == 0)
		_exit(7);
	EXPECT(waitpid(-1, &status, 0) == pid && WEXITSTATUS(status) == 7);
	FAILS(waitpid(-1, &status, 0), ECHILD);
	FAILS(waitpid(pid, &status, 0x10000), EINVAL);
	FAILS(waitid(P_PID, (id_t)pid, &info, 0), EINVAL);
	FAILS(waitid(P_PID, (id_t)pid, &info, WEXITED), ECHILD);
	pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0)
		for (;;)
			pause_ms(1000);
	EXPECT(waitpid(pid, &status, WNOHANG) == 0 && kill(pid, SIGKILL) == 0);
	EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	FAILS(kill(pid, 0), ESRCH);
	say("fork, vfork, clone, exit, exit_group, wait4, waitid\n");
}

static void programs(void)
{
	char *argv[] = { "calls", "--no-such-group", NULL, NULL }, *envp[] = { "LIVE=1", NULL };
	int status;
	pid_t pid;

	FAILS(execve("missing", argv, envp), ENOENT);
	FAILS(execve(".", argv, envp), EACCES);
	FAILS(execve(nowhere, argv, envp), EFAULT);
	close(file_with("text", "no program\n"));
	FAILS(execve("text", argv, envp), EACCES);
	EXPECT(chmod("text", 0755) == 0);
	FAILS(execve("text", argv, envp), ENOEXEC);
	FAILS(syscall(SYS_execveat, 99, "text", argv, envp, 0), EBADF);
	FAILS(syscall(SYS_execveat, AT_FDCWD, "text", argv, envp, 0x10), EINVAL);
	for (int form = 0; form < 2; form++) {
		pid = fork();
		EXPECT(pid >= 0);
		if (pid == 0 && form == 0)
			execve(SELF, argv, envp);
		if (pid == 0)
			syscall(SYS_execveat, AT_FDCWD, SELF, argv, envp, 0);
		EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 2);
	}
	say("execve, execveat\n");
}

static void descriptors_of_processes(void)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0), fd, file = file_with("theirs", "theirs"), got;
	struct pollfd p = { .events = POLLIN };
	siginfo_t info = { 0 };
	char a[8];
	pid_t pid, own = getpid(), parent = getppid();

	EXPECT(self >= 0 && fcntl(self, F_GETFD) == FD_CLOEXEC);
	EXPECT(syscall(SYS_pidfd_send_signal, self, 0, NULL, 0) == 0);
	got = (int)syscall(SYS_pidfd_getfd, self, file, 0);
	EXPECT(got > file && fcntl(got, F_GETFD) == FD_CLOEXEC && pread(got, a, 8, 0) == 6 && !memcmp(a, "theirs", 6));
	FAILS(syscall(SYS_pidfd_getfd, self, 99, 0), EBADF);
	FAILS(syscall(SYS_pidfd_getfd, file, 0, 0), EBADF);
	pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0)
		for (;;)
			pause_ms(1000);
	fd = p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	EXPECT(fd >= 0 && poll(&p, 1, 0) == 0);
	EXPECT(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0);
	EXPECT(poll(&p, 1, -1) == 1 && p.revents & POLLIN);
	EXPECT(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0 && info.si_pid == pid && info.si_status == SIGTERM);
	FAILS(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), ESRCH);
	FAILS(syscall(SYS_pidfd_send_signal, file, SIGTERM, NULL, 0), EBADF);
	FAILS(syscall(SYS_pidfd_open, pid, 0), ESRCH);
	FAILS(syscall(SYS_pidfd_open, -1, 0), EINVAL);
	FAILS(syscall(SYS_pidfd_open, getpid(), 1), EINVAL);
	EXPECT(syscall(SYS_kcmp, own, own, KCMP_FILE, file, got) == 0 || errno == ENOSYS);
	EXPECT(syscall(SYS_kcmp, own, own, KCMP_FILE, file, self) > 0 || errno == ENOSYS);
	EXPECT(syscall(SYS_kcmp, own, parent, KCMP_VM, 0, 0) > 0 || errno == ENOSYS);
	close(fd);
	close(got);
	close(file);
	close(self);
	say("pidfd_open, pidfd_send_signal, pidfd_getfd, kcmp\n");
}

static void accounts(void)
{
	struct rusage u;
	struct tms t;

	EXPECT(getrusage(RUSAGE_SELF, &u) == 0 && u.ru_maxrss > 0 && getrusage(RUSAGE_CHILDREN, &u) == 0);
	EXPECT(getrusage(RUSAGE_THREAD, &u) == 0 && times(&t) != (clock_t)-1 && t.tms_utime >= 0 && times(NULL) > 0);
	FAILS(getrusage(99, &u), EINVAL);
	FAILS(syscall(SYS_getrusage, RUSAGE_SELF, nowhere), EFAULT);
	FAILS(syscall(SYS_times, nowhere), EFAULT);
	say("getrusage, times\n");
}

static void thread_ids(void)
{
	static int word;
	pid_t tid = gettid();

	EXPECT(syscall(SYS_set_tid_address, &word) == tid);
	EXPECT(syscall(SYS_set_robust_list, nowhere, 3) == -1 && errno == EINVAL);
	say("set_tid_address, set_robust_list\n");
}

void test_processes(void)
{
	identities();
	groups();
	waiting();
	programs();
	descriptors_of_processes();
	accounts();
	in_child(thread_ids);
}
