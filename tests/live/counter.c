/* SPDX-License-Identifier: Apache-2.0 */
/* The time counter that a program reads without a call: both variants read the same, it goes on, and it
 * does so in threads, children and handlers. What is printed is what was read. */
#include "live.h"

static uint64_t counter(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#endif
}

static void tell(const char *who)
{
	uint64_t a = counter(), b = counter();

	EXPECT(a != 0 && b > a);
	dprintf(1, "%s %llu %llu\n", who, (unsigned long long)a, (unsigned long long)b);
	EXPECT(counter() > b);
}

static void *thread(void *arg)
{
	tell("thread");
	return arg;
}

static void handler(int signal)
{
	(void)signal;
	tell("handler");
}

/* A loop like those that wait for some time to pass. */
static void spin(void)
{
	uint64_t begin = counter();
	unsigned n = 0;

	while (counter() < begin + 1000000)
		n++;
	EXPECT(n < 10000000);
}

int main(int argc, char **argv)
{
	pthread_t t;
	int status;

	(void)argc;
	if (!strcmp(argv[0], "executed")) {
		tell("executed");
		return 0;
	}
	signal(SIGUSR1, handler);
	tell("main");
	spin();
	raise(SIGUSR1);
	EXPECT(pthread_create(&t, NULL, thread, NULL) == 0 && pthread_join(t, NULL) == 0);
	if (fork() == 0) {
		tell("child");
		execl(SELF, "executed", NULL);
		_exit(1);
	}
	EXPECT(wait(&status) > 0 && status == 0);
	tell("parent");
	return 0;
}
