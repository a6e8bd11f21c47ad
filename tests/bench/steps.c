/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the instructions that a process executes in user mode, one by one: exact, whatever else the
 * machine does, and slow. For each line on standard input it prints how many there were so far.
 * usage: steps PID
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void on_input(int signo)
{
	(void)signo;
	asked = 1;
}

/* waitpid(2) has to end when there is input: so no SA_RESTART. */
static int ask_for_signals(void)
{
	const struct sigaction act = { .sa_handler = on_input };

	return sigaction(SIGIO, &act, NULL) < 0 || fcntl(STDIN_FILENO, F_SETOWN, getpid()) < 0 ||
	       fcntl(STDIN_FILENO, F_SETFL, O_ASYNC | O_NONBLOCK) < 0;
}

/* 0 at the end of the input. */
static int answer(uint64_t count)
{
	char c[256];
	ssize_t n;

	asked = 0;
	while ((n = read(STDIN_FILENO, c, sizeof(c))) > 0) {
		printf("%llu\n", (unsigned long long)count);
		fflush(stdout);
	}
	return n < 0;
}

int main(int argc, char **argv)
{
	pid_t pid = argc > 1 ? atoi(argv[1]) : 0;
	uint64_t count = 0;
	int status;

	if (pid < 1 || ask_for_signals() || ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0) {
		perror("steps: cannot trace the process");
		return 1;
	}
	printf("0\n");
	fflush(stdout);
	for (;;) {
		int signo = 0;

		if (asked && !answer(count))
			return 0;
		if (waitpid(pid, &status, __WALL) < 0) {
			if (errno == EINTR)
				continue;
			return 1;
		}
		if (!WIFSTOPPED(status))
			return 0;
		if (WSTOPSIG(status) == SIGTRAP)
			count += !(status >> 16);
		else
			signo = WSTOPSIG(status);
		if (ptrace(PTRACE_SINGLESTEP, pid, 0, signo) < 0)
			return 1;
	}
}
