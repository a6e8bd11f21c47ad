/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and timers of every kind. */
#include "calls.h"
#include "old.h"

#include <sys/timerfd.h>
#include <sys/timex.h>

static volatile sig_atomic_t count;
static volatile siginfo_t last; /* libc says of kill(2) that it calls nothing of ours */

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	last = *info;
	count++;
}

static void install(int signal)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	EXPECT(sigaction(signal, &sa, NULL) == 0);
}

static void clocks(void)
{
	static const clockid_t known[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
		CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE,
		CLOCK_BOOTTIME, CLOCK_TAI };
	struct timespec t, u;
	struct timeval v;
	time_t now, then = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		EXPECT(clock_gettime(known[i], &t) == 0 && t.tv_nsec < 1000000000 &&
		       clock_getres(known[i], &u) == 0 && u.tv_sec == 0);
	EXPECT(syscall(SYS_gettimeofday, &v, NULL) == 0 && v.tv_usec < 1000000 && v.tv_sec > 1000000000);
	now = old_time(&then);
	EXPECT(now == then && now >= v.tv_sec - 1 && old_time(NULL) >= now);
	FAILS(clock_gettime(99, &t), EINVAL);
	FAILS(syscall(SYS_clock_gettime, CLOCK_REALTIME, nowhere), EFAULT);
	FAILS(clock_getres(99, &t), EINVAL);
	say("clock_gettime, clock_getres, gettimeofday, time\n");
}

/* The machine's clock is not touched: wrong values, and asking without setting. */
static void setting(void)
{
	struct timespec wrong = { 0, -1 };
	struct timex x = { .modes = 0 };

	FAILS(syscall(SYS_clock_settime, CLOCK_REALTIME, &wrong), EINVAL);
	FAILS(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &wrong), EINVAL);
	EXPECT(syscall(SYS_settimeofday, NULL, NULL) == 0);
	EXPECT(syscall(SYS_adjtimex, &x) >= 0 && x.tick > 0 && x.time.tv_sec > 1000000000);
	memset(&x, 0, sizeof(x));
	EXPECT(clock_adjtime(CLOCK_REALTIME, &x) >= 0 && x.tick > 0);
	FAILS(syscall(SYS_adjtimex, nowhere), EFAULT);
	say("clock_settime, settimeofday, adjtimex, clock_adjtime\n");
}

static void sleeping(void)
{
	struct timespec t = { 0, 2000000 }, past = { 1, 0 }, wrong = { 0, 1000000000 };

	EXPECT(nanosleep(&t, NULL) == 0 && syscall(SYS_nanosleep, &t, NULL) == 0);
	EXPECT(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL) == 0);
	EXPECT(clock_nanosleep(CLOCK_REALTIME, 0, &t, &past) == 0);
	EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &wrong, NULL) == EINVAL);
	EXPECT(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL) == EINVAL);
	FAILS(syscall(SYS_nanosleep, nowhere, NULL), EFAULT);
	say("clock_nanosleep, nanosleep\n");
}

static void of_the_process(void)
{
	struct itimerval t = { { 0, 20000 }, { 0, 20000 } }, got;

	install(SIGALRM);
	count = 0;
	EXPECT(setitimer(ITIMER_REAL, &t, NULL) == 0 && getitimer(ITIMER_REAL, &got) == 0);
	EXPECT(got.it_value.tv_sec == 0 && got.it_interval.tv_usec == 20000);
	FAILS(old_pause(), EINTR);
	t = (struct itimerval){ 0 };
	EXPECT(count >= 1 && setitimer(ITIMER_REAL, &t, NULL) == 0);
	EXPECT(old_alarm(100) == 0 && old_alarm(50) == 100 && old_alarm(0) == 50);
	t.it_value.tv_usec = 1000000;
	FAILS(setitimer(ITIMER_REAL, &t, NULL), EINVAL);
	FAILS(setitimer(99, &t, NULL), EINVAL);
	FAILS(getitimer(99, &got), EINVAL);
	FAILS(syscall(SYS_setitimer, ITIMER_REAL, nowhere, NULL), EFAULT);
	say("setitimer, getitimer, alarm, pause\n");
}

static struct pointed {
	int number;
} pointed = { 43 };

static void posix(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3,
			      .sigev_value.sival_ptr = &pointed };
	struct itimerspec t = { .it_value = { 0, 10000000 } }, got;
	timer_t timer, plain;

	install(SIGRTMIN + 3);
	count = 0;
	EXPECT(timer_create(CLOCK_MONOTONIC, &e, &timer) == 0 && timer_create(CLOCK_REALTIME, NULL, &plain) == 0);
	EXPECT(timer_settime(timer, 0, &t, &got) == 0 && got.it_value.tv_nsec == 0);
	EXPECT(timer_gettime(timer, &got) == 0 && got.it_value.tv_sec == 0);
	while (count == 0)
		pause_ms(2);
	EXPECT(last.si_code == SI_TIMER && last.si_value.sival_ptr == &pointed && last.si_overrun == 0);
	EXPECT(timer_getoverrun(timer) == 0);
	t.it_value.tv_nsec = -1;
	FAILS(timer_settime(timer, 0, &t, NULL), EINVAL);
	EXPECT(timer_delete(timer) == 0 && timer_delete(plain) == 0);
	FAILS(timer_create(99, &e, &timer), EINVAL);
	FAILS(syscall(SYS_timer_delete, 9999), EINVAL);
	FAILS(syscall(SYS_timer_gettime, 9999, &got), EINVAL);
	FAILS(syscall(SYS_timer_getoverrun, 9999), EINVAL);
	say("timer_create, timer_settime, timer_gettime, timer_getoverrun, timer_delete\n");
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct pointed *told;

static void tell(union sigval v)
{
	pthread_mutex_lock(&lock);
	told = v.sival_ptr;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}

/* The C library has a thread that waits for the timer's signal and begins one for each. */
static void with_threads(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell,
			      .sigev_value.sival_ptr = &pointed };
	struct itimerspec t = { .it_value = { 0, 10000000 } };
	timer_t timer;

	EXPECT(timer_create(CLOCK_MONOTONIC, &e, &timer) == 0 && timer_settime(timer, 0, &t, NULL) == 0);
	pthread_mutex_lock(&lock);
	while (!told)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	EXPECT(told == &pointed && told->number == 43);
	EXPECT(timer_delete(timer) == 0);
}

static void by_descriptor(void)
{
	struct itimerspec t = { .it_value = { 0, 5000000 }, .it_interval = { 0, 5000000 } }, got;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), slow;
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t n = 0;

	EXPECT(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	FAILS(read(fd, &n, 8), EAGAIN);
	EXPECT(timerfd_settime(fd, 0, &t, NULL) == 0 && poll(&p, 1, -1) == 1 && read(fd, &n, 8) == 8 && n >= 1);
	EXPECT(timerfd_gettime(fd, &got) == 0 && got.it_interval.tv_nsec == 5000000);
	slow = timerfd_create(CLOCK_REALTIME, 0);
	t = (struct itimerspec){ .it_value = { 1, 0 } };
	EXPECT(timerfd_settime(slow, TFD_TIMER_ABSTIME, &t, &got) == 0 && read(slow, &n, 8) == 8 && n == 1);
	FAILS(timerfd_settime(fd, 99, &t, NULL), EINVAL);
	FAILS(timerfd_settime(0x7000, 0, &t, NULL), EBADF);
	FAILS(timerfd_create(99, 0), EINVAL);
	FAILS(syscall(SYS_timerfd_gettime, fd, nowhere), EFAULT);
	close(fd);
	close(slow);
	say("timerfd_create, timerfd_settime, timerfd_gettime\n");
}

void test_timing(void)
{
	clocks();
	setting();
	sleeping();
	of_the_process();
	posix();
	in_child(with_threads);
	by_descriptor();
}
