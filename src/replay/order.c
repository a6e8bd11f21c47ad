/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/order.h"

#include "base/clock.h"
#include "replay/replay.h"
#include "variant/proc.h"

#include <poll.h>

/* Calls for which sleepers are looked at each time, after one that was not asleep any more. */
#define LOOKS 200

/* The thread's next event is before place. A death and a signal without a call have no place in the program. */
static bool has_earlier(const struct fthread *g, uint64_t place)
{
	return stream_place(g->stream) < place && stream_next(g->stream) == NEXT_EVENT;
}

/* In its kernel, for something that is no call of ours. A thread that is about to be held sleeps as well; one
 * that waits for the disk (D) does not, unless it is in vfork(2). */
static bool sleeps(const struct replay *rp, const struct fthread *g)
{
	struct pollfd p = { .fd = rp->notify_fd, .events = POLLIN };
	char state;

	if (g->phase == PHASE_CLONED || proc_state(g->tid, &state) < 0)
		return true;
	return state == 'S' && poll(&p, 1, 0) == 0;
}

static bool computes_for_long(struct fthread *g)
{
	uint64_t now = proc_run_ns(g->tid);

	if (!g->order.run_ns)
		g->order.run_ns = now;
	return now - g->order.run_ns > ORDER_COMPUTING_NS;
}

/* f, whose next event is at place, has to wait for g. look: what is known of sleepers is too old. */
static bool waits_for(const struct replay *rp, struct fthread *f, struct fthread *g, uint64_t place, bool look)
{
	bool earlier = has_earlier(g, place), slept = g->order.quiet;
	int64_t now = time_now_ms();

	if (g->order.given_up)
		return false;
	if (g->stop != STOP_NONE)
		/* A timer's signal that came early waits for another thread: see timer.h. */
		return earlier && !g->order.at_lock && !g->early_since;
	if (slept && !earlier && !look)
		return false;
	/* Many are held at calls and ask the same of it. */
	if (!slept && g->order.ran_at == rp->looks)
		return true;
	g->order.quiet = sleeps(rp, g);
	if (g->order.quiet)
		return false;
	g->order.ran_at = rp->looks;
	/* Its call may have ended after the one that it woke f in. */
	if (!has_earlier(g, place + ORDER_SOON) && computes_for_long(g)) {
		g->order.quiet = true;
		return false;
	}
	if (slept)
		f->process->order_looks = LOOKS;
	if (!g->order.since)
		g->order.since = now;
	g->order.given_up = now - g->order.since > ORDER_PATIENCE_MS;
	return !g->order.given_up;
}

/* Looking at every sleeper at every call is dear; it is done while they do wake up, else now and then. */
static bool looks_at_sleepers(struct fprocess *p)
{
	int64_t now = time_now_ms();

	if (p->order_looks == 0 && now == p->order_looked_at)
		return false;
	p->order_looked_at = now;
	p->order_looks -= p->order_looks > 0;
	return true;
}

bool order_is_due(struct replay *rp, struct fthread *f)
{
	uint64_t place = stream_place(f->stream);
	bool due = true, look;

	if (!f->process->threaded || f->dead || place == UINT64_MAX)
		return true;
	look = looks_at_sleepers(f->process);
	for (struct fthread *g = rp->threads.by_tid; g && due; g = g->hh.next)
		if (g != f && g->process == f->process && !g->dead && g->canonical)
			due = !waits_for(rp, f, g, place, look);
	rp->ordering |= !due;
	return due;
}

void order_went_on(struct fthread *f)
{
	f->order = (struct order){ 0 };
}

bool order_may_read(struct replay *rp, struct fthread *f)
{
	int64_t now = time_now_ms();

	if (!f->process->threaded)
		return true;
	if (!f->order.at_lock) {
		f->order.at_lock = true;
		f->order.read_at = now;
	}
	if (now > f->order.read_at) {
		f->order.at_lock = false;
		return true;
	}
	rp->ordering = true;
	return false;
}
