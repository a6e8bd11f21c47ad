/* SPDX-License-Identifier: Apache-2.0 */
#include "match/leader_internal.h"

#define FLUSH_AT_BYTES (256u << 10)

static void add_to(_Atomic uint64_t *count, uint64_t n)
{
	/* Only whoever holds the lock writes: no need for an atomic addition. */
	atomic_store_explicit(count, leader_counted(count) + n, memory_order_relaxed);
}

/* Events are length-prefixed, so that a follower can sort them by thread without decoding them. */
static size_t begin_event(struct leader *l)
{
	size_t at = l->batch.len;

	put_u32(&l->batch, 0);
	return at;
}

static void end_event(struct leader *l, size_t at)
{
	size_t len = l->batch.len - at;

	put_u32_at(&l->batch, at, (uint32_t)(len - sizeof(uint32_t)));
	add_to(&l->sent_events, 1);
	add_to(&l->sent_bytes, len);
}

/* It was made, which is all that nobody is there to see. */
static void drop_event(struct leader *l)
{
	add_to(&l->sent_events, 1);
	add_to(&l->acked_events, 1);
}

void leader_put_call(struct leader *l, uint32_t tid, const struct call_record *c, unsigned parts)
{
	size_t at;

	if (l->start->discard) {
		drop_event(l);
		return;
	}
	at = begin_event(l);
	event_encode_call(&l->batch, tid, c, parts);
	end_event(l, at);
}

/* lock held. As if a hub without followers had got them. */
static void drop_batch(struct leader *l)
{
	writer_reset(&l->batch);
	l->acked_events = l->sent_events;
	l->acked_bytes = l->sent_bytes;
}

void leader_send_batch(struct leader *l)
{
	if (l->batch.len == 0 || l->dead)
		return;
	if (l->start->discard && !l->batch.failed) {
		drop_batch(l);
		return;
	}
	if (l->batch.failed || link_send(l->link, FRAME_EVENTS, l->batch.data, l->batch.len) < 0 ||
	    link_flush(l->link) < 0) {
		l->dead = true;
		leader_set_wish(l, WISH_KILL);
	}
	writer_reset(&l->batch);
	/* Only the link thread waits until the connection takes the rest. */
	if (l->link_thread_sleeps && !l->dead && link_queued(l->link)) {
		l->link_thread_sleeps = false;
		leader_wake_link_thread(l);
	}
}

void leader_after_event(struct leader *l)
{
	if (l->batch.len >= FLUSH_AT_BYTES)
		leader_send_batch(l);
	/* What is discarded need not leave in time. */
	if (l->link_thread_sleeps && !l->start->discard) {
		l->link_thread_sleeps = false;
		leader_wake_link_thread(l);
	}
}

void leader_signal(struct leader *l, uint32_t tid, enum signal_when when, int signal,
		   const void *siginfo)
{
	size_t at;

	leader_lock(l);
	at = begin_event(l);
	event_encode_signal(&l->batch, tid, when, signal, siginfo);
	end_event(l, at);
	leader_after_event(l);
	leader_unlock(l);
}

void leader_death(struct leader *l, uint32_t tid, int wait_status)
{
	size_t at;

	leader_lock(l);
	at = begin_event(l);
	event_encode_death(&l->batch, tid, wait_status);
	end_event(l, at);
	leader_after_event(l);
	leader_unlock(l);
}

void leader_flush(struct leader *l)
{
	leader_lock(l);
	leader_announce_calls(l, false);
	leader_send_batch(l);
	leader_unlock(l);
}

void leader_send(struct leader *l, enum frame_type type, const void *body, size_t len)
{
	leader_lock(l);
	leader_send_batch(l);
	if (!l->dead && (link_send(l->link, type, body, len) < 0 || link_flush(l->link) < 0))
		l->dead = true;
	leader_unlock(l);
	leader_wake_link_thread(l);
}

void leader_counts(struct leader *l, uint64_t *ret_events, uint64_t *ret_bytes)
{
	leader_lock(l);
	*ret_events = l->sent_events;
	*ret_bytes = l->sent_bytes;
	leader_unlock(l);
}
