/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QEMU's monitor protocol, as little of it as is needed: QEMU answers each command with one line
 * that has a member "return" or "error"; lines with "event" come in between and are skipped.
 */
#include "node/microvm.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define QMP_MS         5000
#define LINE_MAX_BYTES (256u << 10)

static int read_line(int fd, char **ret)
{
	int64_t deadline = deadline_after_ms(QMP_MS);
	cleanup_free char *line = malloc(LINE_MAX_BYTES);
	size_t len = 0;

	while (line && len < LINE_MAX_BYTES) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		const char *end;
		ssize_t n;

		if (poll(&p, 1, deadline_left_ms(deadline)) == 0)
			return -ETIMEDOUT;
		/* Peeked first: what follows the line stays for the next call. */
		n = recv(fd, line + len, LINE_MAX_BYTES - len, MSG_PEEK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		end = memchr(line + len, '\n', (size_t)n);
		n = recv(fd, line + len, end ? (size_t)(end - line) - len + 1 : (size_t)n, 0);
		if (n <= 0)
			return -EPIPE;
		len += (size_t)n;
		if (end) {
			line[len - 1] = 0;
			*ret = take_ptr(&line);
			return 0;
		}
	}
	return line ? -EPROTO : -ENOMEM;
}

/* The value of a top-level answer: 0 and the line, -EIO when it is an error. */
static int read_answer(int fd, char **ret)
{
	for (;;) {
		cleanup_free char *line = NULL;
		int r = read_line(fd, &line);

		if (r < 0)
			return r;
		if (!strncmp(line, "{\"error\"", 8)) {
			log_debug("QEMU: %s", line);
			return -EIO;
		}
		if (!strncmp(line, "{\"return\"", 9)) {
			*ret = take_ptr(&line);
			return 0;
		}
	}
}

static int send_text(int fd, const char *text)
{
	size_t n = strlen(text);

	while (n) {
		ssize_t w = send(fd, text, n, MSG_NOSIGNAL);

		if (w < 0 && errno != EINTR)
			return -errno;
		if (w > 0) {
			text += w;
			n -= (size_t)w;
		}
	}
	return 0;
}

static int command(int fd, const char *text)
{
	cleanup_free char *answer = NULL;
	int r = send_text(fd, text);

	return r < 0 ? r : read_answer(fd, &answer);
}

int qmp_open(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	strcpy(un.sun_path, path);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return -errno;
	r = command(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	return r < 0 ? r : take_fd(&fd);
}

/* Undoes JSON's escapes in place, up to the closing quote. Monitor output is ASCII. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s && *s != '"'; s++) {
		char c = *s;

		if (c == '\\' && s[1]) {
			c = *++s;
			if (c == 'n')
				c = '\n';
			else if (c == 'r')
				continue;
			else if (c == 't')
				c = '\t';
		}
		*to++ = c;
	}
	*to = 0;
}

int qmp_human(int fd, const char *line, char **ret_output)
{
	static const char head[] = "{\"return\": \"";
	cleanup_free char *text = NULL, *answer = NULL;
	int r;

	/* Commands are ours: no quote and no backslash in them. */
	if (asprintf(&text,
		     "{\"execute\":\"human-monitor-command\","
		     "\"arguments\":{\"command-line\":\"%s\"}}\n",
		     line) < 0)
		return -ENOMEM;
	r = send_text(fd, text);
	if (r == 0)
		r = read_answer(fd, &answer);
	if (r < 0)
		return r;
	if (strncmp(answer, head, sizeof(head) - 1))
		return -EPROTO;
	memmove(answer, answer + sizeof(head) - 1, strlen(answer + sizeof(head) - 1) + 1);
	unescape(answer);
	*ret_output = take_ptr(&answer);
	return 0;
}

int qmp_quit(int fd)
{
	return command(fd, "{\"execute\":\"quit\"}\n");
}
