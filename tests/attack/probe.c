/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What inputs of every length do to a server that runs without Chiral: the truth that the tests of the
 * alarms compare with. Runs on the node itself (the microVM has no Python).
 *
 *	probe SERVER FIRST_PORT FROM TO
 *
 * For each length a fresh server gets that many bytes 'A', then "ok" on the same connection. One line
 * each: LENGTH REPLY SECOND END, where REPLY and SECOND are "echo" or "changed" and END is "alive",
 * "exit:N" or "signal:N".
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_MS 1500	/* a server that says nothing for so long has changed its behaviour */
#define PAUSE_MS 60	/* arm64 meets its overwritten return address a call later than x86-64 */
#define DEATH_MS 150

static void sleep_ms(long ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static pid_t probe_start(const char *server, const char *port)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(server, server, "127.0.0.1", port, NULL);
		_exit(127);
	}
	return pid;
}

static int probe_connect(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < 500; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
			return fd;
		close(fd);
		sleep_ms(10);
	}
	return -1;
}

/* Whether exactly these bytes come back. */
static bool probe_echo(int fd, const char *data, size_t len)
{
	char reply[256];
	size_t got = 0;

	if (send(fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
		return false;
	while (got < len) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, SILENCE_MS) <= 0)
			return false;
		n = recv(fd, reply + got, sizeof(reply) - got, 0);
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return got == len && !memcmp(reply, data, len);
}

static void probe_end(pid_t pid, char *text, size_t size)
{
	int status;

	for (int i = 0; i < DEATH_MS / 10; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			if (WIFSIGNALED(status))
				snprintf(text, size, "signal:%d", WTERMSIG(status));
			else
				snprintf(text, size, "exit:%d", WEXITSTATUS(status));
			return;
		}
		sleep_ms(10);
	}
	snprintf(text, size, "alive");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: %s SERVER FIRST_PORT FROM TO\n", argv[0]);
		return 2;
	}
	for (int len = atoi(argv[3]); len <= atoi(argv[4]); len++) {
		char data[256], port[16], end[32];
		bool first, second;
		pid_t pid;
		int fd;

		if (len < 1 || len > 200)
			return 2;
		memset(data, 'A', sizeof(data));
		snprintf(port, sizeof(port), "%d", atoi(argv[2]) + len);
		pid = probe_start(argv[1], port);
		fd = probe_connect(atoi(port));
		if (pid < 0 || fd < 0) {
			fprintf(stderr, "%s: cannot start or reach %s\n", argv[0], argv[1]);
			return 1;
		}
		first = probe_echo(fd, data, (size_t)len);
		sleep_ms(PAUSE_MS);
		second = probe_echo(fd, "ok", 2);
		close(fd);
		probe_end(pid, end, sizeof(end));
		printf("%d %s %s %s\n", len, first ? "echo" : "changed", second ? "echo" : "changed",
		       end);
		fflush(stdout);
	}
	return 0;
}
