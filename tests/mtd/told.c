/* SPDX-License-Identifier: Apache-2.0 */
/* Says where it is: when a signal comes while it computes, and after each byte that it reads. */
#include <chiral.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t got;
static volatile unsigned long steps;

__attribute__((noinline)) static void step(void)
{
	steps++;
}

static void handler(int signal)
{
	got = signal;
}

static const char *name(enum chiral_isa isa)
{
	return isa == CHIRAL_ISA_X86_64 ? "x86_64" : isa == CHIRAL_ISA_AARCH64 ? "aarch64" : "other";
}

static void wait_computing(void)
{
	signal(SIGUSR1, handler);
	step();
	printf("%s\n", name(chiral_isa()));
	fflush(stdout);
	while (!got)
		step();
	printf("signal %d on %s\n", got, name(chiral_isa()));
}

/* A line for each byte of stdin. */
static void serve(void)
{
	char c;

	while (read(0, &c, 1) == 1) {
		step();
		printf("%s\n", name(chiral_isa()));
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "compute"))
		wait_computing();
	else if (!strcmp(what, "serve"))
		serve();
	return 0;
}
