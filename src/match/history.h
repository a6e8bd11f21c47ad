/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last calls of one stream, kept for the alarm. Adding is on the hot path (a copy of the
 * scalars and of the first bytes of each payload, no allocation); printing happens once, at an
 * alarm.
 *
 * A history is about 10 KiB; zero-initialised is empty. Not thread-safe.
 */
#ifndef CHIRAL_MATCH_HISTORY_H
#define CHIRAL_MATCH_HISTORY_H

#include "event/call.h"

#include <stdint.h>

#define HISTORY_CALLS 20
#define HISTORY_BYTES 320 /* payload bytes kept of one call */

struct history_entry {
	uint64_t position;
	int64_t ret;
	uint64_t arg[CALL_ARGS_MAX];
	uint16_t id;
	uint8_t n_in, n_out;
	bool has_exit;
	struct payload payload[CALL_PAYLOADS_MAX]; /* in, then out; those that had room */
	uint8_t bytes[HISTORY_BYTES];
};

struct history {
	uint64_t added; /* calls ever added */
	struct history_entry ring[HISTORY_CALLS];
};

/* position: the call's place in its stream. */
void history_add(struct history *h, const struct call_record *c, uint64_t position);

/* Completes the call added last: its result and out-payloads (c went through history_add() before
 * the call was executed). */
void history_complete(struct history *h, const struct call_record *c);

/* How many calls history_print() can print: 0 to HISTORY_CALLS. */
unsigned history_count(const struct history *h);

/* Call i, 0 the oldest: as call_print() does, owned by the caller; NULL when out of memory or i is
 * too large. Buffers show their first bytes only. */
char *history_print(const struct history *h, unsigned i, uint64_t *ret_position);

#endif
