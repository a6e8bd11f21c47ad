/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One small thing by its name, for tests of a session.
 * usage: behaviour WHAT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/syscall.h>
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

static _Noreturn int loop(void)
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

static volatile sig_atomic_t woken;

static void on_wake(int signo)
{
	woken = signo;
}

/* Each line asks for a signal, which may come anywhere behind it: none is slept through. */
static int wakes(int n)
{
	struct sigaction action = { .sa_handler = on_wake };

	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < 3; k++)
			step(k);
		printf("%d\n", i);
		fflush(stdout);
		while (!woken) {
			step(i);
			poll(NULL, 0, -1);
		}
		woken = 0;
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

static volatile int caught[65];
static sigjmp_buf jump;
static int writer;

static NOINLINE void on_signal(int signal)
{
	step(signal);
	caught[signal]++;
}

static NOINLINE void on_info(int signal, siginfo_t *info, void *context)
{
	caught[signal] += info->si_signo == signal && info->si_pid == getpid();
}

static NOINLINE void write_after_three(int signal)
{
	if (++caught[signal] == 3 && write(writer, "x", 1) != 1)
		perror("write");
}

static NOINLINE void jump_out(int signal)
{
	siglongjmp(jump, signal);
}

static void set_handler(int signal, void (*f)(int), int flags)
{
	struct sigaction a = { .sa_handler = f, .sa_flags = flags };

	if (sigaction(signal, &a, NULL) < 0)
		perror("sigaction");
}

/* A loop in memory alone: the handler is called at a point. */
static NOINLINE int wait_for(int signal, int n)
{
	for (long i = 0; caught[signal] < n && i < 2000000000; i++)
		step((int)i);
	return caught[signal];
}

static void set_timer(int microseconds)
{
	struct itimerval t = { { 0, microseconds }, { 0, microseconds } };

	setitimer(ITIMER_REAL, &t, NULL);
}

static int handlers(void)
{
	struct sigaction info = { .sa_sigaction = on_info, .sa_flags = SA_SIGINFO }, old;
	int fds[2], r;
	char c;

	set_handler(SIGUSR1, on_signal, 0);
	raise(SIGUSR1);
	printf("raise %d\n", caught[SIGUSR1]);
	sigaction(SIGUSR2, &info, NULL);
	kill(getpid(), SIGUSR2);
	printf("info %d\n", caught[SIGUSR2]);
	sigaction(SIGUSR2, NULL, &old);
	printf("old %d\n", old.sa_sigaction == on_info && old.sa_flags & SA_SIGINFO);

	set_handler(SIGALRM, on_signal, 0);
	set_timer(20000);
	printf("timer %d\n", wait_for(SIGALRM, 3) >= 3);
	if (pipe(fds) < 0)
		return 1;
	r = (int)read(fds[0], &c, 1);
	printf("interrupted %d %s\n", r, strerror(errno));
	/* Restarted, until the handler itself lets it return. */
	caught[SIGALRM] = 0;
	writer = fds[1];
	set_handler(SIGALRM, write_after_three, SA_RESTART);
	printf("restarted %d\n", (int)read(fds[0], &c, 1));
	r = pause();
	printf("never restarted %d %s\n", r, strerror(errno));
	set_timer(0);
	return 0;
}

static int jumps(void)
{
	volatile int n = 0;

	set_handler(SIGALRM, jump_out, SA_NODEFER);
	if (sigsetjmp(jump, 0))
		n++;
	if (n == 2) {
		set_timer(0);
		return printf("jumped %d\n", n) < 0;
	}
	/* Long enough for this call to have returned: nothing can jump out of a system call. */
	set_timer(150000);
	wait_for(SIGUSR1, 1);
	return 1;
}

/* What a program that moves cannot do answers an error. */
static int refused(void)
{
	void *p;
	int fd = open("/proc/self/exe", O_RDONLY);

	step(1);
	printf("ptrace %ld %s\n", syscall(SYS_ptrace, 0, 0, 0, 0), strerror(errno));
	step(2);
	printf("handler %d %s\n", signal(SIGSEGV, on_signal) == SIG_ERR, strerror(errno));
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

static int much(int bytes)
{
	for (int i = 0; i < bytes / 8; i++) {
		step(i);
		printf("%7d\n", i);
	}
	return 0;
}

/* The rest of its input has no reader. */
static int first(void)
{
	char line[256];

	step(1);
	if (fgets(line, sizeof(line), stdin))
		fputs(line, stdout);
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
	if (!strcmp(what, "handlers"))
		return handlers();
	if (!strcmp(what, "wakes"))
		return wakes(atoi(argv[2]));
	if (!strcmp(what, "jumps"))
		return jumps();
	if (!strcmp(what, "deep"))
		return deep(atoi(argv[2])) == -1;
	if (!strcmp(what, "much"))
		return much(atoi(argv[2]));
	if (!strcmp(what, "first"))
		return first();
	if (!strcmp(what, "abort"))
		abort();
	fputs("behaviour: what?\n", stderr);
	return 2;
}
