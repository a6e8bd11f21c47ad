/* SPDX-License-Identifier: Apache-2.0 */
/* fork, vfork, posix_spawn, system and every way to wait; many children while SIGCHLD is pending. */
#include "live.h"

#include <spawn.h>

extern char **environ;

static void plain(void)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();
		int status;

		EXPECT(pid >= 0);
		if (pid == 0) {
			EXPECT(getppid() > 1);
			_exit(i);
		}
		EXPECT(waitpid(pid, &status, 0) == pid);
		EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == i);
	}
	say("plain\n");
}

/* All are dead or dying while others are being made. */
static void storm(void)
{
	pid_t pid[30];
	int left = 30, status;

	for (int i = 0; i < 30; i++) {
		pid[i] = fork();
		EXPECT(pid[i] >= 0);
		if (pid[i] == 0)
			_exit(7);
	}
	while (left) {
		pid_t got = wait(&status);

		EXPECT(got > 0 && WEXITSTATUS(status) == 7);
		left--;
	}
	EXPECT(wait(&status) == -1 && errno == ECHILD);
	say("storm\n");
}

static void polled(void)
{
	pid_t pid = fork(), got;
	int status;

	if (pid == 0) {
		pause_ms(60);
		_exit(3);
	}
	while ((got = waitpid(-1, &status, WNOHANG)) == 0)
		pause_ms(5);
	EXPECT(got == pid && WEXITSTATUS(status) == 3);
	say("polled\n");
}

static void by_id(void)
{
	siginfo_t info = { 0 };
	pid_t pid = fork();

	if (pid == 0)
		_exit(9);
	EXPECT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	EXPECT(info.si_pid == pid && info.si_status == 9 && info.si_code == CLD_EXITED);
	memset(&info, 0, sizeof(info));
	EXPECT(waitid(P_ALL, 0, &info, WEXITED) == 0 && info.si_pid == pid);
	EXPECT(waitid(P_ALL, 0, &info, WEXITED) == -1 && errno == ECHILD);
	say("by id\n");
}

static void stopped(void)
{
	int fds[2], status;
	char byte;
	pid_t pid;

	EXPECT(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		EXPECT(read(fds[0], &byte, 1) == 1);
		_exit(4);
	}
	EXPECT(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	EXPECT(WSTOPSIG(status) == SIGSTOP);
	EXPECT(kill(pid, SIGCONT) == 0);
	EXPECT(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	EXPECT(write(fds[1], "x", 1) == 1);
	EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 4);
	close(fds[0]);
	close(fds[1]);
	say("stopped\n");
}

static void spawned(void)
{
	char *argv[] = { "sh", "-c", "exit 5", NULL };
	pid_t pid;
	int status;

	EXPECT(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) == 0);
	EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
	EXPECT(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, environ) == ENOENT);
	status = system("echo from a shell; exit 6");
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 6);
	pid = vfork();
	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
	pid = vfork();
	if (pid == 0)
		_exit(11);
	EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 11);
	say("spawned\n");
}

/* Nobody waits for these. */
static void ignored(void)
{
	pid_t pid = 0;

	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 10; i++) {
		pid = fork();
		EXPECT(pid >= 0);
		if (pid == 0)
			_exit(0);
	}
	EXPECT(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
	signal(SIGCHLD, SIG_DFL);
	say("ignored\n");
}

/* A grandchild that outlives its parent; its end is known by the pipe. */
static void orphan(void)
{
	int fds[2];
	char byte;
	pid_t pid;

	EXPECT(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			setsid();
			pause_ms(50);
			EXPECT(write(fds[1], "x", 1) == 1);
			_exit(0);
		}
		_exit(0);
	}
	close(fds[1]);
	EXPECT(waitpid(pid, NULL, 0) == pid);
	EXPECT(read(fds[0], &byte, 1) == 1 && byte == 'x');
	EXPECT(read(fds[0], &byte, 1) == 0);
	close(fds[0]);
	say("orphan\n");
}

int main(void)
{
	plain();
	storm();
	polled();
	by_id();
	stopped();
	spawned();
	ignored();
	orphan();
	return 0;
}
