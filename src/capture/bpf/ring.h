/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's side of the rings (record.h). */
#ifndef CHIRAL_CAPTURE_BPF_RING_H
#define CHIRAL_CAPTURE_BPF_RING_H

#include "capture/bpf/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	struct record_shared *shared; /* borrowed */
	const struct record *slots;   /* RING_SLOTS */
	const uint8_t *bytes;	      /* RING_BYTES + RING_BYTES_OVER */
};

/* Maps the arrays of these descriptors, which stay the caller's. 0 or -errno. */
int ring_open(struct ring *r, int slots_fd, int bytes_fd, struct record_shared *shared);
void ring_close(struct ring *r);
bool ring_is_empty(const struct ring *r);

/*
 * Gives fn every record from the oldest on, with the r->len bytes of its piece. They are valid until settle
 * is called, which is at the end and now and then before it: the kernel may overwrite them then. wait:
 * all that were begun before this function was called, also if some are still being written by other
 * processors; otherwise up to the first such. Not reentrant. The number of records.
 */
typedef void ring_record_fn(void *state, const struct record *r, const uint8_t *piece);
typedef void ring_settle_fn(void *state);
size_t ring_drain(struct ring *r, bool wait, ring_record_fn *fn, ring_settle_fn *settle, void *state);

#endif
