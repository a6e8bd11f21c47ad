/* SPDX-License-Identifier: Apache-2.0 */
/* Which values of a function are needed after a point: backward data flow over its blocks. */
#ifndef CHIRAL_MTD_TRANSFORM_LIVENESS_H
#define CHIRAL_MTD_TRANSFORM_LIVENESS_H

#include "mtd/transform/ir.h"

#include <stdint.h>

struct liveness {
	LLVMValueRef *values;	/* arguments, then instructions with a value */
	unsigned n_values;
	LLVMBasicBlockRef *blocks;
	unsigned n_blocks;
	unsigned words;		/* of one set */
	uint64_t *in, *out;	/* a set for each block */
	struct index *value_index, *block_index;
};

/* Sets are arrays of l->words words; bit x stands for values[x]. */
static inline bool set_has(const uint64_t *set, unsigned x)
{
	return set[x / 64] >> (x % 64) & 1;
}

static inline void set_add(uint64_t *set, unsigned x)
{
	set[x / 64] |= 1ull << (x % 64);
}

static inline void set_remove(uint64_t *set, unsigned x)
{
	set[x / 64] &= ~(1ull << (x % 64));
}

static inline unsigned set_count(const uint64_t *set, unsigned words)
{
	unsigned n = 0;

	for (unsigned w = 0; w < words; w++)
		n += (unsigned)__builtin_popcountll(set[w]);
	return n;
}

/* Of all blocks but the entry block. */
void liveness_compute(LLVMValueRef f, struct liveness *ret);
void liveness_free(struct liveness *l);
/* The number of a value, or -1 (a constant, a value of the entry block). */
int liveness_number(const struct liveness *l, LLVMValueRef v);
const uint64_t *liveness_in(const struct liveness *l, LLVMBasicBlockRef b);
const uint64_t *liveness_out(const struct liveness *l, LLVMBasicBlockRef b);

#endif
