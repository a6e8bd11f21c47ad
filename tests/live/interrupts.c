/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal in every call that may wait: EINTR without SA_RESTART; with it the call begins anew, or returns
 * EINTR all the same where signal(7) says so. The handler itself makes the calls that end the waiting.
 */
#include "live.h"

#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>

static volatile sig_atomic_t got, restarting;
static void (*volatile finish)(void);

/* Only what the second signal does ends a call that begins anew. */
static void handler(int signal)
{
	(void)signal;
	if (++got == 2 && restarting)
		finish();
}

/* A signal that comes before the call is of no use, so the timer goes on until the call has ended: how
 * many come is for the machine to say. */
static void start(bool restart, void (*finish_it)(void))
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = restart ? SA_RESTART : 0 };
	struct itimerval t = { { 0, 30000 }, { 0, 30000 } };

	got = 0;
	restarting = restart;
	finish = finish_it;
	EXPECT(sigaction(SIGALRM, &sa, NULL) == 0);
	EXPECT(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

static void stop(void)
{
	struct itimerval off = { 0 };

	EXPECT(setitimer(ITIMER_REAL, &off, NULL) == 0);
}

static void nothing(void)
{
}

#define INTERRUPTED(call)                                                                          \
	do {                                                                                       \
		for (int restart_ = 0; restart_ < 2; restart_++) {                                 \
			start(restart_, nothing);                                                  \
			EXPECT((call) == -1 && errno == EINTR && got >= 1);                        \
			stop();                                                                    \
		}                                                                                  \
		say(#call "\n");                                                                   \
	} while (0)

#define RESTARTED(prepare, call, end, result)                                                      \
	do {                                                                                       \
		prepare;                                                                           \
		start(false, nothing);                                                             \
		EXPECT((call) == -1 && errno == EINTR && got >= 1);                                \
		stop();                                                                            \
		start(true, end);                                                                  \
		EXPECT((call) == (result) && got >= 2);                                            \
		stop();                                                                            \
		say(#call "\n");                                                                   \
	} while (0)

static int fds[2], sockets[2], listener, lock_fd, ep, child_pipe[2];
static struct sockaddr_un name = { .sun_family = AF_UNIX };
static char byte, lock_path[64];
static pid_t child;
static uint32_t word;

static void fill_pipe(void)
{
	EXPECT(write(fds[1], "x", 1) == 1);
}

static void fill_socket(void)
{
	EXPECT(write(sockets[1], "x", 1) == 1);
}

static void connect_listener(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	EXPECT(connect(s, (struct sockaddr *)&name, sizeof(sa_family_t) + 20) == 0);
	close(s);
}

static int accept_one(void)
{
	int s = accept(listener, NULL, NULL);

	return s < 0 ? -1 : close(s) + 1;
}

static void release_child(void)
{
	EXPECT(write(child_pipe[1], "x", 1) == 1);
}

static void wake(void)
{
	word = 1;
	syscall(SYS_futex, &word, FUTEX_WAKE, 1);
}

static void make_child(bool locks)
{
	EXPECT(pipe(child_pipe) == 0);
	child = fork();
	EXPECT(child >= 0);
	if (child == 0) {
		int fd = locks ? open(lock_path, O_RDWR) : 0;

		/* Its end lets go of the lock. */
		EXPECT(!locks || flock(fd, LOCK_EX) == 0);
		EXPECT(write(fds[1], "l", 1) == 1);
		EXPECT(read(child_pipe[0], &byte, 1) == 1);
		_exit(0);
	}
	EXPECT(read(fds[0], &byte, 1) == 1 && byte == 'l');
}

static void fill_until_full(int fd)
{
	char block[4096] = "";

	EXPECT(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	EXPECT(fcntl(fd, F_SETFL, 0) == 0);
}

static void drain_pipe(void)
{
	char block[4096];

	EXPECT(read(fds[0], block, sizeof(block)) == sizeof(block));
}

static void transfers(void)
{
	struct msghdr m = { .msg_iov = &(struct iovec){ &byte, 1 }, .msg_iovlen = 1 };
	char block[4096] = "";

	RESTARTED(, read(fds[0], &byte, 1), fill_pipe, 1);
	RESTARTED(, recvmsg(sockets[0], &m, 0), fill_socket, 1);
	RESTARTED(, recv(sockets[0], &byte, 1, 0), fill_socket, 1);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(name.sun_path + 1, 20, "chiral-live-%d", getpid());
	EXPECT(bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t) + 20) == 0);
	EXPECT(listen(listener, 5) == 0);
	RESTARTED(, accept_one(), connect_listener, 1);
	RESTARTED(fill_until_full(fds[1]), write(fds[1], block, sizeof(block)), drain_pipe,
		  (ssize_t)sizeof(block));
	close(fds[0]);
	close(fds[1]);
	EXPECT(pipe(fds) == 0);
}

static void processes(void)
{
	int status;

	RESTARTED(make_child(false), wait4(child, &status, 0, NULL), release_child, child);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	RESTARTED(make_child(false), waitid(P_PID, (id_t)child, NULL, WEXITED), release_child, 0);
	snprintf(lock_path, sizeof(lock_path), "/tmp/chiral-live-%d", getpid());
	lock_fd = open(lock_path, O_RDWR | O_CREAT | O_EXCL, 0600);
	EXPECT(lock_fd >= 0);
	RESTARTED(make_child(true), flock(lock_fd, LOCK_EX), release_child, 0);
	EXPECT(wait(&status) == child && status == 0);
	EXPECT(unlink(lock_path) == 0);
	close(lock_fd);
}

static void waits(void)
{
	struct timespec t = { 5, 0 }, left;
	struct pollfd p = { fds[0], POLLIN, 0 };
	struct epoll_event e = { .events = EPOLLIN };
	struct timeval tv = { 5, 0 };
	sigset_t none, usr1;
	siginfo_t info;
	fd_set set;

	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	ep = epoll_create1(0);
	EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e) == 0);
	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	INTERRUPTED(poll(&p, 1, 5000));
	INTERRUPTED(ppoll(&p, 1, &t, &none));
	INTERRUPTED(select(fds[0] + 1, &set, NULL, NULL, &tv));
	INTERRUPTED(pselect(fds[0] + 1, &set, NULL, NULL, &t, &none));
	INTERRUPTED(epoll_wait(ep, &e, 1, 5000));
	INTERRUPTED(epoll_pwait(ep, &e, 1, 5000, &none));
	INTERRUPTED(nanosleep(&t, &left));
	INTERRUPTED(pause());
	INTERRUPTED(sigsuspend(&none));
	INTERRUPTED(sigtimedwait(&usr1, &info, &t));
	INTERRUPTED(sigwaitinfo(&usr1, &info));
	close(ep);
}

static mqd_t queue;

static void fill_queue(void)
{
	EXPECT(mq_send(queue, "x", 1, 0) == 0);
}

static void queues(void)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 1 };
	char name_of_queue[32];

	snprintf(name_of_queue, sizeof(name_of_queue), "/chiral-live-%d", getpid());
	queue = mq_open(name_of_queue, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	EXPECT(queue >= 0);
	EXPECT(mq_unlink(name_of_queue) == 0);
	RESTARTED(, mq_receive(queue, &byte, 1, NULL), fill_queue, 1);
	mq_close(queue);
}

static void futexes(void)
{
	struct timespec t = { 5, 0 };

	word = 0;
	RESTARTED(, syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL), wake, -1);
	EXPECT(errno == EAGAIN || errno == EINTR);
	word = 0;
	INTERRUPTED(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t));
}

int main(void)
{
	EXPECT(pipe(fds) == 0);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	transfers();
	processes();
	queues();
	waits();
	futexes();
	return 0;
}
