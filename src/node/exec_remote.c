/* SPDX-License-Identifier: Apache-2.0 */
#include "node/exec.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cli.h"
#include "session/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK (64u << 10)
/* Standard input is not read while more than this waits for the node. */
#define QUEUE_MAX    (256u << 10)
#define HANDSHAKE_MS 10000

struct remote {
	struct link *link;
	int in; /* -1 at its end */
	int out[2];
	int status; /* wait status */
};

static void cleanup_link_fn(struct link **l)
{
	link_free(*l);
}

static void cleanup_writer_fn(struct writer *w)
{
	writer_free(w);
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t r = write(fd, p, n);

		if (r > 0) {
			p += r;
			n -= (size_t)r;
		} else if (errno == EAGAIN) {
			struct pollfd w = {.fd = fd, .events = POLLOUT};

			poll(&w, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

static int stdin_read(struct remote *x)
{
	uint8_t chunk[1 + CHUNK] = {0};
	ssize_t n = read(x->in, chunk + 1, CHUNK);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) { /* an unreadable standard input is an empty one */
		x->in = -1;
		n = 0;
	}
	return link_send(x->link, FRAME_STDIO, chunk, (size_t)n + 1);
}

static int on_output(struct remote *x, const struct frame *f)
{
	int r;

	if (f->len < 2 || f->body[0] < 1 || f->body[0] > 2)
		return -EPROTO;
	r = write_all(x->out[f->body[0] - 1], f->body + 1, f->len - 1);
	return r < 0 ? log_errno(-r, "cannot write the command's output") : 0;
}

/* 1 at the command's end. */
static int on_error(struct remote *x, const struct frame *f)
{
	int status;
	cleanup_free char *text = error_decode(f->body, f->len, &status);

	log_error("%s: %s", link_peer(x->link), text ? text : "failed");
	return -EPIPE;
}

static int on_frame(struct remote *x, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);

	switch (f->type) {
	case FRAME_STDIO:
		return on_output(x, f);
	case FRAME_EXITED:
		x->status = (int)get_u32(&r);
		return reader_done(&r) ? 1 : -EPROTO;
	case FRAME_HEARTBEAT:
		return 0;
	case FRAME_ERROR:
		return on_error(x, f);
	default:
		return -EPROTO;
	}
}

static int node_read(struct remote *x)
{
	struct frame f;
	int r;

	while ((r = link_recv(x->link, &f)) > 0) {
		r = on_frame(x, &f);
		if (r == -EPROTO)
			log_error("%s sent a bad %s frame", link_peer(x->link),
				  frame_type_name(f.type));
		if (r)
			return r;
	}
	if (r < 0)
		log_error("%s; the command's end is not known", link_error(x->link));
	return r;
}

static int remote_wait(struct remote *x)
{
	bool room = link_queued(x->link) < QUEUE_MAX;
	struct pollfd p[2] = {
		{.fd = link_fd(x->link), .events = POLLIN},
		{.fd = room ? x->in : -1, .events = POLLIN},
	};
	int r;

	if (link_queued(x->link))
		p[0].events |= POLLOUT;
	if (poll(p, 2, -1) < 0 && errno != EINTR)
		return log_errno(errno, "cannot wait for the node");
	if (p[1].revents) {
		r = stdin_read(x);
		if (r < 0)
			return log_errno(-r, "cannot send standard input");
	}
	return 0;
}

/* 1 at the command's end, -errno, logged. */
static int remote_loop(struct remote *x)
{
	for (;;) {
		int r;

		/* When writing fails, what came before may still tell why: read on. */
		link_flush(x->link);
		r = node_read(x);
		if (r == 0)
			r = remote_wait(x);
		if (r)
			return r;
	}
}

static int remote_start(struct remote *x, const struct exec_request *req)
{
	cleanup(cleanup_writer_fn) struct writer w = {0};
	struct hello mine, peer;
	int r;

	hello_init(&mine, NULL);
	r = link_handshake(x->link, &mine, HANDSHAKE_MS, &peer);
	if (r < 0) {
		log_error("%s", link_error(x->link));
		return r;
	}
	exec_request_encode(&w, req);
	if (w.failed)
		return log_errno(ENOMEM, "cannot send the command");
	if (w.len > EXEC_TOTAL_MAX)
		return log_errno(E2BIG, "cannot send the command");
	return link_send(x->link, FRAME_EXEC, w.data, w.len);
}

int exec_remote(int fd, const char *peer, const struct exec_request *req, int in, int out, int err)
{
	cleanup(cleanup_link_fn) struct link *l = NULL;
	struct remote x = {.in = in, .out = {out, err}};
	int r = link_new(fd, peer, &l);

	if (r < 0) {
		close(fd);
		return log_errno(-r, "cannot use the connection to %s", peer);
	}
	x.link = l;
	r = remote_start(&x, req);
	if (r == 0 && in < 0) /* the command sees an empty standard input */
		r = link_send(l, FRAME_STDIO, "", 1);
	if (r == 0)
		r = remote_loop(&x);
	if (r < 0)
		return r;
	return WIFSIGNALED(x.status) ? 128 + WTERMSIG(x.status) : WEXITSTATUS(x.status);
}
