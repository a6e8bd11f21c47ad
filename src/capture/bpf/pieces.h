/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a call as records have brought it: pieces of the variant's address space that read as
 * its memory did when the call ended.
 */
#ifndef CHIRAL_CAPTURE_BPF_PIECES_H
#define CHIRAL_CAPTURE_BPF_PIECES_H

#include "base/bytes.h"
#include "event/mem.h"

#include <stdbool.h>

#define PIECES_MAX 24 /* apart from adjacent ones: an iovec's array and elements, and a few */

struct pieces {
	struct mem mem;	/* reads; a write is an error */
	struct piece {
		uint64_t addr;
		const uint8_t *data; /* NULL: at off of bytes */
		size_t off, len;
		bool string;	     /* what follows it does not matter */
	} piece[PIECES_MAX];
	unsigned n;
	struct writer bytes;
	bool missed;	/* something was read that no piece has */
};

void pieces_init(struct pieces *p);
void pieces_free(struct pieces *p);
void pieces_reset(struct pieces *p);

/* Adds a copy of data, joined with the piece before when it follows that. -E2BIG, -ENOMEM. */
int pieces_add(struct pieces *p, uint64_t addr, const void *data, size_t len, bool string);
/* Adds data itself, which stays the caller's until the next reset. */
int pieces_borrow(struct pieces *p, uint64_t addr, const void *data, size_t len);

#endif
