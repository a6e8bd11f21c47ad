/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for descriptors: epoll with pointers as cookies and in itself, poll, select, eventfd. */
#include "calls.h"
#include "old.h"

static struct registration {
	int number;
} one = { 1 }, two = { 2 }, three = { 3 };

static void with_epoll(void)
{
	struct epoll_event e[4], in = { .events = EPOLLIN, .data.ptr = &one };
	int ep = epoll_create1(EPOLL_CLOEXEC), outer = old_epoll_create(9), a[2], b[2];
	struct timespec none = { 0, 0 };
	sigset_t mask;

	EXPECT(ep >= 0 && outer >= 0 && fcntl(ep, F_GETFD) == FD_CLOEXEC && fcntl(outer, F_GETFD) == 0);
	EXPECT(pipe(a) == 0 && pipe(b) == 0);
	EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, a[0], &in) == 0);
	in.data.ptr = &two;
	EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, b[0], &in) == 0);
	in.data.ptr = &three;
	EXPECT(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &in) == 0);
	EXPECT(old_epoll_wait(ep, e, 4, 0) == 0 && epoll_pwait(outer, e, 4, 10, NULL) == 0);
	EXPECT(write(b[1], "x", 1) == 1);
	EXPECT(epoll_wait(outer, e, 4, -1) == 1 && e[0].data.ptr == &three);
	EXPECT(epoll_wait(ep, e, 4, 1000) == 1 && e[0].data.ptr == &two && e[0].events == EPOLLIN);
	EXPECT(write(a[1], "x", 1) == 1 && epoll_wait(ep, e, 4, 0) == 2);
	EXPECT(((struct registration *)e[0].data.ptr)->number + ((struct registration *)e[1].data.ptr)->number == 3);
	in = (struct epoll_event){ .events = EPOLLIN | EPOLLET | EPOLLONESHOT, .data.ptr = &three };
	EXPECT(epoll_ctl(ep, EPOLL_CTL_MOD, b[0], &in) == 0 && epoll_ctl(ep, EPOLL_CTL_DEL, a[0], NULL) == 0);
	sigemptyset(&mask);
	EXPECT(epoll_pwait(ep, e, 1, 0, &mask) == 1 && e[0].data.ptr == &three);
	EXPECT(syscall(SYS_epoll_pwait2, ep, e, 4, &none, NULL, 8) == 0);
	close(a[1]);
	in.data.u64 = 0x123456789abcdef0;
	EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, a[0], &in) == 0 && syscall(SYS_epoll_pwait2, ep, e, 4, NULL, NULL, 8) == 1);
	EXPECT(e[0].data.u64 == 0x123456789abcdef0 && e[0].events & EPOLLHUP);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, a[0], &in), EEXIST);
	FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, a[1], NULL), EBADF);
	FAILS(epoll_ctl(ep, EPOLL_CTL_MOD, 0x7000, &in), EBADF);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &in), EINVAL);
	FAILS(epoll_ctl(ep, 77, a[0], &in), EINVAL);
	FAILS(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, b[1], nowhere), EFAULT);
	FAILS(epoll_wait(ep, e, 0, 0), EINVAL);
	FAILS(epoll_wait(a[0], e, 1, 0), EINVAL);
	FAILS(epoll_create1(0x40), EINVAL);
	FAILS(epoll_wait(99, e, 1, 0), EBADF);
	close(a[0]);
	close(b[0]);
	close(b[1]);
	close(outer);
	close(ep);
	say("epoll_create1, epoll_create, epoll_ctl, epoll_pwait, epoll_wait, epoll_pwait2\n");
}

static void with_poll(void)
{
	struct timespec soon = { 0, 5000000 }, bad = { 0, -1 };
	struct pollfd p[3];
	sigset_t mask;
	int a[2];

	EXPECT(pipe(a) == 0);
	p[0] = (struct pollfd){ a[0], POLLIN, -1 };
	p[1] = (struct pollfd){ a[1], POLLOUT, -1 };
	p[2] = (struct pollfd){ -1, POLLIN, -1 };
	EXPECT(old_poll(p, 3, 100) == 1 && p[0].revents == 0 && p[1].revents == POLLOUT && p[2].revents == 0);
	EXPECT(write(a[1], "x", 1) == 1 && poll(p, 1, -1) == 1 && p[0].revents == POLLIN);
	p[2].fd = 99;
	EXPECT(poll(p + 2, 1, 0) == 1 && p[2].revents == POLLNVAL);
	sigfillset(&mask);
	p[1].events = POLLIN;
	EXPECT(ppoll(p + 1, 1, &soon, &mask) == 0 && ppoll(p, 2, NULL, NULL) == 1);
	EXPECT(poll(NULL, 0, 1) == 0);
	close(a[1]);
	p[0].events = 0;
	EXPECT(poll(p, 1, -1) == 1 && p[0].revents == POLLHUP);
	FAILS(ppoll(p, 1, &bad, NULL), EINVAL);
	FAILS(syscall(SYS_ppoll, nowhere, 1, NULL, NULL, 8), EFAULT);
	close(a[0]);
	say("ppoll, poll\n");
}

static void with_select(void)
{
	struct timeval soon = { 0, 3000 }, none = { 0, 0 };
	struct timespec t = { 1, 0 };
	fd_set r, w;
	int a[2], high;

	EXPECT(pipe(a) == 0 && (high = dup2(a[0], 200)) == 200);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(a[0], &r);
	FD_SET(high, &r);
	FD_SET(a[1], &w);
	EXPECT(old_select(201, &r, &w, NULL, &none) == 1 && !FD_ISSET(high, &r) && FD_ISSET(a[1], &w));
	FD_SET(high, &r);
	EXPECT(select(201, &r, NULL, NULL, &soon) == 0 && soon.tv_sec == 0 && soon.tv_usec == 0);
	EXPECT(write(a[1], "x", 1) == 1);
	FD_SET(a[0], &r);
	FD_SET(high, &r);
	EXPECT(pselect(201, &r, NULL, NULL, &t, NULL) == 2 && FD_ISSET(high, &r) && FD_ISSET(a[0], &r));
	soon.tv_usec = 2000000;
	EXPECT(old_select(0, NULL, NULL, NULL, &none) == 0);
	FD_SET(99, &r);
	FAILS(select(201, &r, NULL, NULL, &soon), EBADF);
	FAILS(select(-1, NULL, NULL, NULL, &none), EINVAL);
	FAILS(syscall(SYS_pselect6, 10, nowhere, NULL, NULL, NULL, NULL), EFAULT);
	close(high);
	close(a[0]);
	close(a[1]);
	say("pselect6, select\n");
}

static void with_eventfd(void)
{
	int fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC), sem = eventfd(2, EFD_SEMAPHORE), old = old_eventfd(7);
	uint64_t n = 4;
	char small[4];

	EXPECT(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	EXPECT(write(fd, &n, 8) == 8 && read(fd, &n, 8) == 8 && n == 7);
	FAILS(read(fd, &n, 8), EAGAIN);
	EXPECT(read(sem, &n, 8) == 8 && n == 1 && read(sem, &n, 8) == 8 && n == 1);
	EXPECT(read(old, &n, 8) == 8 && n == 7);
	FAILS(read(fd, small, 4), EINVAL);
	n = ~0ull;
	FAILS(write(fd, &n, 8), EINVAL);
	FAILS(eventfd(0, 0x10), EINVAL);
	close(fd);
	close(sem);
	close(old);
	say("eventfd2, eventfd\n");
}

void test_waiting(void)
{
	with_epoll();
	with_poll();
	with_select();
	with_eventfd();
}
