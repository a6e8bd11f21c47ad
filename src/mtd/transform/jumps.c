/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setjmp notes the shadow frame and keeps the values that are live behind it in that frame; longjmp
 * unwinds (mode MTD_JUMP, nothing is recorded) until a function that has called setjmp finds its own
 * frame in the buffer; there it loads the values and returns from setjmp again. Variables in memory
 * have their last value, others that of the first return: what ISO C asks for (7.13.2.1).
 */
#include "mtd/transform/instrument.h"

#include <string.h>

void job_lower_setjmp(struct job *j)
{
	struct ir *ir = j->ir;

	for (unsigned k = 0; k < j->n_jumps; k++) {
		struct set_jump *s = &j->jumps[k];
		LLVMValueRef args[] = { LLVMGetOperand(s->call, 0), j->frame, ir_i32(ir, k + 1) };
		LLVMValueRef call, value;

		ir_at_end(ir, j->entry);
		s->result = LLVMBuildAlloca(ir->builder, ir->i32, "");
		LLVMBuildStore(ir->builder, ir_i32(ir, 0), s->result);
		ir_before(ir, s->call);
		call = ir_call(ir, ir->set_jump, args, 3);
		value = ir_load(ir, ir->i32, s->result);
		LLVMReplaceAllUsesWith(s->call, value);
		LLVMInstructionEraseFromParent(s->call);
		s->call = call;
		ir_split_before(ir, call);
		ir_split_before(ir, value);
	}
	if (j->n_jumps)
		LLVMRemoveEnumAttributeAtIndex(
			j->f, LLVMAttributeFunctionIndex,
			LLVMGetEnumAttributeKindForName("returns_twice", 13));
}

/* 16 bytes for the top of the shadow stack, then 16-byte units. */
static uint64_t unit(struct job *j, unsigned x)
{
	return (ir_size(j->ir, LLVMTypeOf(j->live.values[x])) + 15) & ~15ull;
}

void job_place_jump_areas(struct job *j)
{
	for (unsigned k = 0; k < j->n_jumps; k++) {
		struct set_jump *s = &j->jumps[k];

		j->frame_size = (j->frame_size + 15) & ~15ull;
		s->area = j->frame_size;
		j->frame_size += 16;
		for (unsigned x = 0; x < j->live.n_values; x++)
			if (set_has(s->saved, x))
				j->frame_size += unit(j, x);
	}
}

static LLVMValueRef in_frame(struct job *j, uint64_t at)
{
	return ir_offset(j->ir, j->frame, (int64_t)at);
}

/* After the first return of setjmp. */
static void keep_values(struct job *j, struct set_jump *s, LLVMValueRef before)
{
	struct ir *ir = j->ir;
	uint64_t at = s->area + 16;

	ir_before(ir, before);
	if (j->dynamic)
		LLVMBuildStore(ir->builder, ir_load(ir, ir->ptr, ir->ssp), in_frame(j, s->area));
	for (unsigned x = 0; x < j->live.n_values; x++) {
		LLVMTypeRef t = LLVMTypeOf(j->live.values[x]);

		if (!set_has(s->saved, x))
			continue;
		job_store(j, ir_load(ir, t, j->slot[x]), in_frame(j, at));
		at += unit(j, x);
	}
	LLVMBuildStore(ir->builder, ir_i32(ir, 0), s->result);
}

/* The second return. */
static void bring_values_back(struct job *j, struct set_jump *s, LLVMBasicBlockRef tail)
{
	struct ir *ir = j->ir;
	uint64_t at = s->area + 16;

	s->back = ir_block(ir, j->f, "mtd.longjmp");
	ir_at_end(ir, s->back);
	if (j->dynamic)
		LLVMBuildStore(ir->builder, ir_load(ir, ir->ptr, in_frame(j, s->area)), ir->ssp);
	else
		LLVMBuildStore(ir->builder, j->frame, ir->ssp);
	for (unsigned x = 0; x < j->live.n_values; x++) {
		LLVMTypeRef t = LLVMTypeOf(j->live.values[x]);

		if (!set_has(s->saved, x))
			continue;
		LLVMBuildStore(ir->builder, job_load(j, t, in_frame(j, at)), j->slot[x]);
		at += unit(j, x);
	}
	LLVMBuildStore(ir->builder, ir_call(ir, ir->jump_value, NULL, 0), s->result);
	LLVMBuildBr(ir->builder, tail);
}

void job_make_jump_blocks(struct job *j)
{
	for (unsigned k = 0; k < j->n_jumps; k++) {
		struct set_jump *s = &j->jumps[k];
		LLVMBasicBlockRef b = LLVMGetInstructionParent(s->call);
		LLVMValueRef end = LLVMGetBasicBlockTerminator(b);

		keep_values(j, s, end);
		bring_values_back(j, s, LLVMGetSuccessor(end, 0));
	}
}

void job_catch_jump(struct job *j)
{
	struct ir *ir = j->ir;
	LLVMBasicBlockRef other;
	LLVMValueRef here, cases;

	if (!j->n_jumps)
		return;
	other = ir_block(ir, j->f, "mtd.unwind");
	here = ir_call(ir, ir->jump_here, &j->frame, 1);
	cases = LLVMBuildSwitch(ir->builder, here, other, j->n_jumps);
	for (unsigned k = 0; k < j->n_jumps; k++)
		LLVMAddCase(cases, ir_i32(ir, k + 1), j->jumps[k].back);
	ir_at_end(ir, other);
}

void step_longjmp(struct ir *ir)
{
	static const char *const names[] = { "longjmp", "_longjmp", "siglongjmp" };

	for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
		LLVMValueRef f = LLVMGetNamedFunction(ir->module, names[k]);

		if (!f || ir_is_defined(f))
			continue;
		LLVMReplaceAllUsesWith(f, ir->jump.fn);
		LLVMDeleteFunction(f);
	}
}
