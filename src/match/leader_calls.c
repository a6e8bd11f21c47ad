/* SPDX-License-Identifier: Apache-2.0 */
#include "match/leader_internal.h"

#define PATIENCE_MS 5 /* at a barrier or a full window, before other threads are served */

static uint64_t room_of(uint64_t window, const _Atomic uint64_t *sent, const _Atomic uint64_t *acked)
{
	/* In this order: acked never passes sent. */
	uint64_t known = leader_counted(acked), ahead = leader_counted(sent) - known;

	return ahead < window ? window - ahead : 0;
}

void leader_room(const struct leader *l, uint64_t *ret_events, uint64_t *ret_bytes)
{
	const struct start *s = l->start;

	*ret_events = s->discard ? UINT64_MAX : room_of(s->window_events, &l->sent_events, &l->acked_events);
	*ret_bytes = s->discard ? UINT64_MAX : room_of(s->window_bytes, &l->sent_bytes, &l->acked_bytes);
}

static bool window_full(const struct leader *l)
{
	uint64_t events, bytes;

	leader_room(l, &events, &bytes);
	return !events || !bytes;
}

static bool is_barrier(const struct leader *l, const struct leader_slot *slot)
{
	if (slot->barrier == BARRIER_BY_LEVEL)
		return l->start->level == LEVEL_LOCKSTEP;
	return slot->barrier == BARRIER_YES;
}

static unsigned entry_parts(const struct leader_slot *slot)
{
	return CALL_PART_ENTRY | (slot->observed ? CALL_PART_OBSERVED : 0);
}

/* Whoever announces a call that waits says so: nobody announces it again. */
static void announce_call(struct leader *l, struct leader_slot *slot)
{
	leader_put_call(l, slot->tid, slot->call,
			entry_parts(slot) | (is_barrier(l, slot) ? CALL_PART_AWAITED : 0));
	slot->announced = true;
	slot->matched = false;
}

void leader_announce_calls(struct leader *l, bool patient)
{
	for (struct leader_slot *s = l->in_call; s; s = s->next) {
		if (s->announced)
			continue;
		if (patient && !s->seen) {
			s->seen = true;
			continue;
		}
		announce_call(l, s);
	}
}

/* lock held */
static void announce_siblings(struct leader *l, const struct leader_slot *slot)
{
	for (struct leader_slot *s = l->in_call; s; s = s->next)
		if (!s->announced && s->process && s->process == slot->process)
			announce_call(l, s);
}

static void slot_link(struct leader *l, struct leader_slot *slot)
{
	slot->next = l->in_call;
	slot->prev = &l->in_call;
	slot->seen = false;
	if (slot->next)
		slot->next->prev = &slot->next;
	l->in_call = slot;
}

static void slot_unlink(struct leader_slot *slot)
{
	if (!slot->prev)
		return;
	*slot->prev = slot->next;
	if (slot->next)
		slot->next->prev = slot->prev;
	slot->prev = NULL;
	slot->next = NULL;
}

/* The thread is inside of no call any more. */
static void slot_leave(struct leader_slot *slot)
{
	slot_unlink(slot);
	slot->call = NULL;
	slot->announced = false;
}

static bool is_matched(const struct leader *l, const struct leader_slot *slot)
{
	return !is_barrier(l, slot) || l->alone || slot->matched;
}

static struct timespec patience_ends(void)
{
	int64_t until = deadline_after_ms(PATIENCE_MS);

	return (struct timespec){ until / 1000, until % 1000 * 1000000 };
}

/* lock held. Most calls are matched at once: no interrupt is needed for them. */
static void wait_match(struct leader *l, const struct leader_slot *slot)
{
	struct timespec at;

	if (is_matched(l, slot))
		return;
	at = patience_ends();
	while (!is_matched(l, slot) && !leader_must_stop(l))
		if (pthread_cond_timedwait(&l->progress, &l->lock, &at))
			return;
}

/* lock held. Not where another thread waits already: it will be told. */
static void wait_window(struct leader *l)
{
	struct timespec at;

	if (!window_full(l))
		return;
	at = patience_ends();
	while (window_full(l) && !l->wants_room && !leader_must_stop(l)) {
		leader_send_batch(l);
		if (pthread_cond_timedwait(&l->progress, &l->lock, &at))
			break;
	}
	l->wants_room = l->wants_room || window_full(l);
}

/* lock held */
static void announce_at_barrier(struct leader *l, struct leader_slot *slot)
{
	if (!is_barrier(l, slot) || l->alone || leader_must_stop(l))
		return;
	if (!slot->announced)
		announce_call(l, slot);
	leader_send_batch(l);
}

/* lock held */
static bool may_go(struct leader *l, struct leader_slot *slot)
{
	if (window_full(l)) {
		l->wants_room = true;
		return false;
	}
	if (!is_matched(l, slot) && !slot->announced)
		announce_at_barrier(l, slot);
	return !leader_must_stop(l) && is_matched(l, slot);
}

bool leader_enter(struct leader *l, struct leader_slot *slot, const struct call_record *c)
{
	bool go;

	leader_lock(l);
	slot->call = c;
	if (!slot->prev)
		slot_link(l, slot);
	wait_window(l);
	if (!window_full(l)) {
		announce_at_barrier(l, slot);
		wait_match(l, slot);
	}
	leader_after_event(l);
	go = may_go(l, slot);
	leader_unlock(l);
	return go;
}

bool leader_may_go(struct leader *l, struct leader_slot *slot)
{
	bool go;

	leader_lock(l);
	go = may_go(l, slot);
	leader_unlock(l);
	return go;
}

bool leader_has_news(struct leader *l)
{
	return atomic_load_explicit(&l->news, memory_order_relaxed) &&
	       atomic_exchange(&l->news, false);
}

bool leader_has_room(struct leader *l)
{
	bool full;

	/* Only we send events of calls that are over: what is seen here as room stays room. */
	if (!window_full(l))
		return true;
	leader_lock(l);
	leader_send_batch(l);
	full = window_full(l);
	l->wants_room = l->wants_room || full;
	leader_unlock(l);
	return !full;
}

void leader_block(struct leader *l, struct leader_slot *slot, const struct call_record *c)
{
	leader_lock(l);
	slot->call = c;
	if (!slot->prev)
		slot_link(l, slot);
	if (!slot->announced)
		announce_call(l, slot);
	leader_after_event(l);
	leader_unlock(l);
}

void leader_pause(struct leader *l, struct leader_slot *slot)
{
	/* Slots are linked by the capturing side alone. */
	if (!slot->prev)
		return;
	leader_lock(l);
	slot_unlink(slot);
	leader_unlock(l);
}

void leader_resume(struct leader *l, struct leader_slot *slot, const struct call_record *c)
{
	leader_lock(l);
	slot->call = c;
	if (!slot->prev)
		slot_link(l, slot);
	leader_unlock(l);
}

void leader_cancel(struct leader *l, struct leader_slot *slot)
{
	leader_lock(l);
	slot_leave(slot);
	leader_unlock(l);
}

void leader_announce(struct leader *l, struct leader_slot *slot)
{
	leader_lock(l);
	if (!slot->announced)
		leader_put_call(l, slot->tid, slot->call, entry_parts(slot));
	slot_leave(slot);
	leader_after_event(l);
	leader_unlock(l);
}

void leader_abandon(struct leader *l, struct leader_slot *slot)
{
	leader_lock(l);
	if (slot->prev && !slot->announced)
		leader_put_call(l, slot->tid, slot->call, entry_parts(slot));
	slot_leave(slot);
	leader_unlock(l);
}

_Thread_local bool leader_is_held;

void leader_hold(struct leader *l)
{
	leader_lock(l);
	leader_is_held = true;
}

void leader_let_go(struct leader *l)
{
	leader_is_held = false;
	leader_unlock(l);
}

void leader_exit(struct leader *l, struct leader_slot *slot, const struct call_record *c)
{
	leader_lock(l);
	slot_unlink(slot);
	announce_siblings(l, slot);
	leader_put_call(l, slot->tid, c,
			slot->announced ? CALL_PART_EXIT : entry_parts(slot) | CALL_PART_EXIT);
	slot_leave(slot);
	leader_after_event(l);
	leader_unlock(l);
}
