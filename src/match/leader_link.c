/* SPDX-License-Identifier: Apache-2.0 */
#include "match/leader_internal.h"

#include "base/log.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_AFTER_MS     4 /* from the first event of a batch to its sending */
#define INTERRUPT_EVERY_MS 5 /* while a wish waits for the capturing thread */
#define STDIO_CHUNK        (64u << 10)

/* Without a reader on the hub's side the program is not read from either: it blocks, as on a pipe.
 */
static bool output_allowed(const struct leader *l)
{
	return link_queued(l->link) < STDIO_CHUNK;
}

enum { POLL_LINK, POLL_WAKE, POLL_STDIN, POLL_STDOUT, POLL_STDERR, _POLL_MAX };

static void fill_poll(struct leader *l, struct pollfd *p)
{
	bool out = output_allowed(l);

	p[POLL_LINK] = (struct pollfd){ link_fd(l->link), POLLIN, 0 };
	if (link_queued(l->link))
		p[POLL_LINK].events |= POLLOUT;
	p[POLL_WAKE] = (struct pollfd){ l->wake_fd, POLLIN, 0 };
	p[POLL_STDIN] = (struct pollfd){ l->stdio.n_waiting ? l->stdio.fd[0] : -1, POLLOUT, 0 };
	p[POLL_STDOUT] = (struct pollfd){ out ? l->stdio.fd[1] : -1, POLLIN, 0 };
	p[POLL_STDERR] = (struct pollfd){ out ? l->stdio.fd[2] : -1, POLLIN, 0 };
	if (l->dead)
		p[POLL_LINK].fd = -1;
}

static bool has_unannounced(const struct leader *l)
{
	for (const struct leader_slot *s = l->in_call; s; s = s->next)
		if (!s->announced)
			return true;
	return false;
}

/* lock held. How long the link thread may sleep. */
static int link_timeout(struct leader *l)
{
	if (l->wish != WISH_NONE || l->news)
		return INTERRUPT_EVERY_MS;
	if (l->batch.len || has_unannounced(l)) {
		if (l->flush_at == 0)
			l->flush_at = deadline_after_ms(FLUSH_AFTER_MS);
		return deadline_left_ms(l->flush_at);
	}
	l->flush_at = 0;
	l->link_thread_sleeps = true;
	return deadline_left_ms(l->heartbeat_at);
}

/* A network that swallows everything closes no connection. */
static void check_hub(struct leader *l)
{
	int64_t now = time_now_ms();

	/* Whoever was stopped (SIGSTOP, a suspended machine) has heard nothing meanwhile. */
	if (now - l->looked_at > 2 * HEARTBEAT_INTERVAL_MS)
		l->heard_at = now;
	l->looked_at = now;
	l->heard_at = link_heard_at(l->link, l->heard_at);
	if (l->dead || now - l->heard_at <= PEER_TIMEOUT_MS)
		return;
	log_error("the hub has been silent for %d s; ending the leader", PEER_TIMEOUT_MS / 1000);
	l->dead = true;
	leader_set_wish(l, WISH_KILL);
}

static void on_timers(struct leader *l)
{
	check_hub(l);
	if (l->flush_at && deadline_left_ms(l->flush_at) == 0) {
		leader_announce_calls(l, true);
		leader_send_batch(l);
		l->flush_at = 0;
	}
	if (deadline_left_ms(l->heartbeat_at) == 0 && !l->dead) {
		link_send(l->link, FRAME_HEARTBEAT, NULL, 0);
		l->heartbeat_at = deadline_after_ms(HEARTBEAT_INTERVAL_MS);
	}
	if (l->wish != WISH_NONE || l->news)
		pthread_kill(l->capturing, SIGUSR1);
}

static void service(struct leader *l, struct pollfd *p)
{
	uint64_t drop;

	if (p[POLL_WAKE].revents)
		(void)!read(l->wake_fd, &drop, sizeof(drop));
	if (p[POLL_LINK].revents && !l->dead) {
		if (link_queued(l->link))
			link_flush(l->link);
		leader_read_link(l);
	}
	if (p[POLL_STDIN].revents && l->stdio.fd[0] >= 0)
		stdio_node_write(&l->stdio, leader_listener(l));
	for (int i = 1; i < 3; i++)
		if (p[POLL_STDIN + i].revents && l->stdio.fd[i] >= 0)
			stdio_node_read(&l->stdio, leader_listener(l), i);
	on_timers(l);
	if (!l->dead)
		link_flush(l->link);
}

void *leader_link_main(void *arg)
{
	struct leader *l = arg;
	struct pollfd p[_POLL_MAX];

	leader_lock(l);
	l->heartbeat_at = deadline_after_ms(HEARTBEAT_INTERVAL_MS);
	l->heard_at = l->looked_at = time_now_ms();
	while (!l->ending) {
		int timeout;

		fill_poll(l, p);
		timeout = link_timeout(l);
		leader_unlock(l);
		if (poll(p, _POLL_MAX, timeout) < 0)
			memset(p, 0, sizeof(p));
		leader_lock(l);
		l->link_thread_sleeps = false;
		service(l, p);
	}
	leader_unlock(l);
	return NULL;
}
