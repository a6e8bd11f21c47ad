/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/transform/steps.h"

#include <string.h>

static bool is_of_one_isa(LLVMTypeRef t)
{
	switch (LLVMGetTypeKind(t)) {
	case LLVMX86_FP80TypeKind:
	case LLVMX86_AMXTypeKind:
	case LLVMPPC_FP128TypeKind:
	case LLVMScalableVectorTypeKind:
		return true;
	case LLVMVectorTypeKind:
	case LLVMArrayTypeKind:
		return is_of_one_isa(LLVMGetElementType(t));
	case LLVMStructTypeKind:
		for (unsigned i = 0; i < LLVMCountStructElementTypes(t); i++)
			if (is_of_one_isa(LLVMStructGetTypeAtIndex(t, i)))
				return true;
		return false;
	default:
		return false;
	}
}

static void check_types(struct ir *ir, LLVMValueRef i)
{
	bool bad = is_of_one_isa(LLVMTypeOf(i));

	for (int k = 0; !bad && k < LLVMGetNumOperands(i); k++)
		bad = is_of_one_isa(LLVMTypeOf(LLVMGetOperand(i, (unsigned)k)));
	if (bad)
		ir_error(ir, i, "a value has a type that only one instruction set has (long double of "
				"x87?); build all files with chiral cc");
}

static void check_call(struct ir *ir, LLVMValueRef call)
{
	static const char *const of_isa[] = { "llvm.x86.", "llvm.aarch64.", "llvm.arm." };
	LLVMValueRef callee = LLVMGetCalledValue(call);
	size_t len = 0;

	if (LLVMIsAInlineAsm(callee)) {
		/* Empty assembly only keeps the compiler from reordering: it has no instruction. */
		LLVMGetInlineAsmAsmString(callee, &len);
		if (len)
			ir_error(ir, call, "inline assembly fits one instruction set; use the C variant of "
					   "this code");
	}
	for (size_t i = 0; i < sizeof(of_isa) / sizeof(*of_isa); i++)
		if (ir_is_intrinsic(call, of_isa[i]))
			ir_error(ir, call, "the intrinsic %s fits one instruction set; use the C variant "
					   "of this code", ir_name(ir_called(call)));
	if (ir_is_intrinsic(call, "llvm.returnaddress") || ir_is_intrinsic(call, "llvm.frameaddress") ||
	    ir_is_intrinsic(call, "llvm.eh."))
		ir_error(ir, call, "the program asks for its native stack (%s), which does not move",
			 ir_name(ir_called(call)));
	if (LLVMGetTailCallKind(call) == LLVMTailCallKindMustTail)
		ir_error(ir, call, "a call must be a tail call (musttail), which cannot be unwound");
}

static void check_instruction(struct ir *ir, LLVMValueRef i)
{
	switch (LLVMGetInstructionOpcode(i)) {
	case LLVMCall:
		check_call(ir, i);
		break;
	case LLVMInvoke:
	case LLVMLandingPad:
	case LLVMResume:
		ir_error(ir, i, "C++ exceptions (or cleanup on unwinding) are not supported");
		return;
	case LLVMCallBr:
		ir_error(ir, i, "asm goto fits one instruction set; use the C variant of this code");
		return;
	case LLVMVAArg:
		ir_error(ir, i, "a va_arg instruction is left; build all files with chiral cc");
		return;
	case LLVMAlloca:
		if (LLVMGetAlignment(i) > 16)
			ir_error(ir, i, "a local variable is aligned to %u bytes; 16 is the most",
				 LLVMGetAlignment(i));
		break;
	default:
		break;
	}
	check_types(ir, i);
}

void step_check(struct ir *ir)
{
	FOR_EACH_FUNCTION(f, ir)
		FOR_EACH_BLOCK(b, f)
			FOR_EACH_INSTRUCTION(i, b)
				check_instruction(ir, i);
}
