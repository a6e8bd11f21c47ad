/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link.h"

#include "base/clock.h"
#include "link/framing.h"
#include "link/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct link {
	int fd;
	bool is_socket;
	int read_failed;  /* -errno that link_recv() returns for good */
	int write_failed; /* -errno that link_send() and link_flush() return for good */
	size_t queue_max;
	int64_t heard_at;
	struct framing in;
	struct buffer out;
	char *peer;
	char error[320];
};

int link_fail(struct link *l, int err, const char *fmt, ...)
{
	size_t n = (size_t)snprintf(l->error, sizeof(l->error), "%.128s ", l->peer);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->error + n, sizeof(l->error) - n, fmt, ap);
	va_end(ap);
	return err;
}

int link_break(struct link *l, int err)
{
	l->read_failed = l->write_failed = err;
	return err;
}

void link_set_rule(struct link *l, const struct framing_rule *rule)
{
	l->in.rule = rule;
}

int link_new(int fd, const char *peer, struct link **ret)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;
	struct link *l;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fstat(fd, &st) < 0)
		return -errno;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->peer = strdup(peer);
	if (!l->peer) {
		free(l);
		return -ENOMEM;
	}
	l->fd = fd;
	l->is_socket = S_ISSOCK(st.st_mode);
	framing_init(&l->in, &framing_rule_any);
	link_set_queue_max(l, LINK_QUEUE_MAX);
	*ret = l;
	return 0;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	close(l->fd);
	framing_free(&l->in);
	buffer_free(&l->out);
	free(l->peer);
	free(l);
}

int link_fd(const struct link *l)
{
	return l->fd;
}

const char *link_peer(const struct link *l)
{
	return l->peer;
}

const char *link_error(const struct link *l)
{
	return l->error;
}

size_t link_queued(const struct link *l)
{
	return buffer_len(&l->out);
}

void link_set_queue_max(struct link *l, size_t bytes)
{
	l->queue_max = bytes;
	/* With a third to spare a full block has a quarter free at its start: see buffer_reserve(). */
	l->out.limit = bytes + bytes / 3 + FRAME_HEADER_SIZE;
}

/* ---- sending --------------------------------------------------------------------------------- */

int link_send(struct link *l, enum frame_type type, const void *body, size_t len)
{
	size_t queued = link_queued(l), size = FRAME_HEADER_SIZE + len;
	uint8_t *to;

	if (l->write_failed)
		return l->write_failed;
	if (len > FRAME_MAX)
		return -EMSGSIZE;
	if (queued + size > l->queue_max)
		return link_fail(l, -ENOBUFS, "has stopped reading: %zu bytes wait for it", queued);
	if (buffer_reserve(&l->out, size) < 0)
		return link_fail(l, -ENOMEM, "cannot be sent %zu bytes: out of memory", len);
	to = l->out.data + l->out.tail;
	framing_put_header(to, type, len);
	if (len)
		memcpy(to + FRAME_HEADER_SIZE, body, len);
	l->out.tail += size;
	return 0;
}

static ssize_t write_some(const struct link *l)
{
	const uint8_t *p = buffer_at(&l->out);
	size_t n = buffer_len(&l->out);

	return l->is_socket ? send(l->fd, p, n, MSG_NOSIGNAL) : write(l->fd, p, n);
}

int link_flush(struct link *l)
{
	if (l->write_failed)
		return l->write_failed;
	while (link_queued(l)) {
		ssize_t n = write_some(l);

		if (n >= 0) {
			buffer_take(&l->out, (size_t)n);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN)
			return 0;
		/* What the peer sent before it went (an ERROR, a VERDICT) can still be read. */
		l->write_failed = -EPIPE;
		return link_fail(l, -EPIPE, "cannot be written to: %s", strerror(errno));
	}
	buffer_trim(&l->out);
	return 1;
}

/* Waits for events; what poll(2) reports, -ETIMEDOUT or -errno. */
static int wait_for(const struct link *l, short events, int64_t deadline)
{
	struct pollfd p = { .fd = l->fd, .events = events };

	for (;;) {
		int left = deadline_left_ms(deadline);
		int n = poll(&p, 1, left);

		if (n > 0)
			return p.revents;
		if (n == 0 && left == 0)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

int link_drain(struct link *l, int timeout_ms)
{
	int64_t deadline = deadline_after_ms(timeout_ms);

	for (;;) {
		int r = link_flush(l);

		if (r)
			return r < 0 ? r : 0;
		r = wait_for(l, POLLOUT, deadline);
		if (r < 0)
			return link_fail(l, r, "does not read: %zu bytes still wait for it",
					 link_queued(l));
		/* A virtio-serial port whose host side went answers writes with EAGAIN. */
		if (!(r & POLLOUT)) {
			l->write_failed = -EPIPE;
			return link_fail(l, -EPIPE, "closed the connection");
		}
	}
}

/* ---- receiving ------------------------------------------------------------------------------- */

static int ended(struct link *l)
{
	if (framing_inside(&l->in)) {
		link_fail(l, 0, "closed the connection inside a frame");
		return link_break(l, -EPROTO);
	}
	link_fail(l, 0, "closed the connection");
	return link_break(l, -EPIPE);
}

/* 1: bytes came, 0: there are none now, -errno. */
static int read_some(struct link *l)
{
	struct buffer *b = &l->in.in;

	for (;;) {
		ssize_t n = read(l->fd, b->data + b->tail, buffer_room(b));

		if (n > 0) {
			b->tail += (size_t)n;
			l->heard_at = time_now_ms();
			return 1;
		}
		if (n == 0)
			return ended(l);
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN)
			return 0;
		link_fail(l, 0, "cannot be read from: %s", strerror(errno));
		return link_break(l, -EPIPE);
	}
}

int64_t link_heard_at(const struct link *l, int64_t known)
{
	return l->heard_at > known ? l->heard_at : known;
}

int link_recv(struct link *l, struct frame *ret)
{
	char why[160];
	int r;

	if (l->read_failed)
		return l->read_failed;
	for (;;) {
		r = framing_next(&l->in, ret, why, sizeof(why));
		if (r == -EPROTO)
			link_fail(l, r, "sent %s", why);
		else if (r < 0)
			link_fail(l, r, "sent more than there is memory for");
		if (r < 0)
			return link_break(l, r);
		if (r > 0)
			return 1;
		r = read_some(l);
		if (r <= 0)
			return r;
	}
}

int link_recv_wait(struct link *l, int timeout_ms, struct frame *ret)
{
	int64_t deadline = deadline_after_ms(timeout_ms);

	for (;;) {
		int r = link_recv(l, ret);
		bool writable;

		if (r)
			return r;
		/* A peer that cannot be written to any more may still have something to say. */
		writable = !l->write_failed && link_flush(l) == 0;
		r = wait_for(l, writable ? POLLIN | POLLOUT : POLLIN, deadline);
		if (r < 0)
			return link_fail(l, r, "said nothing for %d ms", timeout_ms);
	}
}
