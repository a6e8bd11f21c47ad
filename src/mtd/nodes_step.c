/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/nodes.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* The session cannot go on. */
static void give_up(struct nodes *s, int exit_status)
{
	if (s->exit_status < 0)
		s->exit_status = exit_status;
	s->end_by = time_now_ms();
}

static void lose_peer(struct nodes *s, const char *why)
{
	if (s->ended[THERE] || s->exit_status >= 0)
		return;
	if (s->ended[s->home]) {	/* it is known what the program's end was, or never will be */
		s->end_by = time_now_ms();
		return;
	}
	log_error("%s; the program cannot go on without %s there", why,
		  s->home == THERE ? "its home" : "its pages");
	give_up(s, EXIT_PEER_LOST);
}

/* How long the rest may take when one side has ended. */
static void await_end(struct nodes *s, enum nodes_side side)
{
	if (s->end_by == INT64_MAX)
		s->end_by = deadline_after_ms(side != s->home && WIFSIGNALED(s->status[side]) ? 0 : NODES_END_MS);
}

static void on_exited(struct nodes *s, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);

	s->status[THERE] = (int)get_u32(&r);
	if (!reader_done(&r)) {
		lose_peer(s, "the other node sent a malformed EXITED frame");
		return;
	}
	s->ended[THERE] = true;
	await_end(s, THERE);
}

/* Who is not home has nothing to say on stdout, nor reads. */
static void on_stdio(struct nodes *s, const struct frame *f)
{
	bool is_stderr = f->len && f->body[0] == STDERR_FILENO;

	if ((s->home == HERE && !is_stderr) || stdio_hub_receive(&s->stdio, f) < 0)
		lose_peer(s, "the other node sent a malformed STDIO frame");
}

static void on_error(struct nodes *s, const struct frame *f)
{
	int status;
	cleanup_free char *text = error_decode(f->body, f->len, &status);

	if (!s->ended[s->home])
		log_error("%s: %s", s->peer.node, text ? text : "failed");
	lose_peer(s, "the other node gave up");
}

/* r: what one of the pager's functions returned. */
static void after_pager(struct nodes *s, int r)
{
	if (r < 0)
		s->silent = true;
	if (r < 0 && r != -EPIPE)	/* otherwise the process here has ended, or will at once */
		give_up(s, EXIT_OWN_FAILURE);
}

static void on_frame(struct nodes *s, const struct frame *f)
{
	s->peer.heard_at = time_now_ms();
	switch (f->type) {
	case FRAME_MOVE:
		if (!s->silent)
			after_pager(s, pager_receive(&s->pager, f));
		return;
	case FRAME_HEARTBEAT:
		return;
	case FRAME_STDIO:
		on_stdio(s, f);
		return;
	case FRAME_EXITED:
		on_exited(s, f);
		return;
	case FRAME_ERROR:
		on_error(s, f);
		return;
	default:
		lose_peer(s, "the other node sent a frame that has no place here");
	}
}

/* Nobody can fill our memory: when our output waits, so does the node. */
static void read_link(struct nodes *s)
{
	struct frame f;
	int r = 0;

	while (!s->ended[THERE] && s->exit_status < 0 && stdio_hub_has_room(&s->stdio) &&
	       (r = link_recv(s->peer.link, &f)) == 1)
		on_frame(s, &f);
	if (r < 0)
		lose_peer(s, link_error(s->peer.link));
	if (!stdio_hub_has_room(&s->stdio))
		s->peer.heard_at = time_now_ms();	/* it is us who do not listen */
}

static void beat(struct nodes *s)
{
	int64_t now = time_now_ms();

	if (now - s->said_at < HEARTBEAT_INTERVAL_MS)
		return;
	s->said_at = now;
	if (!s->ended[THERE])
		link_send(s->peer.link, FRAME_HEARTBEAT, NULL, 0);
	if (now - s->peer.heard_at > PEER_TIMEOUT_MS)
		lose_peer(s, "the other node has said nothing for four seconds");
	nodes_print_status(s, "running");
}

/* ---- signals --------------------------------------------------------------------------------- */

static void reload(struct nodes *s)
{
	struct writer w = { 0 };

	if (mtd_reload(s->run, &s->config) < 0)
		return;
	put_blob(&w, s->config.c, s->config.size);
	if (w.failed || (!s->ended[THERE] && link_send(s->peer.link, FRAME_MOVE_POINTS, w.data, w.len) < 0))
		log_warn("the other node goes on with the points that it had");
	writer_free(&w);
}

/* For the program. One from a terminal reached home as well, when that is here. */
static void pass_on(struct nodes *s, const struct signalfd_siginfo *si)
{
	bool of_kernel = si->ssi_code == SI_KERNEL;

	if (si->ssi_signo == SIGHUP && !of_kernel)
		reload(s);
	else if (s->home == THERE)
		link_send(s->peer.link, FRAME_SIGNAL, &si->ssi_signo, sizeof(si->ssi_signo));
	else if (!of_kernel)
		kill(s->pager.pid, (int)si->ssi_signo);
}

static void on_signal(struct nodes *s)
{
	struct signalfd_siginfo si;

	while (read(s->signals, &si, sizeof(si)) == sizeof(si))
		if (si.ssi_signo != SIGCHLD && !s->ended[s->home])
			pass_on(s, &si);
	if (s->ended[HERE] || waitpid(s->pager.pid, &s->status[HERE], WNOHANG) != s->pager.pid)
		return;
	s->ended[HERE] = true;
	await_end(s, HERE);
}

/* ---- all of it ------------------------------------------------------------------------------- */

enum { POLL_PROGRAM, POLL_FAULTS, POLL_STDIN, POLL_STDOUT, POLL_STDERR, POLL_SIGNALS, POLL_LINK, _POLL_MAX };

static void fill_poll(struct nodes *s, struct pollfd *p)
{
	bool listens = !s->ended[THERE] && stdio_hub_has_room(&s->stdio);

	pager_fds(&s->pager, p);
	if (s->silent)
		p[POLL_PROGRAM].fd = p[POLL_FAULTS].fd = -1;
	p[POLL_STDIN] = (struct pollfd){ stdio_hub_wants_input(&s->stdio) ? STDIN_FILENO : -1, POLLIN, 0 };
	for (int i = 1; i < 3; i++)
		p[POLL_STDIN + i] = (struct pollfd){ s->stdio.out[i].len ? i : -1, POLLOUT, 0 };
	p[POLL_SIGNALS] = (struct pollfd){ s->signals, POLLIN, 0 };
	p[POLL_LINK] = (struct pollfd){ s->ended[THERE] ? -1 : link_fd(s->peer.link), listens ? POLLIN : 0, 0 };
	if (link_queued(s->peer.link))
		p[POLL_LINK].events |= POLLOUT;
}

static void serve_streams(struct nodes *s, const struct pollfd *p)
{
	if (p[POLL_STDIN].revents)
		stdio_hub_read(&s->stdio, s->peer.link);
	for (int i = 1; i < 3; i++)
		if (p[POLL_STDIN + i].revents)
			stdio_hub_write(&s->stdio, i);
}

void nodes_step(struct nodes *s)
{
	struct pollfd p[_POLL_MAX];
	int left = deadline_left_ms(s->end_by);

	fill_poll(s, p);
	poll(p, ARRAY_SIZE(p), left < 0 || left > HEARTBEAT_INTERVAL_MS ? HEARTBEAT_INTERVAL_MS : left);
	if (p[POLL_SIGNALS].revents)
		on_signal(s);
	if (s->ended[HERE])	/* what it said last */
		p[POLL_PROGRAM].revents = POLLIN;
	if (!s->silent)
		after_pager(s, pager_serve(&s->pager, p));
	serve_streams(s, p);
	if (!s->ended[THERE])
		read_link(s);
	beat(s);
	link_flush(s->peer.link);
}
