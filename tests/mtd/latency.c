/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latencies of a program that moves, in nanoseconds. The clock is read at home, where that is a system
 * call like any other: on the other node it would be asked for over the link.
 * usage: latency switch|call|pingpong N
 *	switch		N lines: half of the way there and back, each
 *	call		N lines: a system call made on the other node
 *	pingpong	N lines: a 64-byte message there and back on a socket pair, between two processes
 */
#include <chiral.h>
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

static int ping_pong(int64_t *v, int n)
{
	char message[64] = { 0 };
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
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
	v = calloc((size_t)n, sizeof(*v));
	if (!v)
		return 2;
	if (!strcmp(argv[1], "switch"))
		return switches(v, n);
	if (!strcmp(argv[1], "call"))
		return calls(v, n);
	return strcmp(argv[1], "pingpong") ? 2 : ping_pong(v, n);
}
