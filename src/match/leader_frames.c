/* SPDX-License-Identifier: Apache-2.0 */
#include "match/leader_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <signal.h>

static int on_ack(struct leader *l, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	uint64_t events = get_u64(&r), bytes = get_u64(&r);

	if (!reader_done(&r) || events < l->acked_events || events > l->sent_events ||
	    bytes < l->acked_bytes || bytes > l->sent_bytes)
		return -EPROTO;
	l->acked_events = events;
	l->acked_bytes = bytes;
	if (l->wants_room) {
		l->wants_room = false;
		l->news = true;
	}
	pthread_cond_broadcast(&l->progress);
	return 0;
}

static int on_matched(struct leader *l, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	uint32_t tid = get_u32(&r);

	if (!reader_done(&r))
		return -EPROTO;
	l->alone = l->alone || tid == 0;
	/* A thread that is not there has died meanwhile. */
	for (struct leader_slot *s = l->in_call; s; s = s->next)
		if (s->tid == tid && s->announced)
			s->matched = true;
	l->news = true;
	pthread_cond_broadcast(&l->progress);
	return 0;
}

static int on_signal(struct leader *l, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	uint32_t signal = get_u32(&r);

	if (!reader_done(&r) || signal == 0 || signal >= NSIG)
		return -EPROTO;
	if (l->n_signals < ARRAY_SIZE(l->signals)) {
		l->signals[l->n_signals++] = (int)signal;
		if (l->wish == WISH_NONE)
			leader_set_wish(l, WISH_SIGNAL);
	}
	return 0;
}

static int on_report(struct leader *l, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);

	l->report_tid = get_u32(&r);
	if (!reader_done(&r))
		return -EPROTO;
	leader_set_wish(l, WISH_REPORT);
	return 0;
}

static int on_frame(struct leader *l, const struct frame *f)
{
	switch (f->type) {
	case FRAME_ACK:
		return on_ack(l, f);
	case FRAME_MATCHED:
		return on_matched(l, f);
	case FRAME_SIGNAL:
		return on_signal(l, f);
	case FRAME_STDIO:
		return stdio_node_receive(&l->stdio, leader_listener(l), f);
	case FRAME_KILL:
		leader_set_wish(l, WISH_KILL);
		return 0;
	case FRAME_REPORT:
		return on_report(l, f);
	case FRAME_GO:
		leader_set_wish(l, WISH_RESUME);
		return 0;
	case FRAME_FREEZE:
		leader_set_wish(l, WISH_FREEZE);
		return 0;
	case FRAME_HEARTBEAT:
		return 0;
	default:
		return -EPROTO;
	}
}

void leader_read_link(struct leader *l)
{
	struct frame f;
	int r;

	while ((r = link_recv(l->link, &f)) == 1) {
		l->heard_at = time_now_ms();
		r = on_frame(l, &f);
		if (r < 0)
			break;
	}
	if (r < 0 && !l->dead) {
		l->dead = true;
		leader_set_wish(l, WISH_KILL);
	}
}
