/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The benign twin of leakd: on request it sends what a program may well know about itself and what
 * differs between two nodes unless it is replicated: "pid", "fd", "time", "uname", "random", "cwd",
 * "file" (/etc/hostname), "port". The two variants must send the same. Anything else is echoed.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static int samed_file(char *text, size_t size)
{
	int fd = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return snprintf(text, size, "%s\n", strerror(errno));
	n = read(fd, text, size);
	close(fd);
	return n < 0 ? 0 : (int)n;
}

static int samed_port(int fd, char *text, size_t size)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0)
		return snprintf(text, size, "%s\n", strerror(errno));
	return snprintf(text, size, "%u\n", ntohs(sa.sin_port));
}

/* Arguments are evaluated in an order that compilers choose: calls must not be among them. */
static int samed_pids(char *text, size_t size)
{
	int pid = (int)getpid();
	int parent = (int)getppid();

	return snprintf(text, size, "%d %d\n", pid, parent);
}

static int samed_time(char *text, size_t size)
{
	struct timespec now;
	struct timespec up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_MONOTONIC, &up);
	return snprintf(text, size, "%lld.%09ld %lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec,
			(long long)up.tv_sec, up.tv_nsec);
}

static int samed_uname(char *text, size_t size)
{
	struct utsname u;

	if (uname(&u) < 0)
		return 0;
	return snprintf(text, size, "%s %s %s\n", u.nodename, u.release, u.machine);
}

static int samed_random(char *text, size_t size)
{
	unsigned long long r = 0;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		return 0;
	return snprintf(text, size, "%016llx\n", r);
}

static int samed_answer(int fd, const char *request, size_t len)
{
	char text[512];
	int n;

	if (!strncmp(request, "pid", 3))
		n = samed_pids(text, sizeof(text));
	else if (!strncmp(request, "fd", 2))
		n = snprintf(text, sizeof(text), "%d\n", fd);
	else if (!strncmp(request, "time", 4))
		n = samed_time(text, sizeof(text));
	else if (!strncmp(request, "uname", 5))
		n = samed_uname(text, sizeof(text));
	else if (!strncmp(request, "random", 6))
		n = samed_random(text, sizeof(text));
	else if (!strncmp(request, "cwd", 3))
		n = snprintf(text, sizeof(text), "%s\n", getcwd(text + 256, 255) ? text + 256 : "?");
	else if (!strncmp(request, "file", 4))
		n = samed_file(text, sizeof(text));
	else if (!strncmp(request, "port", 4))
		n = samed_port(fd, text, sizeof(text));
	else
		return server_send(fd, request, len);
	return server_send(fd, text, (size_t)n);
}

int server_read_request(int fd)
{
	char buf[64];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0)
		return -1;
	buf[n] = '\0';
	return samed_answer(fd, buf, (size_t)n) < 0 ? -1 : 1;
}

int main(int argc, char **argv)
{
	return server_main(argc, argv);
}
