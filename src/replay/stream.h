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
	struct writer bytes;	/* u32 length + event, one after the other */
	size_t head;		/* offset of the next event */
	UT_hash_handle hh;
};

struct streams {
	struct stream *by_tid;
	uint64_t taken_events, taken_bytes; /* consumed since the start, as ACK says it */
	size_t queued_bytes;
};

/* Adds the events of an EVENTS body. -EPROTO when its lengths do not fit, -ENOMEM. */
int streams_add(struct streams *s, const uint8_t *body, size_t len);

/* The stream of a thread; made when it does not exist. NULL when out of memory. */
struct stream *streams_get(struct streams *s, uint32_t tid);

/* The next event without its length prefix: false when there is none. Borrowed until the next
 * streams_add() or stream_pop(). */
bool stream_peek(const struct stream *st, struct reader *ret);
void stream_pop(struct streams *s, struct stream *st);

void streams_free(struct streams *s);

#endif
