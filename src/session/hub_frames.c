/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes say while a session runs. */
#include "session/hub_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Threads of a leader that may wait at the same time. */
#define MATCHES_MAX 65536u

_Static_assert(HUB_PEERS_MAX <= 8, "struct hub_match has a bit for each follower");

static void malformed(struct hub *h, struct peer *p, const struct frame *f)
{
	log_error("%s sent an unexpected or malformed %s frame", p->node, frame_type_name(f->type));
	hub_lost(h, p, "it broke the protocol");
}

/* Walks the length prefixes only: events stay undecoded at the hub. -EPROTO */
static int count_events(const struct frame *f, uint64_t *ret)
{
	struct reader r = reader_of(f->body, f->len);
	uint64_t n = 0;

	while (r.left) {
		size_t len;

		if (!get_blob(&r, FRAME_MAX, &len))
			return -EPROTO;
		n++;
	}
	*ret = n;
	return 0;
}

static bool counts_for_window(const struct peer *p)
{
	return p->link && !p->dropped && !p->exited;
}

void hub_acknowledge(struct hub *h)
{
	uint64_t body[2] = { h->events, h->bytes };

	for (unsigned i = 0; i < h->n_followers; i++) {
		struct peer *p = &h->followers[i];

		if (!counts_for_window(p) || p->acked_events >= body[0])
			continue;
		body[0] = p->acked_events;
		body[1] = p->acked_bytes;
	}
	if (body[0] == h->leader.acked_events || !h->leader.link)
		return;
	h->leader.acked_events = body[0];
	h->leader.acked_bytes = body[1];
	peer_send(&h->leader, FRAME_ACK, body, sizeof(body));
}

static uint8_t comparing(const struct hub *h)
{
	uint8_t set = 0;

	for (unsigned i = 0; i < h->n_followers; i++)
		if (counts_for_window(&h->followers[i]))
			set |= (uint8_t)(1u << i);
	return set;
}

bool hub_is_compared(const struct hub *h)
{
	return comparing(h) != 0;
}

static void forget_match(struct hub *h, struct hub_match *m)
{
	HASH_DEL(h->matches, m);
	free(m);
}

/* The leader is told when all that compare have matched the call. */
static void settle_match(struct hub *h, struct hub_match *m)
{
	if (comparing(h) & ~m->by)
		return;
	peer_send(&h->leader, FRAME_MATCHED, &m->tid, sizeof(m->tid));
	forget_match(h, m);
}

void hub_follower_left(struct hub *h)
{
	struct hub_match *m, *tmp;
	uint32_t all = 0;

	hub_acknowledge(h);
	HASH_ITER(hh, h->matches, m, tmp)
	settle_match(h, m);
	if (!comparing(h))
		peer_send(&h->leader, FRAME_MATCHED, &all, sizeof(all));
}

void hub_forget_matches(struct hub *h)
{
	struct hub_match *m, *tmp;

	HASH_ITER(hh, h->matches, m, tmp)
	forget_match(h, m);
}

static void on_matched(struct hub *h, struct peer *p, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	uint32_t tid = get_u32(&r);
	struct hub_match *m;

	if (!reader_done(&r) || tid == 0 || HASH_COUNT(h->matches) > MATCHES_MAX) {
		malformed(h, p, f);
		return;
	}
	HASH_FIND(hh, h->matches, &tid, sizeof(tid), m);
	if (!m) {
		m = calloc(1, sizeof(*m));
		if (!m)
			return; /* the session stands still until it is ended */
		m->tid = tid;
		HASH_ADD(hh, h->matches, tid, sizeof(m->tid), m);
	}
	m->by |= (uint8_t)(1u << (p - h->followers));
	settle_match(h, m);
}

static void relay_events(struct hub *h, const struct frame *f)
{
	uint64_t n;

	if (count_events(f, &n) < 0) {
		malformed(h, &h->leader, f);
		return;
	}
	h->events += n;
	h->bytes += f->len;
	for (unsigned i = 0; i < h->n_followers; i++) {
		struct peer *p = &h->followers[i];

		if (p->exited && !p->dropped && n)
			hub_left_behind(h, p);
		if (counts_for_window(p) && peer_send(p, FRAME_EVENTS, f->body, f->len) < 0)
			hub_lost(h, p, link_error(p->link));
	}
	if (h->record && recfile_write(h->record, f->type, f->body, f->len) < 0) {
		hub_end(h, EXIT_OWN_FAILURE);
		return;
	}
	/* Without a follower nobody else says that there is room. */
	hub_acknowledge(h);
}

static void on_exited(struct hub *h, struct peer *p, const struct frame *f)
{
	if (exited_decode(f->body, f->len, &p->result) < 0) {
		malformed(h, p, f);
		return;
	}
	p->exited = true;
	p->progress_at = time_now_ms();
	if (p == &h->leader && h->record)
		recfile_write(h->record, f->type, f->body, f->len);
	hub_check_exits(h);
}

static void on_error(struct hub *h, struct peer *p, const struct frame *f)
{
	int status;
	cleanup_free char *text = NULL;

	if (p->exited || h->state == HUB_ENDING)
		return; /* what a node says after its variant's end is about the connection */
	text = error_decode(f->body, f->len, &status);
	if (hub_goes_on_without(h, p)) {
		hub_lost(h, p, text ? text : "it failed");
		return;
	}
	log_error("%s: %s", p->node, text ? text : "failed");
	p->lost = true;
	hub_end(h, status);
}

void hub_on_leader(struct hub *h, const struct frame *f)
{
	struct peer *p = &h->leader;

	p->heard_at = time_now_ms();
	switch (f->type) {
	case FRAME_EVENTS:
		/* Also while an alarm is made: the session may go on with other followers. */
		if (h->state != HUB_ENDING)
			relay_events(h, f);
		break;
	case FRAME_STDIO:
		if (stdio_hub_receive(&h->stdio, f) < 0)
			malformed(h, p, f);
		break;
	case FRAME_REPORTED:
		hub_on_reported(h, f);
		break;
	case FRAME_VERDICT:
		hub_on_forbidden(h, f);
		break;
	case FRAME_EXITED:
		on_exited(h, p, f);
		break;
	case FRAME_ERROR:
		on_error(h, p, f);
		break;
	case FRAME_HEARTBEAT:
		break;
	default:
		malformed(h, p, f);
	}
}

static void on_ack(struct hub *h, struct peer *p, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	uint64_t events = get_u64(&r), bytes = get_u64(&r);

	if (!reader_done(&r) || events < p->acked_events || events > h->events ||
	    bytes < p->acked_bytes || bytes > h->bytes) {
		malformed(h, p, f);
		return;
	}
	p->acked_events = events;
	p->acked_bytes = bytes;
	p->progress_at = time_now_ms();
	hub_acknowledge(h);
}

void hub_on_follower(struct hub *h, struct peer *p, const struct frame *f)
{
	p->heard_at = time_now_ms();
	switch (f->type) {
	case FRAME_ACK:
		on_ack(h, p, f);
		break;
	case FRAME_MATCHED:
		on_matched(h, p, f);
		break;
	case FRAME_VERDICT:
		hub_on_verdict(h, p, f);
		break;
	case FRAME_NOTICE:
		hub_on_notice(h, p, f);
		break;
	case FRAME_EXITED:
		on_exited(h, p, f);
		break;
	case FRAME_ERROR:
		on_error(h, p, f);
		break;
	case FRAME_HEARTBEAT:
		break;
	default:
		malformed(h, p, f);
	}
}
