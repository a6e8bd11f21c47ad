/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: see hub.h. */
#include "session/hub_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES_A_TURN 64	/* of one node, before the others have theirs */
#define SOURCE_AHEAD (1u << 20)	/* bytes of a record that may wait for a follower */
#define LATE_MS 60000		/* without progress after the leader's end */

static const int forwarded[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM,
};

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&set, forwarded[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* A user's signal is for the program, as with docker run; the third SIGINT or SIGTERM is for us. */
static void on_user_signal(struct hub *h, uint32_t signal)
{
	bool wants_end = signal == SIGINT || signal == SIGTERM || signal == SIGQUIT;

	if (wants_end && (h->state == HUB_FROZEN || h->state == HUB_REPORTING || !h->leader.link ||
			  h->leader.exited || ++h->interrupts > 2)) {
		hub_end(h, h->divergent || h->forbidden ? EXIT_DIVERGENCE : 128 + (int)signal);
		return;
	}
	if (h->state == HUB_RUNNING)
		peer_send(&h->leader, FRAME_SIGNAL, &signal, sizeof(signal));
}

static void read_signals(struct hub *h)
{
	struct signalfd_siginfo info;

	while (read(h->signal_fd, &info, sizeof(info)) == sizeof(info))
		on_user_signal(h, info.ssi_signo);
}

/* No node can keep the hub busy with itself, or fill its memory. */
static void read_peer(struct hub *h, struct peer *p)
{
	struct frame f;
	int r = 0;

	p->unread = false;
	for (int i = 0; p->link && i < FRAMES_A_TURN; i++) {
		if (p == &h->leader && !stdio_hub_has_room(&h->stdio))
			break;
		r = link_recv(p->link, &f);
		if (r == 0)
			return;
		if (r < 0) {
			hub_lost(h, p, link_error(p->link));
			return;
		}
		if (p == &h->leader)
			hub_on_leader(h, &f);
		else
			hub_on_follower(h, p, &f);
	}
	p->unread = true;
}

/* A record in the leader's place. */
static void read_source(struct hub *h)
{
	struct peer *p = &h->followers[0];

	while (h->source && !h->source_ended && h->state == HUB_RUNNING && p->link &&
	       link_queued(p->link) < SOURCE_AHEAD &&
	       h->bytes - p->acked_bytes < h->config->start.window_bytes &&
	       h->events - p->acked_events < h->config->start.window_events) {
		struct frame f;
		int r = recfile_next(h->source, &f);

		if (r < 0) {
			hub_end(h, EXIT_OWN_FAILURE);
			return;
		}
		if (r == 0) {
			h->source_ended = true;
			h->leader.exited = true;
			hub_check_exits(h);
		} else if (f.type != FRAME_STDIO) {
			hub_on_leader(h, &f);
		}
	}
}

static void check_silence(struct hub *h, struct peer *p, int64_t now)
{
	if (p->link && !p->exited && !p->dropped &&
	    now - link_heard_at(p->link, p->heard_at) > PEER_TIMEOUT_MS)
		hub_lost(h, p, "it is silent");
}

/* The leader is gone, and a follower does not come to its end. */
static void check_late(struct hub *h, int64_t now)
{
	if (h->state != HUB_RUNNING || !h->leader.exited)
		return;
	for (unsigned i = 0; i < h->n_followers; i++) {
		struct peer *p = &h->followers[i];
		int64_t since = p->progress_at > h->leader.progress_at ? p->progress_at
								       : h->leader.progress_at;

		if (!p->link || p->exited || p->dropped || now - since < LATE_MS)
			continue;
		report_init(&h->report, REPORT_LATE_VARIANT);
		report_set_did(&h->report, SIDE_LEADER, "ended");
		report_set_did(&h->report, SIDE_FOLLOWER, "made no compared call for %d s",
			       LATE_MS / 1000);
		h->accused = p;
		h->divergent = true;
		h->state = HUB_REPORTING;
		hub_publish_alarm(h);
		return;
	}
}

/* Whoever was stopped (SIGSTOP, a suspended machine) has heard nothing meanwhile. */
static void excuse_silence(struct hub *h, int64_t now)
{
	bool was_stopped = h->looked_at && now - h->looked_at > 2 * HEARTBEAT_INTERVAL_MS;

	h->looked_at = now;
	if (!was_stopped)
		return;
	h->leader.heard_at = now;
	for (unsigned i = 0; i < h->n_followers; i++)
		h->followers[i].heard_at = now;
}

static void on_timers(struct hub *h, int64_t *heartbeat_at)
{
	int64_t now = time_now_ms();

	excuse_silence(h, now);

	if (now >= *heartbeat_at) {
		peer_send(&h->leader, FRAME_HEARTBEAT, NULL, 0);
		for (unsigned i = 0; i < h->n_followers; i++)
			peer_send(&h->followers[i], FRAME_HEARTBEAT, NULL, 0);
		*heartbeat_at = now + HEARTBEAT_INTERVAL_MS;
	}
	check_silence(h, &h->leader, now);
	for (unsigned i = 0; i < h->n_followers; i++)
		check_silence(h, &h->followers[i], now);
	check_late(h, now);
	if (h->state == HUB_REPORTING && h->deadline && now >= h->deadline)
		hub_publish_alarm(h);
}

static void poll_peer(struct pollfd *p, const struct peer *peer, bool read)
{
	p->fd = peer->link ? link_fd(peer->link) : -1;
	p->events = (short)((read ? POLLIN : 0) |
			    (peer->link && link_queued(peer->link) ? POLLOUT : 0));
	p->revents = 0;
}

enum { POLL_SIGNAL, POLL_STDIN, POLL_STDOUT, POLL_STDERR, POLL_LEADER, POLL_FOLLOWERS,
       _POLL_MAX = POLL_FOLLOWERS + HUB_PEERS_MAX };

static void fill_poll(struct hub *h, struct pollfd *p)
{
	bool room = stdio_hub_has_room(&h->stdio);

	p[POLL_SIGNAL] = (struct pollfd){ h->signal_fd, POLLIN, 0 };
	p[POLL_STDIN] = (struct pollfd){ stdio_hub_wants_input(&h->stdio) ? STDIN_FILENO : -1, POLLIN, 0 };
	for (int i = 1; i < 3; i++)
		p[POLL_STDIN + i] = (struct pollfd){ h->stdio.out[i].len ? i : -1, POLLOUT, 0 };
	poll_peer(&p[POLL_LEADER], &h->leader, room);
	for (int i = 0; i < HUB_PEERS_MAX; i++)
		poll_peer(&p[POLL_FOLLOWERS + i], &h->followers[i], true);
	if (!room)
		h->leader.heard_at = time_now_ms(); /* it is us who do not listen */
}

static void service_peer(struct hub *h, struct peer *p, const struct pollfd *poll)
{
	if (!p->link || (!poll->revents && !p->unread))
		return;
	link_flush(p->link);
	if ((poll->revents & ~POLLOUT) || p->unread)
		read_peer(h, p);
}

/* How long poll(2) may wait: not at all for what it cannot see. */
static int patience(const struct hub *h)
{
	bool unread = h->leader.unread && stdio_hub_has_room(&h->stdio);

	for (unsigned i = 0; i < h->n_followers; i++)
		unread = unread || h->followers[i].unread;
	return unread ? 0 : 100;
}

static void loop(struct hub *h)
{
	int64_t heartbeat_at = 0, timers_at = 0;

	while (!hub_is_over(h)) {
		struct pollfd p[_POLL_MAX];

		if (h->state == HUB_ENDING && time_now_ms() >= h->deadline)
			break;
		read_source(h);
		fill_poll(h, p);
		if (poll(p, _POLL_MAX, patience(h)) < 0)
			continue;
		if (p[POLL_SIGNAL].revents)
			read_signals(h);
		if (p[POLL_STDIN].revents)
			stdio_hub_read(&h->stdio, h->leader.link);
		for (int i = 1; i < 3; i++)
			if (p[POLL_STDIN + i].revents)
				stdio_hub_write(&h->stdio, i);
		service_peer(h, &h->leader, &p[POLL_LEADER]);
		for (unsigned i = 0; i < h->n_followers; i++)
			service_peer(h, &h->followers[i], &p[POLL_FOLLOWERS + i]);
		if (time_now_ms() >= timers_at) {
			on_timers(h, &heartbeat_at);
			timers_at = time_now_ms() + 100;
		}
	}
}

static void finish(struct hub *h)
{
	stdio_hub_finish(&h->stdio, h->signal_fd);
	if (h->exit_status < 0) {
		int status = h->leader.result.wait_status;

		h->exit_status = h->divergent && h->config->start.level != LEVEL_OBSERVE &&
						 h->config->start.action != ON_REPORT
					 ? EXIT_DIVERGENCE
				 : WIFEXITED(status) ? WEXITSTATUS(status)
						     : 128 + WTERMSIG(status);
	}
	if (h->record && recfile_close(h->record) < 0 && h->exit_status == 0)
		h->exit_status = EXIT_OWN_FAILURE;
}

int hub_run(struct hub_config *config)
{
	struct hub h = { .config = config, .exit_status = -1 };
	bool ran = false;

	signal(SIGPIPE, SIG_IGN);
	/* Stopped by ^Z the hub would be silent, and its nodes would take it for dead. */
	signal(SIGTSTP, SIG_IGN);
	/* Local nodes are forked in setup: they reset what is blocked here. */
	if (hub_setup(&h) == 0) {
		h.signal_fd = open_signals();
		h.stdio.in_open = config->leader && h.leader.pid == 0;
		hub_status_started(&h);
		loop(&h);
		finish(&h);
		ran = true;
	}
	peer_close(&h.leader);
	for (unsigned i = 0; i < h.n_followers; i++)
		peer_close(&h.followers[i]);
	if (ran) {
		hub_status_exit(&h);
		close(h.signal_fd);
	}
	hub_forget_matches(&h);
	recfile_free(h.record);
	recfile_free(h.source);
	return h.exit_status;
}
