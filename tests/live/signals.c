/* SPDX-License-Identifier: Apache-2.0 */
/* Signals at every moment: in user code, at a call, in a call that waits, with masks of its own. */
#include "live.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>

static volatile sig_atomic_t got, got_child, got_value;

static void handler(int signal)
{
	if (signal == SIGCHLD)
		got_child++;
	else
		got++;
}

static void info_handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	got_value = info->si_pid == getpid() ? 1 : 2;
}

static void install(int signal, int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	EXPECT(sigaction(signal, &sa, NULL) == 0);
}

static void timer(long ms)
{
	struct itimerval t = { .it_value = { ms / 1000, ms % 1000 * 1000 } };

	EXPECT(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

static void of_its_own(void)
{
	struct sigaction sa = { .sa_sigaction = info_handler, .sa_flags = SA_SIGINFO };

	install(SIGUSR1, 0);
	got = 0;
	for (int i = 0; i < 20; i++)
		raise(SIGUSR1);
	EXPECT(got == 20);
	EXPECT(sigaction(SIGUSR2, &sa, NULL) == 0);
	EXPECT(kill(getpid(), SIGUSR2) == 0);
	EXPECT(got_value == 1);
	say("of its own\n");
}

static void interrupted(void)
{
	int fds[2];
	char byte;

	EXPECT(pipe(fds) == 0);
	install(SIGALRM, 0);
	got = 0;
	timer(30);
	EXPECT(read(fds[0], &byte, 1) == -1 && errno == EINTR && got == 1);
	timer(30);
	EXPECT(poll(NULL, 0, 5000) == -1 && errno == EINTR && got == 2);
	timer(30);
	EXPECT(pause() == -1 && errno == EINTR && got == 3);
	close(fds[0]);
	close(fds[1]);
	say("interrupted\n");
}

static void restarted(void)
{
	int fds[2];
	char byte = 0;

	EXPECT(pipe(fds) == 0);
	install(SIGALRM, SA_RESTART);
	got = 0;
	timer(30);
	if (fork() == 0) {
		pause_ms(120);
		_exit(write(fds[1], "r", 1) != 1);
	}
	EXPECT(read(fds[0], &byte, 1) == 1 && byte == 'r' && got == 1);
	EXPECT(wait(NULL) > 0);
	close(fds[0]);
	close(fds[1]);
	say("restarted\n");
}

static void slept(void)
{
	struct timespec t = { 100, 0 }, left = { 0 };

	install(SIGALRM, SA_RESTART);
	timer(30);
	EXPECT(nanosleep(&t, &left) == -1 && errno == EINTR && left.tv_sec > 50 && left.tv_sec < 100);
	say("slept\n");
}

/* The pattern of shells and of timeout(1): blocked everywhere but in the wait. */
static void masked(void)
{
	sigset_t block, none, old;
	struct timespec t = { 5, 0 };
	struct epoll_event e;
	struct pollfd p;
	fd_set readable;
	int fds[2], ep = epoll_create1(0);

	EXPECT(pipe(fds) == 0);
	install(SIGALRM, 0);
	install(SIGCHLD, 0);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	sigaddset(&block, SIGCHLD);
	EXPECT(sigprocmask(SIG_BLOCK, &block, &old) == 0);

	got_child = 0;
	if (fork() == 0)
		_exit(0);
	pause_ms(30);
	EXPECT(got_child == 0);
	EXPECT(sigsuspend(&none) == -1 && errno == EINTR && got_child == 1);
	EXPECT(wait(NULL) > 0);
	say("sigsuspend\n");

	got = 0;
	timer(20);
	EXPECT(sigsuspend(&none) == -1 && errno == EINTR && got == 1);
	timer(20);
	p = (struct pollfd){ fds[0], POLLIN, 0 };
	EXPECT(ppoll(&p, 1, &t, &none) == -1 && errno == EINTR && got == 2);
	say("ppoll\n");
	timer(20);
	FD_ZERO(&readable);
	FD_SET(fds[0], &readable);
	EXPECT(pselect(fds[0] + 1, &readable, NULL, NULL, &t, &none) == -1 && errno == EINTR &&
	       got == 3);
	say("pselect\n");
	e = (struct epoll_event){ .events = EPOLLIN };
	EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e) == 0);
	timer(20);
	EXPECT(epoll_pwait(ep, &e, 1, 5000, &none) == -1 && errno == EINTR && got == 4);
	say("epoll_pwait\n");
	/* The mask is the old one again: nothing comes now. */
	timer(20);
	pause_ms(60);
	EXPECT(got == 4);
	EXPECT(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	EXPECT(getppid() > 0 && got == 5);
	close(ep);
	close(fds[0]);
	close(fds[1]);
	signal(SIGCHLD, SIG_DFL);
	say("masked\n");
}

static void waited_for(void)
{
	struct signalfd_siginfo read_info;
	siginfo_t info;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	timer(20);
	EXPECT(sigwaitinfo(&set, &info) == SIGALRM);
	fd = signalfd(-1, &set, 0);
	timer(20);
	EXPECT(read(fd, &read_info, sizeof(read_info)) == sizeof(read_info));
	EXPECT(read_info.ssi_signo == SIGALRM);
	close(fd);
	EXPECT(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	say("waited for\n");
}

/* A signal every few milliseconds while calls of all kinds are made. */
static void rain(void)
{
	struct itimerval t = { { 0, 3000 }, { 0, 3000 } };
	int fds[2], null = open("/dev/null", O_WRONLY);

	EXPECT(pipe(fds) == 0);
	install(SIGALRM, SA_RESTART);
	got = 0;
	EXPECT(setitimer(ITIMER_REAL, &t, NULL) == 0);
	for (int i = 0; i < 300 || got < 10; i++) {
		char byte = (char)i, back;

		EXPECT(write(fds[1], &byte, 1) == 1);
		EXPECT(read(fds[0], &back, 1) == 1 && back == byte);
		if (i % 50 == 0 && fork() == 0)
			_exit(0);
		EXPECT(write(null, &byte, 1) == 1);
	}
	timer(0);
	while (wait(NULL) > 0)
		;
	close(fds[0]);
	close(fds[1]);
	close(null);
	say("rain\n");
}

static void reset(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		install(SIGUSR1, SA_RESETHAND);
		raise(SIGUSR1);
		raise(SIGUSR1);
		_exit(1);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGUSR1);
	say("reset\n");
}

static void fault_handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	_exit(info->si_code == SEGV_MAPERR ? 7 : 8);
}

static void handled_fault(void)
{
	struct sigaction sa = { .sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		EXPECT(sigaction(SIGSEGV, &sa, NULL) == 0);
		*(volatile int *)8 = 1;
	}
	EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
	say("handled fault\n");
}

int main(void)
{
	of_its_own();
	interrupted();
	restarted();
	slept();
	masked();
	waited_for();
	rain();
	reset();
	handled_fault();
	return 0;
}
