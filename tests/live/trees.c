/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees of processes: deep, broad, orphaned, adopted; sessions, groups and terminals; every way to wait; ids
 * wherever the kernel shows them. Arguments: how many times fork, exec and wait in each phase.
 */
#include "live.h"

#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

extern char **environ;

static void expect_exit(pid_t pid, int want)
{
	int status;

	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == want);
}

/* 100 generations, each waits for the next one. */
static void deep(void)
{
	int generation = 0;
	pid_t pid = 0;

	for (; generation < 100 && pid == 0; generation++) {
		pid_t parent = getpid();

		pid = fork();
		EXPECT(pid >= 0);
		if (pid == 0)
			EXPECT(getppid() == parent);
	}
	if (pid == 0)
		_exit(0);
	expect_exit(pid, 0);
	if (generation > 1)
		_exit(0);
	say("deep\n");
}

/* Ten with nine children each, all alive at the same time. */
static void broad(void)
{
	int up[2], down[2];
	pid_t pid[10];
	char byte;

	EXPECT(pipe(up) == 0 && pipe(down) == 0);
	for (int i = 0; i < 10; i++) {
		pid[i] = fork();
		EXPECT(pid[i] >= 0);
		if (pid[i])
			continue;
		for (int j = 0; j < 9; j++) {
			pid_t leaf = fork();

			EXPECT(leaf >= 0);
			if (leaf)
				continue;
			close(down[1]);
			EXPECT(write(up[1], "x", 1) == 1);
			EXPECT(read(down[0], &byte, 1) == 0);
			_exit(0);
		}
		close(down[1]);
		EXPECT(write(up[1], "x", 1) == 1);
		for (int j = 0; j < 9; j++)
			EXPECT(wait(NULL) > 0);
		_exit(i);
	}
	for (int i = 0; i < 100; i++)
		EXPECT(read(up[0], &byte, 1) == 1);
	close(down[1]);
	for (int i = 0; i < 10; i++)
		expect_exit(pid[i], i);
	close(up[0]);
	close(up[1]);
	close(down[0]);
	say("broad\n");
}

/* Adopted by a subreaper: this process. */
static void adopted(void)
{
	int fds[2], status;
	pid_t pid, orphan, me = getpid();

	EXPECT(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
	EXPECT(pipe(fds) == 0);
	for (int i = 0; i < 5; i++) {
		pid = fork();
		if (pid == 0) {
			orphan = fork();
			if (orphan == 0) {
				while (getppid() != me)
					pause_ms(1);
				_exit(8);
			}
			EXPECT(write(fds[1], &orphan, sizeof(orphan)) == sizeof(orphan));
			_exit(0);
		}
		expect_exit(pid, 0);
		EXPECT(read(fds[0], &orphan, sizeof(orphan)) == sizeof(orphan));
		EXPECT(waitpid(-1, &status, 0) == orphan && WEXITSTATUS(status) == 8);
	}
	/* Orphans that are dead before their parent is. */
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 5; i++)
			if (fork() == 0)
				_exit(0);
		pause_ms(30);
		_exit(0);
	}
	for (int i = 0; i < 6; i++)
		EXPECT(wait(NULL) > 0);
	EXPECT(wait(NULL) == -1 && errno == ECHILD);
	EXPECT(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0);
	close(fds[0]);
	close(fds[1]);
	say("adopted\n");
}

static void daemonised(void)
{
	int fds[2];
	pid_t pid, got[3];

	EXPECT(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		EXPECT(setsid() == getpid());
		if (fork())
			_exit(0);
		got[0] = getpid();
		got[1] = getsid(0);
		got[2] = getpgrp();
		EXPECT(chdir("/") == 0);
		umask(0);
		pause_ms(20);
		EXPECT(write(fds[1], got, sizeof(got)) == sizeof(got));
		_exit(0);
	}
	close(fds[1]);
	expect_exit(pid, 0);
	EXPECT(read(fds[0], got, sizeof(got)) == sizeof(got));
	EXPECT(got[0] != pid && got[1] == pid && got[2] == pid);
	EXPECT(read(fds[0], got, sizeof(got)) == 0);
	close(fds[0]);
	say("daemonised\n");
}

static void waited(void)
{
	siginfo_t info;
	int status;
	pid_t pid, other;

	/* Stops and continuations, seen twice or once. */
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	EXPECT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0);
	EXPECT(kill(pid, SIGSTOP) == 0);
	EXPECT(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT) == 0);
	EXPECT(info.si_pid == pid && info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
	EXPECT(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	EXPECT(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
	EXPECT(kill(pid, SIGCONT) == 0);
	EXPECT(waitid(P_PID, (id_t)pid, &info, WCONTINUED) == 0 && info.si_code == CLD_CONTINUED);
	EXPECT(kill(pid, SIGKILL) == 0);
	EXPECT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	EXPECT(info.si_code == CLD_KILLED && info.si_status == SIGKILL);
	EXPECT(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
	EXPECT(waitpid(pid, &status, 0) == -1 && errno == ECHILD);

	/* By group. */
	pid = fork();
	if (pid == 0) {
		EXPECT(setpgid(0, 0) == 0);
		_exit(2);
	}
	other = fork();
	if (other == 0)
		_exit(3);
	(void)setpgid(pid, pid); /* the child or its parent, whoever comes first */
	EXPECT(waitid(P_PGID, (id_t)pid, &info, WEXITED) == 0 && info.si_status == 2);
	EXPECT(waitpid(0, &status, 0) == other && WEXITSTATUS(status) == 3);
	say("waited\n");
}

static void by_descriptor(void)
{
	pid_t pid = fork();
	struct pollfd p;
	siginfo_t info;
	int fd;

	if (pid == 0)
		for (;;)
			pause();
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	EXPECT(fd >= 0);
	p = (struct pollfd){ fd, POLLIN, 0 };
	EXPECT(poll(&p, 1, 0) == 0);
	EXPECT(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0);
	EXPECT(poll(&p, 1, 5000) == 1);
	EXPECT(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0);
	EXPECT(info.si_pid == pid && info.si_status == SIGTERM);
	EXPECT(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == -1 && errno == ESRCH);
	close(fd);
	say("by descriptor\n");
}

static void credentials(void)
{
	struct iovec iov = { (char[1]){ 'x' }, 1 };
	char control[CMSG_SPACE(sizeof(struct ucred))];
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct ucred *c, peer;
	socklen_t len = sizeof(peer);
	int s[2], one = 1;
	pid_t pid;

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	EXPECT(setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
	pid = fork();
	if (pid == 0)
		_exit(write(s[1], "c", 1) != 1);
	EXPECT(recvmsg(s[0], &m, 0) == 1);
	c = (struct ucred *)CMSG_DATA(CMSG_FIRSTHDR(&m));
	EXPECT(c->pid == pid && c->uid == getuid());
	expect_exit(pid, 0);
	EXPECT(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid == getpid());
	close(s[0]);
	close(s[1]);
	say("credentials\n");
}

static volatile sig_atomic_t n_io;
static volatile pid_t sender;

static void on_io(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	sender = info->si_pid;
	n_io++;
}

static void owners(void)
{
	struct sigaction sa = { .sa_sigaction = on_io, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct f_owner_ex owner;
	pid_t pid, me = getpid();
	int s[2];

	EXPECT(sigaction(SIGIO, &sa, NULL) == 0);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	EXPECT(fcntl(s[0], F_SETOWN, getpid()) == 0 && fcntl(s[0], F_GETOWN) == getpid());
	EXPECT(fcntl(s[0], F_GETOWN_EX, &owner) == 0 && owner.pid == getpid());
	EXPECT(fcntl(s[0], F_SETFL, O_ASYNC | O_NONBLOCK) == 0);
	EXPECT(write(s[1], "x", 1) == 1);
	while (n_io == 0)
		EXPECT(getppid() > 0);
	close(s[0]);
	close(s[1]);
	EXPECT(sigaction(SIGUSR1, &sa, NULL) == 0);
	n_io = 0;
	pid = fork();
	if (pid == 0)
		_exit(kill(me, SIGUSR1));
	expect_exit(pid, 0);
	while (n_io == 0)
		EXPECT(getppid() > 0);
	EXPECT(sender == pid);
	say("owners\n");
}

static void in_proc(void)
{
	char path[64], text[512], *line;
	pid_t pid = fork(), found;
	ssize_t n;
	int fd;

	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	EXPECT(n > 0);
	text[n] = 0;
	line = strstr(text, "PPid:");
	EXPECT(line && sscanf(line, "PPid: %d", &found) == 1 && found == getpid());
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	EXPECT(access(path, F_OK) == 0);
	EXPECT(kill(pid, SIGTERM) == 0 && waitpid(pid, NULL, 0) == pid);
	EXPECT(access(path, F_OK) == -1 && errno == ENOENT);
	n = readlink("/proc/self", text, sizeof(text) - 1);
	EXPECT(n > 0);
	text[n] = 0;
	EXPECT(atoi(text) == getpid());
	say("in /proc\n");
}

static char stack[64 << 10] __attribute__((aligned(16)));
static volatile int shared;

static int in_clone(void *arg)
{
	shared = *(int *)arg;
	syscall(SYS_exit, 6);
	return 0;
}

static void cloned(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t tid = 0;
	int value = 5;
	int status;
	pid_t pid;

	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(6);
	/* As on a kernel without it, for which every C library has another way. */
	EXPECT(pid > 0 || errno == ENOSYS);
	if (pid > 0)
		expect_exit(pid, 6);
	/* Memory that is shared by processes, like vfork's; the parent waits. */
	pid = clone(in_clone, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &value);
	EXPECT(pid > 0 && shared == 5);
	expect_exit(pid, 6);
	pid = clone(in_clone, stack + sizeof(stack), CLONE_PARENT_SETTID | SIGCHLD, &value, &tid);
	EXPECT(pid > 0 && tid == pid);
	expect_exit(pid, 6);
	/* No signal at its end: only __WALL or __WCLONE finds it. */
	pid = clone(in_clone, stack + sizeof(stack), 0, &value);
	EXPECT(pid > 0);
	EXPECT(waitpid(pid, &status, 0) == -1 && errno == ECHILD);
	EXPECT(waitpid(pid, &status, __WALL) == pid && WEXITSTATUS(status) == 6);
	pid = clone(in_clone, stack + sizeof(stack), SIGCHLD | CLONE_FS | CLONE_FILES, &value);
	EXPECT(pid > 0);
	expect_exit(pid, 6);
	say("cloned\n");
}

static void sibling(void)
{
	pid_t pid = fork(), made;
	int value = 1, status, fds[2];

	if (pid == 0) {
		/* A child of this one's parent. */
		made = clone(in_clone, stack + sizeof(stack), CLONE_PARENT | SIGCHLD, &value);
		_exit(made > 0 ? 0 : 1);
	}
	EXPECT(pipe(fds) == 0);
	for (int i = 0; i < 2; i++) {
		made = wait(&status);
		EXPECT(made > 0 && WIFEXITED(status) &&
		       WEXITSTATUS(status) == (made == pid ? 0 : 6));
	}
	EXPECT(wait(&status) == -1);
	close(fds[0]);
	close(fds[1]);
	say("sibling\n");
}

static void executed_at(void)
{
	char *argv[] = { "trees", "exit", NULL };
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_execveat, AT_FDCWD, SELF, argv, environ, 0);
		_exit(1);
	}
	expect_exit(pid, 33);
	say("executed at\n");
}

static __attribute__((noinline)) pid_t start_one(bool forks)
{
	pid_t pid = forks ? fork() : vfork();

	EXPECT(pid >= 0);
	if (pid == 0) {
		execl(SELF, "trees", "exit", NULL);
		_exit(1);
	}
	return pid;
}

static void many(int n)
{
	for (int i = 0; i < n; i++)
		expect_exit(start_one(i % 2), 33);
}

/* After each phase it waits for a byte, so that somebody can look at the monitors. */
static void phases(int n, char **counts)
{
	char byte;

	for (int i = 0; i < n; i++) {
		many(atoi(counts[i]));
		say("done\n");
		EXPECT(read(0, &byte, 1) == 1);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "exit"))
		return 33;
	if (argc > 1) {
		phases(argc - 1, argv + 1);
		return 0;
	}
	deep();
	broad();
	adopted();
	daemonised();
	waited();
	by_descriptor();
	credentials();
	owners();
	in_proc();
	cloned();
	sibling();
	executed_at();
	return 0;
}
