/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/transform/instrument.h"

#include <stdlib.h>
#include <string.h>

static void add_site(struct job *j, LLVMValueRef call)
{
	LLVMSetTailCallKind(call, LLVMTailCallKindNone);
	ir_strip_call(call);
	j->sites = xrealloc(j->sites, j->n_sites + 1, sizeof(*j->sites));
	j->sites[j->n_sites++] = (struct site){ .call = call };
}

static void add_jump(struct job *j, LLVMValueRef call)
{
	if (LLVMGetNumArgOperands(call) > 1) {
		LLVMValueRef mask = LLVMGetOperand(call, 1);

		if (!LLVMIsAConstantInt(mask) || LLVMConstIntGetZExtValue(mask))
			ir_error(j->ir, call, "sigsetjmp that saves the signal mask is not supported; give "
					      "it 0");
	}
	j->jumps = xrealloc(j->jumps, j->n_jumps + 1, sizeof(*j->jumps));
	j->jumps[j->n_jumps++] = (struct set_jump){ .call = call };
}

static void collect(struct job *j)
{
	LLVMBasicBlockRef first = LLVMGetEntryBasicBlock(j->f);

	FOR_EACH_BLOCK(b, j->f) {
		FOR_EACH_INSTRUCTION(i, b) {
			/* Outside the first block an alloca makes a new variable each time. */
			if (b == first && LLVMIsAAllocaInst(i) &&
			    LLVMIsAConstantInt(LLVMGetOperand(i, 0))) {
				j->locals = xrealloc(j->locals, j->n_locals + 1, sizeof(*j->locals));
				j->locals[j->n_locals++] = i;
			}
			if (!ir_is_call(i))
				continue;
			if (ir_is_setjmp(i))
				add_jump(j, i);
			else if (program_call_may_switch(j->program, i))
				add_site(j, i);
		}
	}
}

static void isolate_sites(struct job *j)
{
	for (unsigned k = 0; k < j->n_sites; k++) {
		LLVMValueRef next = LLVMGetNextInstruction(j->sites[k].call);

		ir_split_before(j->ir, j->sites[k].call);
		ir_split_before(j->ir, next);
	}
}

/* ---- the way out at an exit point ------------------------------------------------------------ */

/* All returns go through one block, with the value in a variable. */
static LLVMBasicBlockRef join_returns(struct job *j, LLVMValueRef *ret_variable)
{
	LLVMTypeRef t = LLVMGetReturnType(LLVMGlobalGetValueType(j->f));
	LLVMBasicBlockRef out;

	*ret_variable = NULL;
	if (LLVMGetTypeKind(t) != LLVMVoidTypeKind) {
		ir_at_end(j->ir, j->entry);
		*ret_variable = LLVMBuildAlloca(j->ir->builder, t, "");
		LLVMBuildStore(j->ir->builder, LLVMConstNull(t), *ret_variable);
	}
	out = ir_block(j->ir, j->f, "mtd.out");
	FOR_EACH_BLOCK(b, j->f) {
		LLVMValueRef end = LLVMGetBasicBlockTerminator(b);

		if (!end || LLVMGetInstructionOpcode(end) != LLVMRet)
			continue;
		ir_before(j->ir, end);
		if (*ret_variable)
			LLVMBuildStore(j->ir->builder, LLVMGetOperand(end, 0), *ret_variable);
		LLVMBuildBr(j->ir->builder, out);
		LLVMInstructionEraseFromParent(end);
	}
	return out;
}

static void leave_function(struct job *j, LLVMValueRef value)
{
	job_leave_frame(j);
	if (value)
		LLVMBuildRet(j->ir->builder, value);
	else
		LLVMBuildRetVoid(j->ir->builder);
}

/* Counts down as an entry point does; the record of an exit holds the value to return. */
static void make_exit_point(struct job *j)
{
	struct ir *ir = j->ir;
	LLVMTypeRef t = LLVMGetReturnType(LLVMGlobalGetValueType(j->f));
	LLVMValueRef variable, decision, record, args[3], cases;
	LLVMBasicBlockRef out = join_returns(j, &variable), slow, done, unwind, resume;
	unsigned site = j->n_sites + 1;
	uint64_t size = variable ? (ir_size(ir, t) + 15) & ~15ull : 0;

	slow = ir_block(ir, j->f, "mtd.exit.slow");
	done = ir_block(ir, j->f, "mtd.exit.done");
	unwind = ir_block(ir, j->f, "mtd.exit.unwind");
	resume = ir_block(ir, j->f, "mtd.exit.resume");
	ir_at_end(ir, out);
	decision = LLVMBuildSub(ir->builder, ir_load(ir, ir->i64, ir->count), ir_i64(ir, 1), "");
	LLVMBuildStore(ir->builder, decision, ir->count);
	decision = LLVMBuildICmp(ir->builder, LLVMIntSLT, decision, ir_i64(ir, 0), "");
	ir_branch_rarely(ir, decision, slow, done);

	ir_at_end(ir, slow);
	args[0] = ir_i32(ir, j->id);
	args[1] = ir_i32(ir, 1);
	cases = LLVMBuildSwitch(ir->builder, ir_call(ir, ir->enter, args, 2), done, 1);
	LLVMAddCase(cases, ir_i32(ir, 1), unwind);

	ir_at_end(ir, unwind);
	args[1] = ir_i32(ir, site);
	args[2] = ir_i64(ir, (int64_t)size);
	record = ir_call(ir, ir->push, args, 3);
	if (variable)
		job_store(j, ir_load(ir, t, variable), record);
	leave_function(j, variable ? LLVMConstNull(t) : NULL);

	ir_at_end(ir, resume);
	if (variable)
		LLVMBuildStore(ir->builder, job_load(j, t, j->record), variable);
	ir_call(ir, ir->resumed, NULL, 0);
	LLVMBuildBr(ir->builder, done);
	LLVMAddCase(j->dispatch, ir_i32(ir, site), resume);

	ir_at_end(ir, done);
	leave_function(j, variable ? ir_load(ir, t, variable) : NULL);
}

static void make_plain_exit(struct job *j)
{
	FOR_EACH_BLOCK(b, j->f) {
		LLVMValueRef end = LLVMGetBasicBlockTerminator(b);

		if (!end || LLVMGetInstructionOpcode(end) != LLVMRet)
			continue;
		ir_before(j->ir, end);
		job_leave_frame(j);
	}
}

/* ---- the way in ------------------------------------------------------------------------------ */

static void make_dispatcher(struct job *j)
{
	struct ir *ir = j->ir;
	LLVMBasicBlockRef bad = ir_block(ir, j->f, "mtd.bad");
	LLVMValueRef id = ir_i32(ir, j->id), site;

	j->rewind = ir_block(ir, j->f, "mtd.rewind");
	ir_at_end(ir, bad);
	ir_trap(ir);
	ir_at_end(ir, j->rewind);
	j->record = ir_call(ir, ir->pop, &id, 1);
	/* struct mtd_record begins 16 bytes before its payload. */
	site = ir_load(ir, ir->i32, ir_offset(ir, j->record, -16));
	j->dispatch = LLVMBuildSwitch(ir->builder, site, bad, j->n_sites + 2);
}

void job_store(struct job *j, LLVMValueRef v, LLVMValueRef p)
{
	LLVMValueRef store = LLVMBuildStore(j->ir->builder, v, p);

	LLVMSetAlignment(store, (unsigned)ir_align(j->ir, LLVMTypeOf(v)));
}

LLVMValueRef job_load(struct job *j, LLVMTypeRef t, LLVMValueRef p)
{
	LLVMValueRef load = ir_load(j->ir, t, p);

	LLVMSetAlignment(load, (unsigned)ir_align(j->ir, t));
	return load;
}

static void save_sets(struct job *j)
{
	size_t bytes = j->live.words * sizeof(uint64_t);

	for (unsigned k = 0; k < j->n_sites; k++) {
		struct site *s = &j->sites[k];
		int result = liveness_number(&j->live, s->call);
		int callee = liveness_number(&j->live, LLVMGetCalledValue(s->call));

		s->saved = xalloc(j->live.words, sizeof(uint64_t));
		memcpy(s->saved, liveness_out(&j->live, LLVMGetInstructionParent(s->call)), bytes);
		if (result >= 0)
			set_remove(s->saved, (unsigned)result);
		/* The call is issued again: through the same pointer. */
		if (callee >= 0)
			set_add(s->saved, (unsigned)callee);
	}
	for (unsigned k = 0; k < j->n_jumps; k++) {
		struct set_jump *s = &j->jumps[k];

		s->saved = xalloc(j->live.words, sizeof(uint64_t));
		memcpy(s->saved, liveness_out(&j->live, LLVMGetInstructionParent(s->call)), bytes);
	}
}

static void job_free(struct job *j)
{
	for (unsigned k = 0; k < j->n_sites; k++)
		free(j->sites[k].saved);
	for (unsigned k = 0; k < j->n_jumps; k++)
		free(j->jumps[k].saved);
	free(j->sites);
	free(j->jumps);
	free(j->locals);
	free(j->slot);
	liveness_free(&j->live);
}

void instrument(struct ir *ir, const struct program *p, unsigned id, struct statistics *stats)
{
	struct job j = { .ir = ir, .program = p, .stats = stats, .id = id, .f = p->fns[id].value };

	ir_begin_function(ir, j.f);
	ir_strip_function(j.f);
	collect(&j);
	isolate_sites(&j);
	job_make_frame(&j);
	job_lower_setjmp(&j);
	j.body = LLVMGetNextBasicBlock(j.entry);
	liveness_compute(j.f, &j.live);
	save_sets(&j);
	job_place_jump_areas(&j);
	job_choose_slots(&j);
	job_make_slots(&j);
	job_finish_frame(&j);
	job_make_jump_blocks(&j);
	make_dispatcher(&j);
	if (p->fns[id].exit)
		make_exit_point(&j);
	else
		make_plain_exit(&j);
	job_make_records(&j);
	stats->functions++;
	stats->sites += j.n_sites;
	job_free(&j);
}
