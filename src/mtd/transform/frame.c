/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/transform/instrument.h"

static void drop_lifetimes(struct job *j)
{
	FOR_EACH_BLOCK(b, j->f)
		FOR_EACH_INSTRUCTION(i, b)
			if (ir_is_intrinsic(i, "llvm.lifetime") || ir_is_intrinsic(i, "llvm.invariant"))
				LLVMInstructionEraseFromParent(i);
}

static bool is_local(const struct job *j, LLVMValueRef i)
{
	for (unsigned k = 0; k < j->n_locals; k++)
		if (j->locals[k] == i)
			return true;
	return false;
}

static bool has_dynamic(const struct job *j)
{
	FOR_EACH_BLOCK(b, j->f)
		FOR_EACH_INSTRUCTION(i, b)
			if ((LLVMIsAAllocaInst(i) && !is_local(j, i)) ||
			    ir_is_intrinsic(i, "llvm.stacksave"))
				return true;
	return false;
}

uint64_t job_place(struct job *j, uint64_t size, uint64_t align)
{
	uint64_t at = (j->frame_size + align - 1) & ~(align - 1);

	j->frame_size = at + size;
	return at;
}

static uint64_t place(struct job *j, LLVMValueRef local)
{
	uint64_t align = LLVMGetAlignment(local);
	uint64_t n = LLVMConstIntGetZExtValue(LLVMGetOperand(local, 0));

	return job_place(j, n * ir_size(j->ir, LLVMGetAllocatedType(local)), align < 8 ? 8 : align);
}

/* The size is patched in by job_finish_frame(). */
void job_enter_frame(struct job *j)
{
	struct ir *ir = j->ir;

	ir_at_end(ir, j->entry);
	j->frame = ir_offset(ir, ir_load(ir, ir->ptr, ir->ssp), -16);
	LLVMBuildStore(ir->builder, j->frame, ir->ssp);
}

static void lower_alloca(struct job *j, LLVMValueRef a)
{
	struct ir *ir = j->ir;
	uint64_t size = ir_size(ir, LLVMGetAllocatedType(a));
	LLVMValueRef n, top, p;

	ir_before(ir, a);
	n = LLVMBuildZExtOrBitCast(ir->builder, LLVMGetOperand(a, 0), ir->i64, "");
	n = LLVMBuildMul(ir->builder, n, ir_i64(ir, (int64_t)size), "");
	top = LLVMBuildPtrToInt(ir->builder, ir_load(ir, ir->ptr, ir->ssp), ir->i64, "");
	top = LLVMBuildSub(ir->builder, top, n, "");
	top = LLVMBuildAnd(ir->builder, top, ir_i64(ir, -16), "");
	p = LLVMBuildIntToPtr(ir->builder, top, ir->ptr, "");
	LLVMBuildStore(ir->builder, p, ir->ssp);
	LLVMReplaceAllUsesWith(a, p);
	LLVMInstructionEraseFromParent(a);
}

static void lower_dynamic(struct job *j)
{
	struct ir *ir = j->ir;

	FOR_EACH_BLOCK(b, j->f) {
		FOR_EACH_INSTRUCTION(i, b) {
			if (LLVMIsAAllocaInst(i)) {
				lower_alloca(j, i);
			} else if (ir_is_intrinsic(i, "llvm.stacksave")) {
				ir_before(ir, i);
				LLVMReplaceAllUsesWith(i, ir_load(ir, ir->ptr, ir->ssp));
				LLVMInstructionEraseFromParent(i);
			} else if (ir_is_intrinsic(i, "llvm.stackrestore")) {
				ir_before(ir, i);
				LLVMBuildStore(ir->builder, LLVMGetOperand(i, 0), ir->ssp);
				LLVMInstructionEraseFromParent(i);
			}
		}
	}
}

void job_make_frame(struct job *j)
{
	LLVMBasicBlockRef first = LLVMGetEntryBasicBlock(j->f);

	drop_lifetimes(j);
	j->dynamic = has_dynamic(j);
	j->entry = LLVMInsertBasicBlockInContext(j->ir->context, first, "mtd.entry");
	if (j->n_locals || j->dynamic || j->n_jumps)
		job_enter_frame(j);
	for (unsigned k = 0; k < j->n_locals; k++) {
		uint64_t at = place(j, j->locals[k]);

		ir_at_end(j->ir, j->entry);
		LLVMReplaceAllUsesWith(j->locals[k], ir_offset(j->ir, j->frame, (int64_t)at));
		LLVMInstructionEraseFromParent(j->locals[k]);
	}
	if (j->dynamic)
		lower_dynamic(j);
}

void job_finish_frame(struct job *j)
{
	j->frame_size = (j->frame_size + 15) & ~15ull;
	if (j->n_jumps && !j->frame_size)
		j->frame_size = 16;	/* jump buffers know a frame by its address */
	if (j->frame)
		LLVMSetOperand(j->frame, 1, ir_i64(j->ir, -(int64_t)j->frame_size));
}

void job_leave_frame(struct job *j)
{
	if (j->frame)
		LLVMBuildStore(j->ir->builder, ir_offset(j->ir, j->frame, (int64_t)j->frame_size),
			       j->ir->ssp);
}
