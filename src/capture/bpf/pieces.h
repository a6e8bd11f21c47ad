/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a call as records have brought it: pieces of the variant's address space that read as
 * its memory did when the record was made.
 */
#ifndef CHIRAL_CAPTURE_BPF_PIECES_H
#define CHIRAL_CAPTURE_BPF_PIECES_H

#include "base/bytes.h"
#include "event/mem.h"

#include <stdbool.h>

/* More than an iovec's array, its elements in records of their own, and a few; or the rooms of as many messages
 * as there may be: a bound for what the kernel
 * says, not for what programs do. */
#define PIECES_MAX 8192u

struct pieces {
	struct mem mem;	/* reads, lends until the next change; a write is an error */
	struct piece {
		uint64_t addr;
		const uint8_t *data; /* borrowed; NULL: at off of bytes */
		size_t off, len;
		bool string;	     /* what follows it does not matter */
	} *piece;
	unsigned n, cap;
	unsigned last;	     /* that was found: calls are read in the order in which they were recorded */
	struct writer bytes; /* of pieces that are not borrowed any more */
	bool missed;	/* something was read that no piece has */
};

/* What pieces have, and else what is below. */
struct overlay {
	struct mem mem; /* reads only */
	struct pieces *pieces;
	struct mem *below;
};

void overlay_init(struct overlay *o, struct pieces *pieces, struct mem *below);

void pieces_init(struct pieces *p);
void pieces_free(struct pieces *p);
void pieces_reset(struct pieces *p);

/* Adds data, which stays the caller's until the next pieces_own() or pieces_reset(). -E2BIG, -ENOMEM. */
int pieces_add(struct pieces *p, uint64_t addr, const void *data, size_t len, bool string);
/* Copies what is borrowed. 0 or -ENOMEM. */
int pieces_own(struct pieces *p);

#endif
