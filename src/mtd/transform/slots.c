/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values that a record or a jump area may hold get a variable each, a slot: stored where the value is
 * made, loaded before each use. After the new edges are there, mem2reg puts in the phis.
 *
 * In functions with very many calls and values (an interpreter's loop) the phis would be too many: one
 * for each value at each call, and as many again where ways meet; and so would be the instructions that
 * fill and read records. LLVM takes minutes for 100 000 of them. There the slots are in the shadow
 * frame, which moves with the thread: records are empty.
 */
#include "mtd/transform/instrument.h"

#include "mtd/transform/index.h"

#include <stdlib.h>
#include <string.h>

/* A record for each of 100 calls, with 30 values each. */
#define VALUES_FOR_PHIS 3000

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
	if (j->in_memory)
		return ir_offset(ir, j->frame, (int64_t)job_place(j, ir_size(ir, t), ir_align(ir, t)));
	slot = LLVMBuildAlloca(ir->builder, t, "");
	LLVMBuildStore(ir->builder, LLVMIsAArgument(v) ? v : LLVMConstNull(t), slot);
	return slot;
}

/* The first load of a block serves all of it: a slot changes only where the value is made. */
static LLVMValueRef load_for_block(struct job *j, LLVMValueRef v, LLVMValueRef slot,
				   LLVMBasicBlockRef b)
{
	LLVMValueRef *load = &j->loads[index_get(j->live.block_index, b)];
	LLVMValueRef at = LLVMGetFirstInstruction(b);

	if (LLVMIsAInstruction(v) && LLVMGetInstructionParent(v) == b)
		return v;
	if (*load)
		return *load;
	while (LLVMIsAPHINode(at))
		at = LLVMGetNextInstruction(at);
	ir_before(j->ir, at);
	return *load = job_load(j, LLVMTypeOf(v), slot);
}

static LLVMValueRef value_before(struct job *j, LLVMValueRef v, LLVMValueRef slot, LLVMValueRef at)
{
	if (j->in_memory)
		return load_for_block(j, v, slot, LLVMGetInstructionParent(at));
	ir_before(j->ir, at);
	return ir_load(j->ir, LLVMTypeOf(v), slot);
}

/* A phi reads at the end of the block that it comes from; two entries for one block have to agree. */
static void load_for_phi(struct job *j, LLVMValueRef phi, LLVMValueRef v, LLVMValueRef slot)
{
	unsigned n = LLVMCountIncoming(phi);

	for (unsigned k = 0; k < n; k++) {
		LLVMBasicBlockRef from = LLVMGetIncomingBlock(phi, k);
		LLVMValueRef value;

		if (LLVMGetIncomingValue(phi, k) != v)
			continue;
		value = value_before(j, v, slot, LLVMGetBasicBlockTerminator(from));
		for (unsigned m = k; m < n; m++)
			if (LLVMGetIncomingBlock(phi, m) == from)
				LLVMSetOperand(phi, m, value);
	}
}

static void load_for_user(struct job *j, LLVMValueRef user, LLVMValueRef v, LLVMValueRef slot)
{
	LLVMValueRef value;

	if (LLVMIsAPHINode(user)) {
		load_for_phi(j, user, v, slot);
		return;
	}
	value = value_before(j, v, slot, user);
	for (int k = 0; k < LLVMGetNumOperands(user); k++)
		if (LLVMGetOperand(user, (unsigned)k) == v)
			LLVMSetOperand(user, (unsigned)k, value);
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
	job_store(j, v, slot);
}

/* Values in the records of all calls, that is, phis that mem2reg would need at the least. */
void job_choose_slots(struct job *j)
{
	unsigned n = 0;

	for (unsigned k = 0; k < j->n_sites; k++)
		n += set_count(j->sites[k].saved, j->live.words);
	j->in_memory = n > VALUES_FOR_PHIS;
	if (!j->in_memory)
		return;
	ir_mark(j->ir, j->f, IN_MEMORY);
	if (!j->frame)
		job_enter_frame(j);
	for (unsigned k = 0; k < j->n_sites; k++)
		memset(j->sites[k].saved, 0, j->live.words * sizeof(uint64_t));
}

void job_store_arguments(struct job *j)
{
	for (unsigned x = 0; x < j->live.n_values; x++)
		if (j->slot[x] && LLVMIsAArgument(j->live.values[x]))
			job_store(j, j->live.values[x], j->slot[x]);
}

void job_make_slots(struct job *j)
{
	uint64_t *keep = values_to_keep(j);

	j->loads = xalloc(j->live.n_blocks, sizeof(*j->loads));
	j->slot = xalloc(j->live.n_values, sizeof(*j->slot));
	for (unsigned x = 0; x < j->live.n_values; x++)
		if (set_has(keep, x))
			j->slot[x] = make_slot(j, j->live.values[x]);
	for (unsigned x = 0; x < j->live.n_values; x++) {
		if (!j->slot[x])
			continue;
		memset(j->loads, 0, j->live.n_blocks * sizeof(*j->loads));
		replace_uses(j, j->live.values[x], j->slot[x]);
		if (!LLVMIsAArgument(j->live.values[x]))
			store_where_made(j, j->live.values[x], j->slot[x]);
	}
	free(j->loads);
	free(keep);
}
