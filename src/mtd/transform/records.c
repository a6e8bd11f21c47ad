/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/transform/instrument.h"

#include <stdlib.h>
#include <string.h>

/* Where the values of a set are in a record's payload; a variable top of the stack comes first. */
struct payload {
	uint64_t *offset;	/* by the value's number */
	uint64_t size;		/* a multiple of 16 */
};

static struct payload lay_out(struct job *j, const uint64_t *set)
{
	struct payload p = { .offset = xalloc(j->live.n_values, sizeof(*p.offset)) };
	uint64_t at = j->dynamic ? 8 : 0;

	for (unsigned x = 0; x < j->live.n_values; x++) {
		LLVMTypeRef t;
		uint64_t align;

		if (!set_has(set, x))
			continue;
		t = LLVMTypeOf(j->live.values[x]);
		align = ir_align(j->ir, t);
		at = (at + align - 1) & ~(align - 1);
		p.offset[x] = at;
		at += ir_size(j->ir, t);
		j->stats->values++;
	}
	p.size = (at + 15) & ~15ull;
	if (p.size > j->stats->largest_record)
		j->stats->largest_record = p.size;
	return p;
}

static void make_unwind(struct job *j, LLVMBasicBlockRef b, unsigned site, const uint64_t *set,
			const struct payload *p)
{
	struct ir *ir = j->ir;
	LLVMTypeRef returns = LLVMGetReturnType(LLVMGlobalGetValueType(j->f));
	LLVMValueRef args[] = { ir_i32(ir, j->id), ir_i32(ir, site), ir_i64(ir, (int64_t)p->size) };
	LLVMValueRef record;

	ir_at_end(ir, b);
	if (site)
		job_catch_jump(j);
	else if (j->in_memory)
		job_store_arguments(j);
	record = ir_call(ir, ir->push, args, 3);
	if (j->dynamic)
		LLVMBuildStore(ir->builder, ir_load(ir, ir->ptr, ir->ssp), record);
	for (unsigned x = 0; x < j->live.n_values; x++)
		if (set_has(set, x))
			job_store(j, ir_load(ir, LLVMTypeOf(j->live.values[x]), j->slot[x]),
				  ir_offset(ir, record, (int64_t)p->offset[x]));
	job_leave_frame(j);
	if (LLVMGetTypeKind(returns) == LLVMVoidTypeKind)
		LLVMBuildRetVoid(ir->builder);
	else
		LLVMBuildRet(ir->builder, LLVMConstNull(returns));
}

static void make_resume(struct job *j, LLVMBasicBlockRef b, unsigned site, const uint64_t *set,
			const struct payload *p, LLVMBasicBlockRef to)
{
	struct ir *ir = j->ir;

	ir_at_end(ir, b);
	if (j->dynamic)
		LLVMBuildStore(ir->builder, ir_load(ir, ir->ptr, j->record), ir->ssp);
	for (unsigned x = 0; x < j->live.n_values; x++) {
		LLVMTypeRef t = LLVMTypeOf(j->live.values[x]);

		if (set_has(set, x))
			LLVMBuildStore(ir->builder,
				       job_load(j, t, ir_offset(ir, j->record, (int64_t)p->offset[x])),
				       j->slot[x]);
	}
	/* At its point the thread runs again; a call in between is issued again, still rewinding. */
	if (!site)
		ir_call(ir, ir->resumed, NULL, 0);
	LLVMBuildBr(ir->builder, to);
	LLVMAddCase(j->dispatch, ir_i32(ir, site), b);
}

/* The check after a call: does the thread unwind? */
static void check_after(struct job *j, LLVMBasicBlockRef call_block, LLVMBasicBlockRef unwind)
{
	struct ir *ir = j->ir;
	LLVMValueRef end = LLVMGetBasicBlockTerminator(call_block), mode;
	LLVMBasicBlockRef tail = LLVMGetSuccessor(end, 0);

	ir_before(ir, end);
	mode = LLVMBuildICmp(ir->builder, LLVMIntNE, ir_load(ir, ir->i32, ir->mode), ir_i32(ir, 0), "");
	ir_branch_rarely(ir, mode, unwind, tail);
	LLVMInstructionEraseFromParent(end);
}

static LLVMBasicBlockRef make_record(struct job *j, unsigned site, const uint64_t *set,
				     LLVMBasicBlockRef to)
{
	struct payload p = lay_out(j, set);
	LLVMBasicBlockRef unwind = ir_block(j->ir, j->f, "mtd.unwind");
	LLVMBasicBlockRef resume = ir_block(j->ir, j->f, "mtd.resume");

	make_unwind(j, unwind, site, set, &p);
	make_resume(j, resume, site, set, &p, to);
	free(p.offset);
	return unwind;
}

/* Is the thread to leave the usual way at the function's begin? */
static LLVMValueRef entry_condition(struct job *j)
{
	struct ir *ir = j->ir;
	LLVMValueRef count;

	if (!j->program->fns[j->id].entry)
		return LLVMBuildICmp(ir->builder, LLVMIntNE, ir_load(ir, ir->i32, ir->mode),
				     ir_i32(ir, 0), "");
	count = LLVMBuildSub(ir->builder, ir_load(ir, ir->i64, ir->count), ir_i64(ir, 1), "");
	LLVMBuildStore(ir->builder, count, ir->count);
	return LLVMBuildICmp(ir->builder, LLVMIntSLT, count, ir_i64(ir, 0), "");
}

/* Where the function begins, not where it goes on. */
static LLVMBasicBlockRef make_begin(struct job *j)
{
	LLVMBasicBlockRef b;

	if (!j->in_memory)
		return j->body;
	b = ir_block(j->ir, j->f, "mtd.begin");
	ir_at_end(j->ir, b);
	job_store_arguments(j);
	LLVMBuildBr(j->ir->builder, j->body);
	return b;
}

static void make_entry(struct job *j, LLVMBasicBlockRef unwind)
{
	struct ir *ir = j->ir;
	LLVMBasicBlockRef slow = ir_block(ir, j->f, "mtd.slow"), begin = make_begin(j);
	LLVMValueRef args[] = { ir_i32(ir, j->id), ir_i32(ir, 0) }, cases;

	ir_at_end(ir, j->entry);
	ir_branch_rarely(ir, entry_condition(j), slow, begin);
	ir_at_end(ir, slow);
	if (!unwind) {
		LLVMBuildBr(ir->builder, j->rewind);
		return;
	}
	cases = LLVMBuildSwitch(ir->builder, ir_call(ir, ir->enter, args, 2), begin, 2);
	LLVMAddCase(cases, ir_i32(ir, 1), unwind);
	LLVMAddCase(cases, ir_i32(ir, 2), j->rewind);
}

void job_make_records(struct job *j)
{
	LLVMBasicBlockRef first = NULL;
	uint64_t *arguments = xalloc(j->live.words, sizeof(*arguments));

	if (!j->in_memory)
		memcpy(arguments, liveness_in(&j->live, j->body), j->live.words * sizeof(*arguments));
	for (unsigned k = 0; k < j->n_sites; k++) {
		LLVMBasicBlockRef b = LLVMGetInstructionParent(j->sites[k].call);

		check_after(j, b, make_record(j, k + 1, j->sites[k].saved, b));
	}
	if (j->program->fns[j->id].entry)
		first = make_record(j, 0, arguments, j->body);
	make_entry(j, first);
	free(arguments);
}
