/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One small thing by its name, for tests of a session.
 * usage: behaviour WHAT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

extern char **environ;
static volatile int sink;

/* Each call is a switch point. */
static NOINLINE void step(int i)
{
	sink += i;
}

static NOINLINE int deep(int n)
{
	char here[64];

	memset(here, n, sizeof(here));
	return n ? deep(n - 1) + here[n % 64] : 0;
}

static int crash(void)
{
	step(1);
	*(volatile int *)8 = 1;
	return 0;
}

static int wait_for_input(void)
{
	char c;

	step(1);
	puts("waiting");
	fflush(stdout);
	return read(0, &c, 1) == 1 ? 5 : 6;
}

static int loop(void)
{
	puts("waiting");
	fflush(stdout);
	for (unsigned i = 0;; i++)
		step((int)i);
}

static int echo(void)
{
	char line[256];

	while (fgets(line, sizeof(line), stdin)) {
		step(1);
		fputs(line, stdout);
		fflush(stdout);
	}
	return 0;
}

static int show_environment(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		printf("argument %s\n", argv[i]);
	for (char **e = environ; *e; e++) {
		step(1);
		if (!strncmp(*e, "CHIRAL_MTD", 10) || !strncmp(*e, "TEST_", 5))
			printf("variable %s\n", *e);
	}
	printf("next descriptor %d\n", dup(0));
	return 0;
}

static void on_signal(int signal)
{
	sink = signal;
}

/* What a program that moves cannot do answers an error. */
static int refused(void)
{
	void *p;
	int fd = open("/proc/self/exe", O_RDONLY);

	step(1);
	printf("fork %d %s\n", fork(), strerror(errno));
	step(2);
	printf("handler %d %s\n", signal(SIGUSR1, on_signal) == SIG_ERR, strerror(errno));
	printf("ignore %d\n", signal(SIGUSR1, SIG_IGN) == SIG_ERR);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	printf("shared file %d %s\n", p == MAP_FAILED, strerror(errno));
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	step(3);
	printf("private file %d\n", p != MAP_FAILED && !memcmp(p, "\177ELF", 4));
	p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("executable %d %s\n", p == MAP_FAILED, strerror(errno));
	for (int i = 3; i < 1024; i++)
		if (i != fd)
			close(i);
	step(4);
	puts("still here");
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "crash"))
		return crash();
	if (!strcmp(what, "wait"))
		return wait_for_input();
	if (!strcmp(what, "loop"))
		return loop();
	if (!strcmp(what, "echo"))
		return echo();
	if (!strcmp(what, "environment"))
		return show_environment(argc, argv);
	if (!strcmp(what, "refused"))
		return refused();
	if (!strcmp(what, "deep"))
		return deep(atoi(argv[2])) == -1;
	if (!strcmp(what, "abort"))
		abort();
	fputs("behaviour: what?\n", stderr);
	return 2;
}
