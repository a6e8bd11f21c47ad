/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's end of a BPF ring buffer (kernel documentation: bpf/ringbuf.rst).
 *
 * libbpf's own reader stops at a record that is still being written and cannot tell that from the end;
 * a tracer has to know that it has seen everything that was begun before a thread stopped.
 */
#ifndef CHIRAL_CAPTURE_BPF_RING_H
#define CHIRAL_CAPTURE_BPF_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	uint64_t *consumer;	  /* one page, ours */
	const uint64_t *producer; /* one page, the kernel's */
	const uint8_t *data;	  /* size bytes, mapped twice in a row */
	size_t size;		  /* a power of two */
};

/* size: the map's max_entries. 0 or -errno. */
int ring_open(struct ring *r, int map_fd, size_t size);
void ring_close(struct ring *r);
bool ring_is_empty(const struct ring *r);

/*
 * Gives fn every record from the oldest on. They are valid until settle is called, which is at the end and
 * now and then before it: the kernel may overwrite them then. wait: all that were begun before this
 * function was called, also if some are still being written by other processors; otherwise up to the
 * first such. Not reentrant. The number of records.
 */
typedef void ring_record_fn(void *state, const void *record, size_t len);
typedef void ring_settle_fn(void *state);
size_t ring_drain(struct ring *r, bool wait, ring_record_fn *fn, ring_settle_fn *settle, void *state);

#endif
