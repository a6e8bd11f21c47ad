/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks never run backwards and are never far behind, whoever reads them, also when most readings are no
 * calls. */
#include "live.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define US 1000ll
#define MS (1000 * US)
#define S  (1000 * MS)

#define ROUNDS 3000

static int64_t now(clockid_t clock)
{
	struct timespec t;

	EXPECT(clock_gettime(clock, &t) == 0);
	return t.tv_sec * S + t.tv_nsec;
}

static int64_t day(void)
{
	struct timeval t;

	EXPECT(gettimeofday(&t, NULL) == 0);
	return t.tv_sec * S + t.tv_usec * 1000;
}

/* A call that no library makes of a function of its own. */
static int64_t asked(clockid_t clock)
{
	struct timespec t;

	EXPECT(syscall(SYS_clock_gettime, clock, &t) == 0);
	return t.tv_sec * S + t.tv_nsec;
}

static void forwards(void)
{
	int64_t mono = 0, real = 0, coarse = 0;

	for (int i = 0; i < 300; i++) {
		int64_t m = i % 7 ? now(CLOCK_MONOTONIC) : asked(CLOCK_MONOTONIC);
		int64_t r = i % 5 ? now(CLOCK_REALTIME) : asked(CLOCK_REALTIME), d = day();
		int64_t c = i % 3 ? now(CLOCK_MONOTONIC_COARSE) : asked(CLOCK_MONOTONIC_COARSE);

		EXPECT(m >= mono && r >= real && d / 1000 >= real / 1000);
		EXPECT(c >= coarse && now(CLOCK_MONOTONIC) >= c);
		mono = m;
		real = r;
		coarse = c;
		if (i % 11 == 0)
			EXPECT(getppid() > 0);
	}
	say("forwards\n");
}

/* They stand still for a tick at the most: a loop that waits ends, and what took its time took it. */
static void go_on(void)
{
	int64_t begin = now(CLOCK_MONOTONIC), coarse = now(CLOCK_MONOTONIC_COARSE), end = day() + 20 * MS;

	pause_ms(5);
	EXPECT(now(CLOCK_MONOTONIC) - begin >= 5 * MS);
	while (day() < end)
		;
	EXPECT(now(CLOCK_MONOTONIC) - begin >= 20 * MS - US); /* days are cut to microseconds */
	EXPECT(now(CLOCK_MONOTONIC_COARSE) > coarse);
	say("go on\n");
}

static _Atomic int64_t given;
static atomic_int round_of;

static void *other(void *arg)
{
	for (int i = 1; i <= ROUNDS; i++) {
		while (atomic_load(&round_of) != 2 * i - 1)
			;
		atomic_store(&given, now(CLOCK_MONOTONIC));
		atomic_store(&round_of, 2 * i);
	}
	return arg;
}

/* What another thread has read is not later than what is read after it, although no call is between. A
 * follower's threads would take turns at each reading. */
static void between_threads(void)
{
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, other, NULL) == 0);
	for (int i = 1; i <= ROUNDS; i++) {
		int64_t before = now(CLOCK_MONOTONIC);

		atomic_store(&round_of, 2 * i - 1);
		/* A call that ends while the other one reads may leave its time for later readings. */
		if (i % 3 == 0)
			EXPECT(getppid() > 0);
		while (atomic_load(&round_of) != 2 * i)
			;
		EXPECT(before <= atomic_load(&given));
		EXPECT(atomic_load(&given) <= now(CLOCK_MONOTONIC));
	}
	EXPECT(pthread_join(thread, NULL) == 0);
	say("between threads\n");
}

static void in_children(const char *self)
{
	for (volatile int how = 0; how < 3; how++) {
		int64_t before = now(CLOCK_MONOTONIC), between = now(CLOCK_MONOTONIC);
		pid_t pid = how == 2 ? vfork() : fork();
		int status;

		EXPECT(pid >= 0);
		if (pid == 0 && how == 0) {
			for (int i = 0; i < 100; i++)
				EXPECT(now(CLOCK_MONOTONIC) >= between && day() > 0);
			_exit(7);
		}
		if (pid == 0) {
			execl(SELF, self, "again", (char *)NULL);
			_exit(1);
		}
		for (int i = 0; i < 5; i++)
			EXPECT(now(CLOCK_MONOTONIC) >= before);
		EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
		EXPECT(now(CLOCK_MONOTONIC) >= between);
	}
	say("in children\n");
}

static volatile sig_atomic_t ticks;
static volatile int64_t told;

static void tick(int signal)
{
	int64_t t = now(CLOCK_MONOTONIC);

	(void)signal;
	EXPECT(t >= told);
	told = now(CLOCK_MONOTONIC);
	EXPECT(told >= t);
	ticks++;
}

static void in_handlers(void)
{
	struct sigaction sa = { .sa_handler = tick, .sa_flags = SA_RESTART };
	struct itimerval once = { { 0, 0 }, { 0, 2000 } };

	EXPECT(sigaction(SIGALRM, &sa, NULL) == 0);
	for (int i = 0; i < 10; i++) {
		EXPECT(setitimer(ITIMER_REAL, &once, NULL) == 0);
		while (ticks == i) {
			int64_t before = told, t = now(CLOCK_MONOTONIC);

			EXPECT(t >= before);
			EXPECT(now(CLOCK_MONOTONIC) >= t);
		}
	}
	say("in handlers\n");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "threads") == 0) {
		between_threads();
		return 0;
	}
	forwards();
	if (argc > 1)
		return 7;
	go_on();
	in_children(argv[0]);
	in_handlers();
	return 0;
}
