/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latencies of a program that moves, in nanoseconds. The clock is read at home, where that is a system
 * call like any other: on the other node it would be asked for over the link.
 * usage: latency switch|call|parts|pingpong|tcp N
 *	switch		N lines: half of the way there and back, each
 *	call		N lines: a system call made on the other node
 *	parts		N lines: the parts of a switch and of the run to the next one: unwind, send, rewind, draw
 *			the next count, run. Of the way back; "run" is on the other node
 *	pingpong, tcp	N lines: a 64-byte message there and back between two processes, on a socket pair or on
 *			a connection of 127.0.0.1
 */
#include "mtd/runtime/layout.h"
#include "mtd/runtime/session.h"

#include <chiral.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void print_all(const int64_t *v, int n)
{
	for (int i = 0; i < n; i++)
		printf("%lld\n", (long long)v[i]);
}

static int switches(int64_t *v, int n)
{
	for (int i = 0; i < n; i++) {
		int64_t t = now();

		if (chiral_switch() < 0 || chiral_switch() < 0)
			return 1;
		v[i] = (now() - t) / 2;
	}
	print_all(v, n);
	return 0;
}

/* Reading the clock is the call. */
static int calls(int64_t *v, int n)
{
	int64_t t;

	if (chiral_switch() < 0)
		return 1;
	t = now();
	for (int i = 0; i < n; i++) {
		int64_t u = now();

		v[i] = u - t;
		t = u;
	}
	chiral_switch();
	print_all(v, n);
	return 0;
}

/* Ticks become nanoseconds by the clock at both ends of the whole run. */
static int parts(int64_t *v, int n)
{
	enum { PARTS = 5 };
	struct mtd_control *c = (struct mtd_control *)MTD_CONTROL;
	uint64_t(*tick)[_MTD_TICK_MAX] = c->tick, begin = 0;
	int64_t t = now();
	double scale;

	c->watch = 1;
	for (int i = 0; i < n; i++) {
		int64_t *to = v + i * PARTS;

		if (chiral_switch() < 0 || chiral_switch() < 0)
			return 1;
		for (int k = 0; k < PARTS - 1; k++)
			to[k] = (int64_t)(tick[1][k + 1] - tick[1][k]);
		to[PARTS - 1] = (int64_t)(tick[1][MTD_TICK_POINT] - tick[0][MTD_TICK_DRAWN]);
		begin = begin ? begin : tick[0][MTD_TICK_POINT];
	}
	scale = (double)(now() - t) / (double)(tick[1][MTD_TICK_DRAWN] - begin);
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < PARTS; k++)
			printf("%.0f ", (double)v[i * PARTS + k] * scale);
		printf("\n");
	}
	return 0;
}

static int make_pair(int s[2], int tcp)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int one = 1, l;

	if (!tcp)
		return socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	l = socket(AF_INET, SOCK_STREAM, 0);
	s[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (l < 0 || s[0] < 0 || bind(l, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(l, 1) < 0 ||
	    getsockname(l, (struct sockaddr *)&at, &size) < 0 ||
	    connect(s[0], (struct sockaddr *)&at, sizeof(at)) < 0)
		return -1;
	s[1] = accept(l, NULL, NULL);
	close(l);
	setsockopt(s[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return s[1] < 0 ? -1 : setsockopt(s[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int ping_pong(int64_t *v, int n, int tcp)
{
	char message[64] = { 0 };
	int s[2];

	if (make_pair(s, tcp) < 0)
		return 1;
	if (fork() == 0) {
		close(s[0]);
		while (read(s[1], message, sizeof(message)) > 0)
			if (write(s[1], message, sizeof(message)) < 0)
				break;
		_exit(0);
	}
	close(s[1]);
	for (int i = 0; i < n; i++) {
		int64_t t = now();

		if (write(s[0], message, sizeof(message)) < 0 || read(s[0], message, sizeof(message)) < 0)
			return 1;
		v[i] = now() - t;
	}
	close(s[0]);
	wait(NULL);
	print_all(v, n);
	return 0;
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[2]) : 0;
	int64_t *v;

	if (n < 1 || n > 10000000)
		return 2;
	v = calloc((size_t)n * 5, sizeof(*v));	/* parts has five for each */
	if (!v)
		return 2;
	if (!strcmp(argv[1], "switch"))
		return switches(v, n);
	if (!strcmp(argv[1], "call"))
		return calls(v, n);
	if (!strcmp(argv[1], "parts"))
		return parts(v, n);
	if (!strcmp(argv[1], "pingpong") || !strcmp(argv[1], "tcp"))
		return ping_pong(v, n, argv[1][0] == 't');
	return 2;
}
