/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node of a program that moves, whose other process is on the hub's machine: its process, its pager, in
 * the process of one connection.
 */
#include "mtd/serve.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "session/peer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define OUTPUT_AHEAD (1u << 20)	/* bytes on their way to the hub beside which the program's output waits */

static int give_up(struct link *l, const char *text)
{
	struct writer w = { 0 };

	error_encode(&w, EXIT_OWN_FAILURE, text);
	if (!w.failed && link_send(l, FRAME_ERROR, w.data, w.len) == 0)
		link_drain(l, PEER_TIMEOUT_MS);
	writer_free(&w);
	return EXIT_OWN_FAILURE;
}

/* ---- until the end --------------------------------------------------------------------------- */

/* r: what one of the pager's functions returned. */
static int after_pager(struct side *o, int r)
{
	if (r == -EPIPE)	/* the program has ended, or will at once */
		o->silent = true;
	return r == -EPIPE ? 0 : r;
}

static int on_points(struct side *o, const struct frame *f)
{
	const void *config;
	size_t size;
	int r = mtd_points_decode(f->body, f->len, &config, &size);

	if (r == 0)
		r = mtd_config_change(&o->config, config, size);
	return r < 0 ? log_errno(-r, "%s sent points that are not this program's", link_peer(o->link)) : 0;
}

static int on_signal(struct side *o, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	uint32_t signal = get_u32(&r);

	if (!reader_done(&r) || signal < 1 || signal >= _NSIG)
		return -EPROTO;
	kill(o->pager.pid, (int)signal);
	return 0;
}

/* What the hub says to the program, which is its user's: at home only. */
static int on_home_frame(struct side *o, const struct frame *f)
{
	if (o->pager.home && f->type == FRAME_STDIO)
		return stdio_node_receive(&o->stdio, o->link, f);
	return o->pager.home && f->type == FRAME_SIGNAL ? on_signal(o, f) : -EPROTO;
}

static int on_frame(struct side *o, const struct frame *f)
{
	int r;

	o->heard_at = time_now_ms();
	switch (f->type) {
	case FRAME_MOVE:
		return o->silent ? 0 : after_pager(o, pager_receive(&o->pager, f));
	case FRAME_MOVE_POINTS:
		return on_points(o, f);
	case FRAME_HEARTBEAT:
		return 0;
	default:
		r = on_home_frame(o, f);
		if (r == -EPROTO)
			log_error("%s sent a %s frame that has no place here", link_peer(o->link),
				  frame_type_name(f->type));
		return r;
	}
}

static int read_link(struct side *o)
{
	struct frame f;
	int r;

	while ((r = link_recv(o->link, &f)) == 1) {
		r = on_frame(o, &f);
		if (r < 0)
			return r;
	}
	return r;
}

static int beat(struct side *o)
{
	int64_t now = time_now_ms();

	if (now - o->heard_at > PEER_TIMEOUT_MS) {
		log_error("%s said nothing for %d s", link_peer(o->link), PEER_TIMEOUT_MS / 1000);
		return -ETIMEDOUT;
	}
	if (now - o->said_at < HEARTBEAT_INTERVAL_MS)
		return 0;
	o->said_at = now;
	return link_send(o->link, FRAME_HEARTBEAT, NULL, 0);
}

enum { POLL_PROGRAM, POLL_FAULTS, POLL_STDIN, POLL_STDOUT, POLL_STDERR, POLL_LINK, POLL_END, _POLL_MAX };

static void fill_poll(struct side *o, struct pollfd *p)
{
	bool out = link_queued(o->link) < OUTPUT_AHEAD;

	pager_fds(&o->pager, p);
	if (o->silent)
		p[POLL_PROGRAM].fd = p[POLL_FAULTS].fd = -1;
	p[POLL_STDIN] = (struct pollfd){ o->stdio.n_waiting ? o->stdio.fd[0] : -1, POLLOUT, 0 };
	p[POLL_STDOUT] = (struct pollfd){ out ? o->stdio.fd[1] : -1, POLLIN, 0 };
	p[POLL_STDERR] = (struct pollfd){ out ? o->stdio.fd[2] : -1, POLLIN, 0 };
	p[POLL_LINK] = (struct pollfd){ link_fd(o->link), POLLIN, 0 };
	p[POLL_END] = (struct pollfd){ o->pidfd, POLLIN, 0 };
	if (link_queued(o->link))
		p[POLL_LINK].events |= POLLOUT;
}

static void serve_streams(struct side *o, const struct pollfd *p)
{
	if (p[POLL_STDIN].revents)
		stdio_node_write(&o->stdio, o->link);
	for (int i = 1; i < 3; i++)
		if (p[POLL_STDIN + i].revents)
			stdio_node_read(&o->stdio, o->link, i);
}

static int step(struct side *o)
{
	struct pollfd p[_POLL_MAX];
	int r;

	fill_poll(o, p);
	if (poll(p, ARRAY_SIZE(p), HEARTBEAT_INTERVAL_MS) < 0 && errno != EINTR)
		return -errno;
	if (p[POLL_END].revents) {	/* what it said last comes first */
		o->ended = true;
		p[POLL_PROGRAM].revents = POLLIN;
	}
	r = o->silent ? 0 : after_pager(o, pager_serve(&o->pager, p));
	serve_streams(o, p);
	if (r == 0)
		r = read_link(o);
	if (r == 0)
		r = beat(o);
	return r < 0 || link_flush(o->link) >= 0 ? r : -EPIPE;
}

static int run(struct side *o)
{
	uint32_t status;
	int r = 0, wait_status = 0;

	o->heard_at = o->said_at = time_now_ms();
	while (!o->ended && r == 0)
		r = step(o);
	if (!o->ended)
		kill(o->pager.pid, SIGKILL);
	waitpid(o->pager.pid, &wait_status, 0);
	stdio_node_drain(&o->stdio, o->link);
	status = (uint32_t)wait_status;
	if (o->ended && link_send(o->link, FRAME_EXITED, &status, sizeof(status)) == 0)
		link_drain(o->link, PEER_TIMEOUT_MS);
	else if (r < 0 && r != -EPIPE)
		give_up(o->link, "cannot keep the memory of the program that moves; see the node's log");
	return r < 0;
}

static int serve(struct side *o, const struct mtd_start *s)
{
	struct shipped file = { 0 };
	char why[320] = "its process cannot be started there; see the node's log";
	uint32_t how;
	int r = side_receive_file(o->link, &file);

	if (r == 0)
		r = side_start(o, s, file.path);
	if (r == 0)
		r = pager_begin(&o->pager, s->home ? MTD_HOW_UFFD : s->how, why, sizeof(why));
	/* It has been executed. */
	shipped_remove(&file);
	if (r < 0) {
		side_log_errors(o);
		return give_up(o->link, why);
	}
	how = o->pager.how;
	r = link_send(o->link, FRAME_STARTED, &how, sizeof(how));
	return r < 0 ? EXIT_PEER_LOST : run(o);
}

int mtd_serve(struct link *l, const struct frame *start)
{
	struct side o = { .link = l, .stdio.fd = { -1, -1, -1 }, .pidfd = -1, .config = MTD_NO_CONFIG_FILE,
			   .pager = { .memory = -1, .program = -1, .faults = -1 } };
	struct mtd_start s;
	struct writer config = { 0 };
	int r;

	if (mtd_start_decode(start->body, start->len, &s) < 0)
		return give_up(l, "it was asked for a program that moves in a form that it does not know");
	/* The frame's body ends with the next frame. */
	put_bytes(&config, s.config, s.config_size);
	s.config = config.data;
	signal(SIGPIPE, SIG_IGN);
	r = config.failed ? give_up(l, "out of memory") : serve(&o, &s);
	writer_free(&config);
	exec_request_free(&s.program);
	if (o.pager.pid > 0 && !o.ended)
		kill(o.pager.pid, SIGKILL);
	pager_free(&o.pager);
	mtd_config_unshare(&o.config);
	stdio_node_close(&o.stdio);
	cleanup_close_fn(&o.pidfd);
	return r;
}
