/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events that wait for a follower, sorted by thread. The hub relays the leader's EVENTS frames as
 * they are; here they are cut at their length prefixes, bounded, and queued undecoded.
 */
#ifndef CHIRAL_REPLAY_STREAM_H
#define CHIRAL_REPLAY_STREAM_H

#include "base/bytes.h"

#include <uthash.h>

/* One event is never longer: an argument's bytes, the others', and the record around them. */
#define EVENT_MAX (72u << 20)

struct stream {
	uint32_t tid;		/* canonical */
	struct writer bytes;	/* u64 number, u32 length, event; one after the other */
	size_t head;		/* offset of the next event */
	UT_hash_handle hh;
};

/* No leader has more threads whose events wait. */
#define STREAMS_MAX 65536u

/* What comes next in a stream. */
enum stream_next {
	NEXT_NOTHING,
	NEXT_EVENT,
	NEXT_IN_CODE,	/* a signal for a thread that makes no call */
	NEXT_FATAL,	/* a signal that ends the process */
	NEXT_DEATH,	/* the thread makes no further call */
};

struct streams {
	struct stream *by_tid;
	size_t queued_max;	/* bytes; more is a leader that does not keep its window; 0: any */
	uint64_t added;		/* events that came, of all streams */
	uint64_t taken_events, taken_bytes; /* consumed since the start, as ACK says it */
	size_t queued_bytes;
};

/* Adds the events of an EVENTS body. -EPROTO when its lengths do not fit, -ENOBUFS over queued_max or
 * STREAMS_MAX, -ENOMEM. */
int streams_add(struct streams *s, const uint8_t *body, size_t len);

/* The stream of a thread; made when it does not exist. NULL when out of memory. */
struct stream *streams_get(struct streams *s, uint32_t tid);

/* The next event without its length prefix: false when there is none. Borrowed until the next
 * streams_add() or stream_pop(). */
bool stream_peek(const struct stream *st, struct reader *ret);
/* The same for the events behind it, one after the other; *at is 0 at first. */
bool stream_look(const struct stream *st, size_t *at, struct reader *ret);
/* The place of the next event in the leader's order of all events; UINT64_MAX: there is none. */
uint64_t stream_place(const struct stream *st);
enum stream_next stream_next(const struct stream *st);
/* Forgets a stream that has nothing left; else it stays for the next thread of that id. */
void streams_drop(struct streams *s, struct stream *st);
void stream_pop(struct streams *s, struct stream *st);

void streams_free(struct streams *s);

#endif
