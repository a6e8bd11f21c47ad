/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computed goto (GNU C). The address of a label is an address of code, which differs per ISA and which
 * a table may hold in shared memory. Here a label is a number of its function, and the jump a switch.
 */
#include "mtd/transform/steps.h"

#include <stdlib.h>

/* The constant blockaddress(f, b), or NULL when nobody takes the address of b. */
static LLVMValueRef address_of(LLVMBasicBlockRef b)
{
	for (LLVMUseRef u = LLVMGetFirstUse(LLVMBasicBlockAsValue(b)); u; u = LLVMGetNextUse(u))
		if (LLVMIsABlockAddress(LLVMGetUser(u)))
			return LLVMGetUser(u);
	return NULL;
}

/* The blocks whose address is taken; b's number is its index + 1, for no label is NULL. */
struct labels {
	LLVMBasicBlockRef *v;
	unsigned n;
};

static void number_labels(struct ir *ir, LLVMValueRef f, struct labels *ret)
{
	FOR_EACH_BLOCK(b, f) {
		LLVMValueRef address = address_of(b);

		if (!address)
			continue;
		ret->v = xrealloc(ret->v, ret->n + 1, sizeof(*ret->v));
		ret->v[ret->n++] = b;
		LLVMReplaceAllUsesWith(address, LLVMConstIntToPtr(ir_i64(ir, ret->n), ir->ptr));
	}
}

/* 0 when nothing names it: then no value leads there. */
static unsigned number_of(const struct labels *labels, LLVMBasicBlockRef b)
{
	for (unsigned i = 0; i < labels->n; i++)
		if (labels->v[i] == b)
			return i + 1;
	return 0;
}

/* A destination may be listed several times, and its phis have an entry for each: the further ones get
 * numbers that no label has. */
static void expand(struct ir *ir, LLVMValueRef jump, const struct labels *labels, LLVMBasicBlockRef bad)
{
	unsigned n = LLVMGetNumSuccessors(jump), unused = labels->n + 1;
	uint8_t *seen = xalloc(labels->n + 1, 1);
	LLVMValueRef number, cases;

	ir_before(ir, jump);
	number = LLVMBuildPtrToInt(ir->builder, LLVMGetOperand(jump, 0), ir->i64, "");
	cases = LLVMBuildSwitch(ir->builder, number, bad, n);
	for (unsigned i = 0; i < n; i++) {
		LLVMBasicBlockRef to = LLVMGetSuccessor(jump, i);
		unsigned k = number_of(labels, to);

		if (!k || seen[k]++)
			k = unused++;
		LLVMAddCase(cases, ir_i64(ir, k), to);
	}
	LLVMInstructionEraseFromParent(jump);
	free(seen);
}

static void expand_all(struct ir *ir, LLVMValueRef f, const struct labels *labels)
{
	LLVMBasicBlockRef bad = NULL;

	ir_begin_function(ir, f);
	FOR_EACH_BLOCK(b, f) {
		LLVMValueRef end = LLVMGetBasicBlockTerminator(b);

		if (!end || LLVMGetInstructionOpcode(end) != LLVMIndirectBr)
			continue;
		if (!bad) {
			bad = ir_block(ir, f, "mtd.no.label");
			ir_at_end(ir, bad);
			ir_trap(ir);
		}
		expand(ir, end, labels, bad);
	}
}

void step_gotos(struct ir *ir)
{
	FOR_EACH_FUNCTION(f, ir) {
		struct labels labels = { 0 };

		number_labels(ir, f, &labels);
		expand_all(ir, f, &labels);
		free(labels.v);
	}
}
