/* SPDX-License-Identifier: Apache-2.0 */
/* Values that a record or a jump area may hold get a variable each: stored where the value is made,
 * loaded before each use. After the new edges are there, mem2reg puts in the phis. */
#include "mtd/transform/instrument.h"

#include <stdlib.h>

static void add_set(uint64_t *to, const uint64_t *from, unsigned words)
{
	for (unsigned w = 0; w < words; w++)
		to[w] |= from[w];
}

/* What is live where the new edges arrive: at the calls and at the first block (arguments). */
static uint64_t *values_to_keep(struct job *j)
{
	struct liveness *l = &j->live;
	uint64_t *set = xalloc(l->words, sizeof(*set));

	for (unsigned k = 0; k < j->n_sites; k++)
		add_set(set, liveness_in(l, LLVMGetInstructionParent(j->sites[k].call)), l->words);
	for (unsigned k = 0; k < j->n_jumps; k++)
		add_set(set, liveness_in(l, LLVMGetInstructionParent(j->jumps[k].call)), l->words);
	add_set(set, liveness_in(l, j->body), l->words);
	return set;
}

static LLVMValueRef make_slot(struct job *j, LLVMValueRef v)
{
	struct ir *ir = j->ir;
	LLVMTypeRef t = LLVMTypeOf(v);
	LLVMValueRef slot;

	ir_at_end(ir, j->entry);
	slot = LLVMBuildAlloca(ir->builder, t, "");
	LLVMBuildStore(ir->builder, LLVMIsAArgument(v) ? v : LLVMConstNull(t), slot);
	return slot;
}

/* A phi reads at the end of the block that it comes from; two entries for one block have to agree. */
static void load_for_phi(struct job *j, LLVMValueRef phi, LLVMValueRef v, LLVMValueRef slot)
{
	unsigned n = LLVMCountIncoming(phi);

	for (unsigned k = 0; k < n; k++) {
		LLVMBasicBlockRef from = LLVMGetIncomingBlock(phi, k);
		LLVMValueRef load;

		if (LLVMGetIncomingValue(phi, k) != v)
			continue;
		ir_before(j->ir, LLVMGetBasicBlockTerminator(from));
		load = ir_load(j->ir, LLVMTypeOf(v), slot);
		for (unsigned m = k; m < n; m++)
			if (LLVMGetIncomingBlock(phi, m) == from)
				LLVMSetOperand(phi, m, load);
	}
}

static void load_for_user(struct job *j, LLVMValueRef user, LLVMValueRef v, LLVMValueRef slot)
{
	LLVMValueRef load;

	if (LLVMIsAPHINode(user)) {
		load_for_phi(j, user, v, slot);
		return;
	}
	ir_before(j->ir, user);
	load = ir_load(j->ir, LLVMTypeOf(v), slot);
	for (int k = 0; k < LLVMGetNumOperands(user); k++)
		if (LLVMGetOperand(user, (unsigned)k) == v)
			LLVMSetOperand(user, (unsigned)k, load);
}

/* Users first: replacing changes the list. A user that is in it twice is replaced once. */
static void replace_uses(struct job *j, LLVMValueRef v, LLVMValueRef slot)
{
	LLVMValueRef *users = NULL;
	unsigned n = 0;

	for (LLVMUseRef u = LLVMGetFirstUse(v); u; u = LLVMGetNextUse(u)) {
		LLVMValueRef user = LLVMGetUser(u);

		if (!LLVMIsAInstruction(user) || LLVMGetInstructionParent(user) == j->entry)
			continue;
		if ((n & (n - 1)) == 0)
			users = xrealloc(users, n ? n * 2 : 1, sizeof(*users));
		users[n++] = user;
	}
	for (unsigned k = 0; k < n; k++) {
		bool still = false;

		for (int o = 0; o < LLVMGetNumOperands(users[k]) && !still; o++)
			still = LLVMGetOperand(users[k], (unsigned)o) == v;
		if (still)
			load_for_user(j, users[k], v, slot);
	}
	free(users);
}

static void store_where_made(struct job *j, LLVMValueRef v, LLVMValueRef slot)
{
	LLVMValueRef at = LLVMGetNextInstruction(v);

	while (LLVMIsAPHINode(at))
		at = LLVMGetNextInstruction(at);
	ir_before(j->ir, at);
	LLVMBuildStore(j->ir->builder, v, slot);
}

void job_make_slots(struct job *j)
{
	uint64_t *keep = values_to_keep(j);

	j->slot = xalloc(j->live.n_values, sizeof(*j->slot));
	for (unsigned x = 0; x < j->live.n_values; x++)
		if (set_has(keep, x))
			j->slot[x] = make_slot(j, j->live.values[x]);
	for (unsigned x = 0; x < j->live.n_values; x++) {
		if (!j->slot[x])
			continue;
		replace_uses(j, j->live.values[x], j->slot[x]);
		if (!LLVMIsAArgument(j->live.values[x]))
			store_where_made(j, j->live.values[x], j->slot[x]);
	}
	free(keep);
}
