/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/transform/steps.h"

static void copy_for_callee(struct ir *ir, LLVMValueRef f, LLVMValueRef call, unsigned arg,
			    LLVMTypeRef t)
{
	unsigned align = (unsigned)ir_align(ir, t);
	LLVMValueRef copy = ir_entry_alloca(ir, f, t, align);

	ir_before(ir, call);
	LLVMBuildMemCpy(ir->builder, copy, align, LLVMGetOperand(call, arg), 1,
			ir_i64(ir, (int64_t)ir_size(ir, t)));
	LLVMSetOperand(call, arg, copy);
	/* A tail call must not refer to its caller's frame. */
	LLVMSetTailCall(call, false);
}

static void lower_call(struct ir *ir, LLVMValueRef f, LLVMValueRef call, unsigned kind)
{
	for (unsigned i = 0; i < LLVMGetNumArgOperands(call); i++) {
		LLVMAttributeRef a = LLVMGetCallSiteEnumAttribute(call, i + 1, kind);

		if (!a)
			continue;
		copy_for_callee(ir, f, call, i, LLVMGetTypeAttributeValue(a));
		LLVMRemoveCallSiteEnumAttribute(call, i + 1, kind);
	}
}

void step_byval(struct ir *ir)
{
	unsigned kind = LLVMGetEnumAttributeKindForName("byval", 5);

	FOR_EACH_FUNCTION(f, ir) {
		if (LLVMGetIntrinsicID(f))
			continue;
		for (unsigned i = 0; i < LLVMCountParams(f); i++)
			LLVMRemoveEnumAttributeAtIndex(f, i + 1, kind);
		ir_begin_function(ir, f);
		FOR_EACH_BLOCK(b, f)
			FOR_EACH_INSTRUCTION(i, b)
				if (ir_is_call(i) && !ir_is_inline_asm(i))
					lower_call(ir, f, i, kind);
	}
}
