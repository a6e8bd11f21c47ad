/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A timer signal every millisecond while the program reads, writes and waits. What it writes tells how
 * many it has counted, so that two variants differ at once when a handler ran elsewhere in one of them.
 * Arguments: seconds, signals a second.
 */
#include "live.h"

#include <sys/epoll.h>
#include <sys/time.h>

static volatile uint64_t got;

static void handler(int signal)
{
	(void)signal;
	got++;
}

/* The handler makes calls itself, and is interrupted in turn by the other timer's. */
static int null;
static volatile uint64_t nested;

static void calling_handler(int signal)
{
	uint64_t n = ++nested;

	(void)signal;
	EXPECT(write(null, &n, sizeof(n)) == sizeof(n));
}

static int64_t now_ms(void)
{
	struct timespec t;

	EXPECT(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void start_timers(long a_second)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	struct itimerval t = { { 0, 1000000 / a_second }, { 0, 1000000 / a_second } };
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct itimerspec slow = { { 0, 50000000 }, { 0, 50000000 } };
	timer_t id;

	EXPECT(sigaction(SIGALRM, &sa, NULL) == 0);
	sa.sa_handler = calling_handler;
	EXPECT(sigaction(SIGUSR2, &sa, NULL) == 0);
	EXPECT(timer_create(CLOCK_MONOTONIC, &sev, &id) == 0);
	EXPECT(timer_settime(id, 0, &slow, NULL) == 0);
	EXPECT(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

static uint64_t round_of_calls(int ep, const int fds[2])
{
	struct epoll_event e;
	uint64_t sent = got, back;
	int n;

	EXPECT(write(fds[1], &sent, sizeof(sent)) == sizeof(sent));
	n = epoll_wait(ep, &e, 1, 1000);
	EXPECT(n == 1 || (n == -1 && errno == EINTR));
	EXPECT(read(fds[0], &back, sizeof(back)) == sizeof(back) && back == sent);
	n = epoll_wait(ep, &e, 1, 2);
	EXPECT(n == 0 || (n == -1 && errno == EINTR));
	back = got;
	EXPECT(write(null, &back, sizeof(back)) == sizeof(back));
	return back;
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? atol(argv[1]) : 5, a_second = argc > 2 ? atol(argv[2]) : 1000;
	struct epoll_event e = { .events = EPOLLIN };
	struct itimerval off = { 0 };
	int fds[2], ep = epoll_create1(0);
	uint64_t rounds = 0;
	int64_t end;

	null = open("/dev/null", O_WRONLY);
	EXPECT(pipe(fds) == 0 && ep >= 0 && null >= 0);
	EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e) == 0);
	end = now_ms() + seconds * 1000;
	start_timers(a_second);
	while (now_ms() < end) {
		round_of_calls(ep, fds);
		rounds++;
	}
	EXPECT(setitimer(ITIMER_REAL, &off, NULL) == 0);
	printf("%llu signals, %llu nested, %llu rounds\n", (unsigned long long)got,
	       (unsigned long long)nested, (unsigned long long)rounds);
	return 0;
}
