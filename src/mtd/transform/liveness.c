/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/transform/liveness.h"

#include "mtd/transform/index.h"

#include <stdlib.h>
#include <string.h>

static void add_value(struct liveness *l, LLVMValueRef v)
{
	if ((l->n_values & (l->n_values - 1)) == 0)
		l->values = xrealloc(l->values, l->n_values ? l->n_values * 2 : 1, sizeof(*l->values));
	index_set(&l->value_index, v, (int)l->n_values);
	l->values[l->n_values++] = v;
}

static void number(struct liveness *l, LLVMValueRef f)
{
	LLVMBasicBlockRef entry = LLVMGetEntryBasicBlock(f);

	l->blocks = xalloc(LLVMCountBasicBlocks(f), sizeof(*l->blocks));
	for (unsigned i = 0; i < LLVMCountParams(f); i++)
		add_value(l, LLVMGetParam(f, i));
	FOR_EACH_BLOCK(b, f) {
		if (b == entry)
			continue;
		index_set(&l->block_index, b, (int)l->n_blocks);
		l->blocks[l->n_blocks++] = b;
		FOR_EACH_INSTRUCTION(i, b)
			if (LLVMGetTypeKind(LLVMTypeOf(i)) != LLVMVoidTypeKind)
				add_value(l, i);
	}
}

int liveness_number(const struct liveness *l, LLVMValueRef v)
{
	return index_get(l->value_index, v);
}

static uint64_t *set_of(const struct liveness *l, uint64_t *sets, LLVMBasicBlockRef b)
{
	return sets + (size_t)index_get(l->block_index, b) * l->words;
}

const uint64_t *liveness_in(const struct liveness *l, LLVMBasicBlockRef b)
{
	return set_of(l, l->in, b);
}

const uint64_t *liveness_out(const struct liveness *l, LLVMBasicBlockRef b)
{
	return set_of(l, l->out, b);
}

/* A phi uses its value at the end of the block that it comes from. */
static void add_phi_uses(const struct liveness *l, LLVMBasicBlockRef from, LLVMBasicBlockRef to,
			 uint64_t *set)
{
	FOR_EACH_INSTRUCTION(p, to) {
		if (!LLVMIsAPHINode(p))
			break;
		for (unsigned k = 0; k < LLVMCountIncoming(p); k++) {
			int x = liveness_number(l, LLVMGetIncomingValue(p, k));

			if (x >= 0 && LLVMGetIncomingBlock(p, k) == from)
				set_add(set, (unsigned)x);
		}
	}
}

static void add_live_out(const struct liveness *l, LLVMBasicBlockRef b, uint64_t *set)
{
	LLVMValueRef end = LLVMGetBasicBlockTerminator(b);

	for (unsigned s = 0; s < LLVMGetNumSuccessors(end); s++) {
		LLVMBasicBlockRef to = LLVMGetSuccessor(end, s);
		const uint64_t *in = liveness_in(l, to);

		for (unsigned w = 0; w < l->words; w++)
			set[w] |= in[w];
		add_phi_uses(l, b, to, set);
	}
}

static void pass_backwards(const struct liveness *l, LLVMBasicBlockRef b, uint64_t *set)
{
	LLVMValueRef i;

	for (i = LLVMGetBasicBlockTerminator(b); i; i = LLVMGetPreviousInstruction(i)) {
		int x = liveness_number(l, i);

		if (x >= 0)
			set_remove(set, (unsigned)x);
		if (LLVMIsAPHINode(i))
			continue;
		for (int k = 0; k < LLVMGetNumOperands(i); k++) {
			x = liveness_number(l, LLVMGetOperand(i, (unsigned)k));
			if (x >= 0)
				set_add(set, (unsigned)x);
		}
	}
}

static bool update_block(struct liveness *l, unsigned i, uint64_t *set)
{
	size_t bytes = l->words * sizeof(*set);
	uint64_t *in = l->in + (size_t)i * l->words;

	memset(set, 0, bytes);
	add_live_out(l, l->blocks[i], set);
	memcpy(l->out + (size_t)i * l->words, set, bytes);
	pass_backwards(l, l->blocks[i], set);
	if (!memcmp(set, in, bytes))
		return false;
	memcpy(in, set, bytes);
	return true;
}

void liveness_compute(LLVMValueRef f, struct liveness *ret)
{
	struct liveness l = { 0 };
	uint64_t *set;
	bool changed = true;

	number(&l, f);
	l.words = (l.n_values + 63) / 64 + 1;
	l.in = xalloc((size_t)l.n_blocks * l.words, sizeof(*l.in));
	l.out = xalloc((size_t)l.n_blocks * l.words, sizeof(*l.out));
	set = xalloc(l.words, sizeof(*set));
	while (changed) {
		changed = false;
		for (unsigned i = l.n_blocks; i-- > 0;)
			changed |= update_block(&l, i, set);
	}
	free(set);
	*ret = l;
}

void liveness_free(struct liveness *l)
{
	index_free(&l->value_index);
	index_free(&l->block_index);
	free(l->values);
	free(l->blocks);
	free(l->in);
	free(l->out);
	*l = (struct liveness){ 0 };
}
