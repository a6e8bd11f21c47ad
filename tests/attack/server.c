/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_EVENTS 64

int server_client = -1;

struct connection {
	int fd;
};

static int epoll_fd = -1;
static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

int server_send(int fd, const void *buf, unsigned long len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n >= 0) {
			p += n;
			len -= (unsigned long)n;
		} else if (errno == EAGAIN) {
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };

			if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

static int server_add(int fd)
{
	struct connection *c = calloc(1, sizeof(*c));
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = c };

	if (!c)
		return -1;
	c->fd = fd;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		free(c);
		return -1;
	}
	return 0;
}

/*
 * Apart from server_main() and never inlined: on arm64 a function keeps its own return address below
 * its buffers, so what an overflow in server_read_request() reaches is the one saved here.
 */
__attribute__((noinline)) static int server_on_readable(int fd)
{
	int r;

	do
		r = server_read_request(fd);
	while (r > 0);
	return r;
}

static void server_accept(int listen_fd)
{
	for (;;) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (server_add(fd) < 0)
			close(fd);
	}
}

static int server_listen(const char *address, const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int one = 1;
	int fd;

	if (inet_pton(AF_INET, address, &sa.sin_addr) != 1 || atoi(port) <= 0)
		return -1;
	sa.sin_port = htons((uint16_t)atoi(port));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 || listen(fd, 128) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int server_main(int argc, char **argv)
{
	struct epoll_event events[MAX_EVENTS];
	struct sigaction term = { .sa_handler = on_term };
	int listen_fd;

	if (argc != 3) {
		fprintf(stderr, "usage: %s ADDRESS PORT\n", argv[0]);
		return 2;
	}
	sigaction(SIGTERM, &term, NULL);
	signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listen_fd = server_listen(argv[1], argv[2]);
	if (epoll_fd < 0 || listen_fd < 0 || server_add(listen_fd) < 0) {
		fprintf(stderr, "%s: cannot listen on %s port %s: %s\n", argv[0], argv[1], argv[2],
			strerror(errno));
		return 1;
	}
	while (!stop) {
		int n = epoll_wait(epoll_fd, events, MAX_EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (c->fd == listen_fd) {
				server_accept(listen_fd);
				continue;
			}
			server_client = c->fd;
			if (server_on_readable(c->fd) < 0) {
				close(c->fd);
				free(c);
			}
			server_client = -1;
		}
	}
	return 0;
}
