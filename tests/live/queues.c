/* SPDX-License-Identifier: Apache-2.0 */
/* Signals with values, of timers, in order, nested, on a stack of their own; to groups and threads; and what
 * a program sees right after it has unblocked one. */
#include "live.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <setjmp.h>
#include <semaphore.h>

#define MAX 64

static volatile sig_atomic_t n_seen;
static volatile int seen_signal[MAX], seen_code[MAX];
static volatile union sigval seen_value[MAX];

static void note(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (n_seen < MAX) {
		seen_signal[n_seen] = signal;
		seen_code[n_seen] = info->si_code;
		seen_value[n_seen] = info->si_value;
		n_seen++;
	}
}

static void catch(int signal, int flags)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO | flags };

	sigfillset(&sa.sa_mask);
	EXPECT(sigaction(signal, &sa, NULL) == 0);
	n_seen = 0;
}

static void block(int signal, sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	EXPECT(sigprocmask(SIG_BLOCK, &set, old) == 0);
}

static int target;

/* What waits comes before sigprocmask(2) returns, and no call is needed to see it. */
static void unblocked(void)
{
	sigset_t old;

	catch(SIGUSR1, 0);
	block(SIGUSR1, &old);
	EXPECT(raise(SIGUSR1) == 0);
	EXPECT(n_seen == 0);
	EXPECT(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	EXPECT(n_seen == 1);
	for (int i = 0; i < 20; i++) {
		block(SIGUSR1, &old);
		EXPECT(kill(getpid(), SIGUSR1) == 0);
		signal(SIGUSR1, SIG_DFL);
		catch(SIGUSR1, 0);
		EXPECT(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
		EXPECT(n_seen == 1);
	}
	say("unblocked\n");
}

/* Queued in the order of their numbers and then of their sending. */
static void real_time(void)
{
	static const int order[] = { 2, 0, 1, 0, 2, 1 }, expected[] = { 0, 0, 1, 1, 2, 2 };
	static const int values[] = { 11, 13, 12, 15, 10, 14 };
	sigset_t old, set;

	for (int i = 0; i < 3; i++)
		catch(SIGRTMIN + i, 0);
	sigemptyset(&set);
	for (int i = 0; i < 3; i++)
		sigaddset(&set, SIGRTMIN + i);
	EXPECT(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	for (int i = 0; i < 6; i++)
		EXPECT(sigqueue(getpid(), SIGRTMIN + order[i], (union sigval){ 10 + i }) == 0);
	EXPECT(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	EXPECT(getppid() > 0 && getppid() > 0); /* a call or two: by now all have come */
	EXPECT(n_seen == 6);
	for (int i = 0; i < 6; i++) {
		EXPECT(seen_signal[i] == SIGRTMIN + expected[i]);
		EXPECT(seen_code[i] == SI_QUEUE && seen_value[i].sival_int == values[i]);
	}
	say("real time\n");
}

/* More than a few, from another process, to one that makes no call meanwhile or is slow. */
static void flood(void)
{
	pid_t me = getpid(), pid;
	int status;

	catch(SIGRTMIN, SA_RESTART);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < MAX; i++)
			EXPECT(sigqueue(me, SIGRTMIN, (union sigval){ i }) == 0);
		_exit(0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
	while (n_seen < MAX)
		EXPECT(getppid() > 0);
	for (int i = 0; i < MAX; i++)
		EXPECT(seen_value[i].sival_int == i);
	say("flood\n");
}

static void of_timers(void)
{
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3 };
	struct itimerspec soon = { .it_value = { 0, 20000000 } };
	timer_t id[2];

	catch(SIGRTMIN + 3, 0);
	sev.sigev_value.sival_ptr = &target;
	EXPECT(timer_create(CLOCK_MONOTONIC, &sev, &id[0]) == 0);
	EXPECT(timer_settime(id[0], 0, &soon, NULL) == 0);
	pause_ms(60);
	EXPECT(n_seen == 1 && seen_code[0] == SI_TIMER && seen_value[0].sival_ptr == &target);
	sev.sigev_notify = SIGEV_THREAD_ID;
	sev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	sev.sigev_value.sival_int = 5;
	EXPECT(timer_create(CLOCK_REALTIME, &sev, &id[1]) == 0);
	EXPECT(timer_settime(id[1], 0, &soon, NULL) == 0);
	pause_ms(60);
	EXPECT(n_seen == 2 && seen_value[1].sival_int == 5);
	EXPECT(timer_delete(id[0]) == 0 && timer_delete(id[1]) == 0);
	say("of timers\n");
}

static sem_t from_thread;
static volatile int thread_value;

static void in_thread(union sigval value)
{
	thread_value = *(int *)value.sival_ptr;
	sem_post(&from_thread);
}

/* The C library starts a thread for each expiry and finds what it knows of the timer by a pointer. */
static void timer_threads(void)
{
	struct sigevent sev = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread };
	struct itimerspec soon = { .it_value = { 0, 20000000 } };
	timer_t id;

	target = 17;
	sev.sigev_value.sival_ptr = &target;
	EXPECT(sem_init(&from_thread, 0, 0) == 0);
	EXPECT(timer_create(CLOCK_MONOTONIC, &sev, &id) == 0);
	EXPECT(timer_settime(id, 0, &soon, NULL) == 0);
	while (sem_wait(&from_thread) < 0)
		;
	EXPECT(thread_value == 17);
	EXPECT(timer_delete(id) == 0);
	say("timer threads\n");
}

static volatile unsigned long work;

/* Processor time, of which a call takes little. */
static void of_work(int which, int signal)
{
	struct itimerval t = { { 0, 0 }, { 0, 20000 } };

	catch(signal, SA_RESTART);
	EXPECT(setitimer(which, &t, NULL) == 0);
	while (n_seen == 0) {
		for (int i = 0; i < 100000; i++)
			work++;
		EXPECT(getppid() > 0);
	}
	EXPECT(n_seen == 1 && seen_signal[0] == signal);
}

static void alarms(void)
{
	struct itimerspec soon = { .it_value = { 0, 10000000 } };
	uint64_t expirations;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	of_work(ITIMER_VIRTUAL, SIGVTALRM);
	of_work(ITIMER_PROF, SIGPROF);
	of_work(ITIMER_REAL, SIGALRM);
	catch(SIGALRM, 0);
	EXPECT(alarm(1) == 0);
	EXPECT(alarm(1) == 1);
	EXPECT(pause() == -1 && n_seen == 1);
	EXPECT(timerfd_settime(fd, 0, &soon, NULL) == 0);
	EXPECT(read(fd, &expirations, sizeof(expirations)) == sizeof(expirations));
	EXPECT(expirations == 1);
	close(fd);
	say("alarms\n");
}

static void inner(int signal)
{
	EXPECT(signal == SIGUSR2);
	say(" inner");
	n_seen++;
}

static void outer(int signal)
{
	EXPECT(signal == SIGUSR1);
	say("outer");
	EXPECT(kill(getpid(), SIGUSR2) == 0);
	EXPECT(n_seen == 1); /* it has come before kill(2) returned */
	say(" outer\n");
}

static volatile bool on_the_stack;
static char *stack;

static void on_stack(int signal)
{
	char here;

	(void)signal;
	on_the_stack = &here > stack && &here < stack + 4 * SIGSTKSZ;
	say("on a stack of its own\n");
}

static void nested(void)
{
	struct sigaction sa = { .sa_handler = inner };
	stack_t ss = { .ss_size = 4 * (size_t)SIGSTKSZ };

	EXPECT(sigaction(SIGUSR2, &sa, NULL) == 0);
	sa.sa_handler = outer;
	EXPECT(sigaction(SIGUSR1, &sa, NULL) == 0);
	n_seen = 0;
	EXPECT(raise(SIGUSR1) == 0);
	stack = ss.ss_sp = malloc(ss.ss_size);
	EXPECT(sigaltstack(&ss, NULL) == 0);
	sa.sa_handler = on_stack;
	sa.sa_flags = SA_ONSTACK | SA_NODEFER;
	EXPECT(sigaction(SIGUSR1, &sa, NULL) == 0);
	EXPECT(raise(SIGUSR1) == 0 && on_the_stack);
	ss.ss_flags = SS_DISABLE;
	EXPECT(sigaltstack(&ss, NULL) == 0);
	free(stack);
}

static sigjmp_buf back;

static void jump(int signal)
{
	siglongjmp(back, signal);
}

static void jumps(void)
{
	struct sigaction sa = { .sa_handler = jump };
	volatile int times = 0;
	int fds[2];

	EXPECT(sigaction(SIGSEGV, &sa, NULL) == 0);
	EXPECT(sigaction(SIGPIPE, &sa, NULL) == 0);
	EXPECT(sigaction(SIGALRM, &sa, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		if (sigsetjmp(back, 1) == 0)
			*(volatile int *)16 = i;
		times++;
	}
	EXPECT(times == 5);
	EXPECT(pipe(fds) == 0);
	close(fds[0]);
	if (sigsetjmp(back, 1) == 0) {
		EXPECT(write(fds[1], "x", 1) == 1);
		EXPECT(!"write returned");
	}
	close(fds[1]);
	alarm(1);
	if (sigsetjmp(back, 1) == 0)
		for (;;)
			pause();
	signal(SIGSEGV, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	EXPECT(pipe(fds) == 0);
	close(fds[0]);
	EXPECT(write(fds[1], "x", 1) == -1 && errno == EPIPE);
	close(fds[1]);
	say("jumps\n");
}

static void by_descriptor(void)
{
	struct signalfd_siginfo info[4];
	struct epoll_event e = { .events = EPOLLIN };
	sigset_t set, old;
	int fd, ep = epoll_create1(0);

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	EXPECT(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	EXPECT(fd >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	EXPECT(raise(SIGUSR1) == 0);
	for (int i = 0; i < 3; i++)
		EXPECT(sigqueue(getpid(), SIGRTMIN, (union sigval){ i }) == 0);
	EXPECT(epoll_wait(ep, &e, 1, 5000) == 1);
	EXPECT(read(fd, info, sizeof(info)) == sizeof(info));
	EXPECT(info[0].ssi_signo == SIGUSR1 && info[3].ssi_int == 2);
	EXPECT(info[3].ssi_pid == (uint32_t)getpid());
	EXPECT(read(fd, info, sizeof(info)) == -1 && errno == EAGAIN);
	close(fd);
	close(ep);
	EXPECT(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	say("by descriptor\n");
}

/* An ignored signal interrupts nothing, not even the calls that never begin anew. */
static void ignored(void)
{
	struct epoll_event e;
	struct itimerval t = { { 0, 5000 }, { 0, 5000 } }, off = { 0 };
	struct timespec ts = { 0, 150000000 };
	int ep = epoll_create1(0);
	siginfo_t info;
	sigset_t set;
	pid_t pid;

	signal(SIGALRM, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	EXPECT(setitimer(ITIMER_REAL, &t, NULL) == 0);
	EXPECT(epoll_wait(ep, &e, 1, 100) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	EXPECT(sigtimedwait(&set, &info, &ts) == -1 && errno == EAGAIN);
	EXPECT(setitimer(ITIMER_REAL, &off, NULL) == 0);
	pid = fork();
	if (pid == 0) {
		pause_ms(20);
		_exit(0);
	}
	EXPECT(epoll_wait(ep, &e, 1, 150) == 0);
	EXPECT(waitpid(pid, NULL, 0) == pid);
	close(ep);
	say("ignored\n");
}

static volatile sig_atomic_t n_children;

static void reap(int signal)
{
	int saved = errno;

	(void)signal;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		n_children++;
	errno = saved;
}

static void reaper(void)
{
	struct sigaction sa = { .sa_handler = reap, .sa_flags = SA_RESTART | SA_NOCLDSTOP };
	sigset_t old;

	EXPECT(sigaction(SIGCHLD, &sa, NULL) == 0);
	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();

		EXPECT(pid >= 0);
		if (pid == 0)
			_exit(0);
	}
	block(SIGCHLD, &old);
	while (n_children < 30)
		sigsuspend(&old);
	EXPECT(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	signal(SIGCHLD, SIG_DFL);
	say("reaper\n");
}

/* A group of three: each is reached, each answers. */
static void groups(void)
{
	pid_t first = 0, pid;
	int ready[2], status;
	char byte;

	EXPECT(pipe(ready) == 0);
	for (int i = 0; i < 3; i++) {
		sigset_t old;

		catch(SIGUSR1, 0);
		block(SIGUSR1, &old);
		pid = fork();
		if (pid == 0) {
			EXPECT(setpgid(0, first) == 0);
			EXPECT(write(ready[1], "r", 1) == 1);
			while (n_seen == 0)
				sigsuspend(&old);
			_exit(n_seen);
		}
		EXPECT(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
		EXPECT(read(ready[0], &byte, 1) == 1);
		first = first ? first : pid;
	}
	EXPECT(getpgid(pid) == first && getpgid(0) != first);
	EXPECT(kill(-first, SIGUSR1) == 0);
	for (int i = 0; i < 3; i++)
		EXPECT(waitpid(-first, &status, 0) > 0 && WEXITSTATUS(status) == 1);
	EXPECT(waitpid(-first, &status, 0) == -1 && errno == ECHILD);
	EXPECT(killpg(first, 0) == -1 && errno == ESRCH);
	close(ready[0]);
	close(ready[1]);
	say("groups\n");
}

int main(void)
{
	unblocked();
	real_time();
	flood();
	of_timers();
	timer_threads();
	alarms();
	nested();
	jumps();
	by_descriptor();
	ignored();
	reaper();
	groups();
	return 0;
}
