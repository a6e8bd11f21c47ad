/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the leader's side of a session share one lock: its two threads, the capturing one and the
 * link's, meet here. leader.h has the theory of operation.
 *
 * leader.c		life, wishes
 * leader_batch.c	events on their way to the hub
 * leader_calls.c	calls that threads are in: barriers, announcements, the window
 * leader_frames.c	what the hub sends
 * leader_link.c	the link's thread
 */
#ifndef CHIRAL_MATCH_LEADER_INTERNAL_H
#define CHIRAL_MATCH_LEADER_INTERNAL_H

#include "match/leader.h"

#include "base/clock.h"
#include "link/stdio.h"

#include <pthread.h>
#include <stdatomic.h>

struct leader {
	struct link *link;
	const struct start *start;
	struct stdio_node stdio;
	pthread_t thread, capturing;
	int wake_fd;

	pthread_mutex_t lock;	/* everything below */
	pthread_cond_t progress; /* acknowledgements and wishes */
	struct writer batch;	/* body of the next EVENTS frame */
	struct leader_slot *in_call;
	/* sent: including the batch. Written with the lock held; leader_has_room() looks without. */
	_Atomic uint64_t sent_events, sent_bytes;
	_Atomic uint64_t acked_events, acked_bytes;
	int64_t flush_at;	/* when the batch goes out, in ms; 0: nothing waits */
	int64_t heartbeat_at;
	int64_t heard_at, looked_at; /* the hub, ms; when its silence was last looked at */
	bool link_thread_sleeps; /* nothing to send: it waits without a timeout */
	bool dead;		/* the hub is gone */
	bool ending;
	bool alone;		/* nobody compares any more */
	_Atomic int wish;
	_Atomic bool news;	/* calls were matched, or there is room, that the capturing thread does not wait for */
	bool wants_room;	/* a thread of the program waits until the window is not full */
	uint32_t report_tid;
	int signals[16];
	unsigned n_signals;
};

/* This thread is between leader_hold() and leader_let_go(). */
extern _Thread_local bool leader_is_held;

static inline void leader_lock(struct leader *l)
{
	if (!leader_is_held)
		pthread_mutex_lock(&l->lock);
}

static inline void leader_unlock(struct leader *l)
{
	if (!leader_is_held)
		pthread_mutex_unlock(&l->lock);
}

static inline uint64_t leader_counted(const _Atomic uint64_t *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

/* All of these want the lock held, but the first. */
void leader_wake_link_thread(struct leader *l);
void leader_set_wish(struct leader *l, enum leader_wish wish);
/* A wish that ends or stops the program waits: nothing may be waited for. */
bool leader_must_stop(const struct leader *l);

/* leader_batch.c */
void leader_put_call(struct leader *l, uint32_t tid, const struct call_record *c, unsigned parts);
/* The batch becomes a frame; what the link cannot take now its thread sends later. */
void leader_send_batch(struct leader *l);
void leader_after_event(struct leader *l);

/* leader_calls.c: announces every call that a thread is inside of; patient: that it has been inside of for
 * a while, so that calls which only happen to be under way make no second record. */
void leader_announce_calls(struct leader *l, bool patient);

/* leader_frames.c: all that the hub has sent */
void leader_read_link(struct leader *l);

/* To whom the program's output goes; NULL: the hub is gone. */
static inline struct link *leader_listener(const struct leader *l)
{
	return l->dead ? NULL : l->link;
}

/* leader_link.c: a thread; arg: struct leader. Takes the lock itself. */
void *leader_link_main(void *arg);

#endif
