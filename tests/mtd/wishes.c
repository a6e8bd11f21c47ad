/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chiral.h, fork and exec, signals while it computes: prints the same on any two nodes.
 * usage: wishes api | fork | system | interrupted N | listening | leave | exec PROGRAM [ARGS...]
 */
#include <chiral.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static int counter;

static NOINLINE int step(int n)
{
	counter += n;
	return counter;
}

/* How often does it find itself elsewhere? */
static int moves(int steps)
{
	enum chiral_isa before = chiral_isa();
	int n = 0;

	for (int i = 0; i < steps; i++) {
		step(1);
		n += chiral_isa() != before;
		before = chiral_isa();
	}
	return n;
}

static int api(void)
{
	enum chiral_isa isa = chiral_isa();

	printf("moves %d\n", chiral_moves());
	printf("switch %d\n", chiral_switch());
	printf("elsewhere %d\n", chiral_isa() != isa);
	printf("switch %d\n", chiral_switch());
	printf("back %d\n", chiral_isa() == isa);
	printf("protected before %d\n", chiral_protect(0));
	printf("moved %d\n", moves(100) > 0);
	printf("switch %d\n", chiral_switch());
	printf("elsewhere %d\n", chiral_isa() != isa);
	printf("moved %d\n", moves(100) > 0);
	printf("protected before %d\n", chiral_protect(1));
	printf("moved %d\n", moves(100) > 0);
	return 0;
}

/* Each child has a copy of everything; what it changes is its own. */
static NOINLINE int descend(int depth, char *heap)
{
	char local[32];
	pid_t pid;
	int status;

	snprintf(local, sizeof(local), "depth %d", depth);
	step(depth);
	if (depth == 0)
		return counter % 100;
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		printf("fork: %s\n", strerror(errno));
		return 99;
	}
	if (pid == 0) {
		heap[depth] = 'c';
		status = descend(depth - 1, heap);
		printf("%s in the child: %s %d, heap %s\n", local, "counter", counter, heap);
		fflush(stdout);
		_exit(status);
	}
	if (waitpid(pid, &status, 0) != pid)
		printf("wait: %s\n", strerror(errno));
	printf("%s: child %d, counter %d, heap %s\n", local, WEXITSTATUS(status), counter, heap);
	return WEXITSTATUS(status) + 1;
}

static int forks(void)
{
	char *heap = strdup("0123456789");

	for (int i = 0; i < 3; i++)
		printf("round %d: %d\n", i, descend(3, heap));
	return 0;
}

static int systems(void)
{
	char line[64];
	FILE *f;

	fflush(stdout);
	printf("status %d\n", WEXITSTATUS(system("echo from a shell; exit 3")));
	f = popen("echo $((6 * 7))", "r");
	printf("pipe %s", f && fgets(line, sizeof(line), f) ? line : "none\n");
	printf("pclose %d\n", f ? pclose(f) : -1);
	return 0;
}

static volatile sig_atomic_t ticks;

static void on_tick(int signal)
{
	ticks++;
}

/* Computes, and makes no call until it was interrupted n times. */
static int interrupted(int n)
{
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } };

	signal(SIGALRM, on_tick);
	setitimer(ITIMER_REAL, &often, NULL);
	while (ticks < n)
		step(1);
	printf("%d ticks\n", n);
	return 0;
}

/* Says whenever it finds itself elsewhere, until its input ends. */
static int listening(void)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	enum chiral_isa before = chiral_isa();

	puts("ready");
	fflush(stdout);
	do {
		for (int i = 0; i < 1000; i++)
			step(1);
		if (chiral_isa() != before)
			puts("moved");
		fflush(stdout);
		before = chiral_isa();
	} while (poll(&p, 1, 0) == 0);
	return 0;
}

/* Ends on the other node, some time after it has said that it is there. */
static int leave(void)
{
	chiral_switch();
	puts("there");
	fflush(stdout);
	for (volatile long i = 0; i < 1000000000; i++)
		;
	_exit(3);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "api"))
		return api();
	if (!strcmp(what, "fork"))
		return forks();
	if (!strcmp(what, "system"))
		return systems();
	if (!strcmp(what, "interrupted") && argc > 2)
		return interrupted(atoi(argv[2]));
	if (!strcmp(what, "leave"))
		return leave();
	if (!strcmp(what, "listening"))
		return listening();
	if (!strcmp(what, "exec") && argc > 2) {
		step(1);
		execv("/no/such/program", argv + 2);
		fprintf(stderr, "exec: %s\n", strerror(errno));
		execv(argv[2], argv + 2);
	}
	return 2;
}
