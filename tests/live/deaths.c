/* SPDX-License-Identifier: Apache-2.0 */
/* Children that die in every way, in calls and between them. */
#include "live.h"

#include <sys/mman.h>
#include <sys/resource.h>

static void no_core(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

static volatile unsigned long work;

static __attribute__((noreturn)) void compute(void)
{
	for (;;)
		work++;
}

static int end_of(pid_t pid)
{
	int status;

	EXPECT(waitpid(pid, &status, 0) == pid);
	return status;
}

/* A child that never enters the kernel. */
static void killed_computing(int signal)
{
	int fds[2];
	char byte;
	pid_t pid;

	EXPECT(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		EXPECT(write(fds[1], "x", 1) == 1);
		compute();
	}
	EXPECT(read(fds[0], &byte, 1) == 1);
	pause_ms(20);
	EXPECT(kill(pid, signal) == 0);
	int status = end_of(pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == signal);
	close(fds[0]);
	close(fds[1]);
}

static void killed_waiting(int signal)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		pause();
		_exit(1);
	}
	pause_ms(20);
	EXPECT(kill(pid, signal) == 0);
	status = end_of(pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == signal);
}

static void *write_much(void *fd)
{
	char block[512];

	memset(block, 'w', sizeof(block));
	for (;;)
		if (write(*(int *)fd, block, sizeof(block)) < 0)
			pause_ms(1);
	return NULL;
}

/* Several threads in calls, computing, waiting. */
static void killed_threads(int signal)
{
	int null = open("/dev/null", O_WRONLY), status;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t t;

		for (int i = 0; i < 3; i++)
			EXPECT(pthread_create(&t, NULL, write_much, &null) == 0);
		pause();
		_exit(1);
	}
	pause_ms(60);
	EXPECT(kill(pid, signal) == 0);
	status = end_of(pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == signal);
	close(null);
}

static void faults(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		no_core();
		*(volatile int *)8 = 1;
	}
	status = end_of(pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	pid = fork();
	if (pid == 0) {
		no_core();
		abort();
	}
	status = end_of(pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	pid = fork();
	if (pid == 0)
		raise(SIGKILL);
	status = end_of(pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void broken_pipe(void)
{
	int fds[2], status;
	pid_t pid;

	EXPECT(pipe(fds) == 0);
	close(fds[0]);
	pid = fork();
	if (pid == 0) {
		EXPECT(write(fds[1], "x", 1) == 1);
		_exit(1);
	}
	status = end_of(pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	EXPECT(write(fds[1], "x", 1) == -1 && errno == EPIPE);
	close(fds[1]);
}

static void over_limit(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int fd = memfd_create("limited", 0);

		EXPECT(fd >= 0);
		no_core();
		EXPECT(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 10, 10 }) == 0);
		EXPECT(write(fd, "0123456789abcdef", 16) == 10);
		EXPECT(write(fd, "x", 1) == -1);
		_exit(1);
	}
	status = end_of(pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

int main(void)
{
	const int signals[] = { SIGKILL, SIGTERM, SIGUSR1 };

	for (int i = 0; i < 3; i++) {
		killed_computing(signals[i]);
		say("computing\n");
		killed_waiting(signals[i]);
		say("waiting\n");
		killed_threads(signals[i]);
		say("threads\n");
	}
	faults();
	say("faults\n");
	broken_pipe();
	say("broken pipe\n");
	over_limit();
	say("over limit\n");
	return 0;
}
