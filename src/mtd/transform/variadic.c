/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A variadic call passes its arguments by rules that differ per ISA. Here each such call packs them
 * as x86-64 lays out the part that did not fit into registers (System V ABI, 3.5.7: slots of 8 bytes,
 * 16 for what is aligned so) and passes a pointer to that area as one more argument. va_start makes a
 * va_list whose registers are used up, so that the code which clang made for va_arg reads the area.
 */
#include "mtd/transform/steps.h"

#include <stdlib.h>
#include <string.h>

#define GP_REGISTERS_USED 48
#define FP_REGISTERS_USED 176
#define VA_LIST_SIZE	  24

/* The functions that were variadic; a call of a different type that reaches them is packed. */
struct converted {
	LLVMValueRef *v;
	unsigned n;
};

static bool was_variadic(const struct converted *c, LLVMValueRef f)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->v[i] == f)
			return true;
	return false;
}

/* ---- definitions ----------------------------------------------------------------------------- */

static void copy_attributes(LLVMValueRef from, LLVMValueRef to, unsigned n_params)
{
	for (unsigned i = 0; i <= n_params; i++) {
		unsigned n = LLVMGetAttributeCountAtIndex(from, i);
		LLVMAttributeRef *a = xalloc(n, sizeof(*a));

		LLVMGetAttributesAtIndex(from, i, a);
		for (unsigned k = 0; k < n; k++)
			LLVMAddAttributeAtIndex(to, i, a[k]);
		free(a);
	}
}

/* The type with one pointer more, not variadic. */
static LLVMTypeRef explicit_type(struct ir *ir, LLVMTypeRef t)
{
	unsigned n = LLVMCountParamTypes(t);
	LLVMTypeRef *params = xalloc(n + 1, sizeof(*params)), r;

	LLVMGetParamTypes(t, params);
	params[n] = ir->ptr;
	r = LLVMFunctionType(LLVMGetReturnType(t), params, n + 1, false);
	free(params);
	return r;
}

/* Moving a block to another function leaves a stale parent in LLVM 19: taken out and put in instead. */
static void move_body(LLVMValueRef from, LLVMValueRef to)
{
	LLVMBasicBlockRef b;

	while ((b = LLVMGetFirstBasicBlock(from))) {
		LLVMRemoveBasicBlockFromParent(b);
		LLVMAppendExistingBasicBlock(to, b);
	}
	for (unsigned i = 0; i < LLVMCountParams(from); i++)
		LLVMReplaceAllUsesWith(LLVMGetParam(from, i), LLVMGetParam(to, i));
}

static void lower_va_start(struct ir *ir, LLVMValueRef call, LLVMValueRef area)
{
	LLVMValueRef list = LLVMGetOperand(call, 0);

	ir_before(ir, call);
	LLVMBuildStore(ir->builder, ir_i32(ir, GP_REGISTERS_USED), list);
	LLVMBuildStore(ir->builder, ir_i32(ir, FP_REGISTERS_USED), ir_offset(ir, list, 4));
	LLVMBuildStore(ir->builder, area, ir_offset(ir, list, 8));
	LLVMBuildStore(ir->builder, LLVMConstNull(ir->ptr), ir_offset(ir, list, 16));
	LLVMInstructionEraseFromParent(call);
}

static LLVMValueRef convert_definition(struct ir *ir, LLVMValueRef f)
{
	LLVMTypeRef t = LLVMGlobalGetValueType(f);
	unsigned n = LLVMCountParamTypes(t);
	char *name = strdup(ir_name(f));
	LLVMValueRef to;

	LLVMSetValueName2(f, "", 0);
	to = LLVMAddFunction(ir->module, name ? name : "", explicit_type(ir, t));
	free(name);
	LLVMSetLinkage(to, LLVMGetLinkage(f));
	LLVMSetVisibility(to, LLVMGetVisibility(f));
	LLVMSetFunctionCallConv(to, LLVMGetFunctionCallConv(f));
	LLVMSetSubprogram(to, LLVMGetSubprogram(f));
	LLVMSetSubprogram(f, NULL);
	copy_attributes(f, to, n);
	move_body(f, to);
	ir_begin_function(ir, to);
	FOR_EACH_BLOCK(b, to)
		FOR_EACH_INSTRUCTION(i, b)
			if (ir_is_intrinsic(i, "llvm.va_start"))
				lower_va_start(ir, i, LLVMGetParam(to, n));
	LLVMReplaceAllUsesWith(f, to);
	LLVMDeleteFunction(f);
	return to;
}

static void convert_definitions(struct ir *ir, struct converted *done)
{
	FOR_EACH_FUNCTION(f, ir) {
		if (!ir_is_defined(f) || !LLVMIsFunctionVarArg(LLVMGlobalGetValueType(f)))
			continue;
		done->v = xrealloc(done->v, done->n + 1, sizeof(*done->v));
		done->v[done->n++] = convert_definition(ir, f);
	}
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void copy_call_attributes(LLVMValueRef from, LLVMValueRef to, unsigned n_args)
{
	for (unsigned i = 0; i <= n_args; i++) {
		unsigned n = LLVMGetCallSiteAttributeCount(from, i);
		LLVMAttributeRef *a = xalloc(n, sizeof(*a));

		LLVMGetCallSiteAttributes(from, i, a);
		for (unsigned k = 0; k < n; k++)
			LLVMAddCallSiteAttribute(to, i, a[k]);
		free(a);
	}
	LLVMSetInstructionCallConv(to, LLVMGetInstructionCallConv(from));
}

static void replace_call(LLVMValueRef from, LLVMValueRef to)
{
	LLVMReplaceAllUsesWith(from, to);
	LLVMInstructionEraseFromParent(from);
}

static LLVMTypeRef byval_type(LLVMValueRef call, unsigned arg)
{
	unsigned kind = LLVMGetEnumAttributeKindForName("byval", 5);
	LLVMAttributeRef a = LLVMGetCallSiteEnumAttribute(call, arg + 1, kind);

	return a ? LLVMGetTypeAttributeValue(a) : NULL;
}

/* Offsets of the variadic arguments in the area; its size. */
static uint64_t lay_out(struct ir *ir, LLVMValueRef call, unsigned first, unsigned n, uint64_t *offset)
{
	uint64_t at = 0;

	for (unsigned i = first; i < n; i++) {
		LLVMTypeRef t = byval_type(call, i);
		uint64_t align;

		if (!t)
			t = LLVMTypeOf(LLVMGetOperand(call, i));
		align = ir_align(ir, t);
		at = (at + align - 1) & ~(align - 1);
		offset[i] = at;
		at += (ir_size(ir, t) + 7) & ~7ull;
	}
	return at;
}

static void pack(struct ir *ir, LLVMValueRef call, unsigned i, LLVMValueRef to)
{
	LLVMTypeRef t = byval_type(call, i);
	LLVMValueRef arg = LLVMGetOperand(call, i);

	if (t)
		LLVMBuildMemCpy(ir->builder, to, 8, arg, 1, ir_i64(ir, (int64_t)ir_size(ir, t)));
	else
		LLVMSetAlignment(LLVMBuildStore(ir->builder, arg, to), 8);
}

/* syscall(), fcntl() and ioctl() read their arguments also when they were not given; with registers that
 * does no harm. Bytes of six arguments. */
#define READ_ALWAYS 48

static void convert_call(struct ir *ir, LLVMValueRef f, LLVMValueRef call)
{
	LLVMTypeRef t = LLVMGetCalledFunctionType(call);
	unsigned fixed = LLVMCountParamTypes(t), n = LLVMGetNumArgOperands(call);
	uint64_t *offset = xalloc(n, sizeof(*offset));
	uint64_t size = lay_out(ir, call, fixed, n, offset);
	LLVMValueRef *args = xalloc(fixed + 1, sizeof(*args)), to;

	if (size < READ_ALWAYS)
		size = READ_ALWAYS;
	args[fixed] = ir_entry_alloca(ir, f, LLVMArrayType2(ir->i8, size), 16);
	ir_before(ir, call);
	for (unsigned i = 0; i < fixed; i++)
		args[i] = LLVMGetOperand(call, i);
	for (unsigned i = fixed; i < n; i++)
		pack(ir, call, i, ir_offset(ir, args[fixed], (int64_t)offset[i]));
	to = LLVMBuildCall2(ir->builder, explicit_type(ir, t), LLVMGetCalledValue(call), args,
			    fixed + 1, "");
	copy_call_attributes(call, to, fixed);
	replace_call(call, to);
	free(offset);
	free(args);
}

/* Old C: `int f();` was called without its prototype. The call is variadic, the function is not. */
static bool convert_unprototyped(struct ir *ir, LLVMValueRef call, const struct converted *done)
{
	LLVMValueRef f = ir_called(call), *args;
	unsigned n = LLVMGetNumArgOperands(call);
	LLVMTypeRef t;

	if (!f || was_variadic(done, f))
		return false;
	t = LLVMGlobalGetValueType(f);
	if (LLVMIsFunctionVarArg(t) || LLVMCountParamTypes(t) != n)
		return false;
	args = xalloc(n, sizeof(*args));
	for (unsigned i = 0; i < n; i++)
		args[i] = LLVMGetOperand(call, i);
	ir_before(ir, call);
	replace_call(call, LLVMBuildCall2(ir->builder, t, f, args, n, ""));
	free(args);
	return true;
}

static void convert_instruction(struct ir *ir, LLVMValueRef f, LLVMValueRef i,
				const struct converted *done)
{
	if (!ir_is_call(i) || ir_is_inline_asm(i))
		return;
	if (ir_is_intrinsic(i, "llvm.va_end")) {
		LLVMInstructionEraseFromParent(i);
	} else if (ir_is_intrinsic(i, "llvm.va_copy")) {
		ir_before(ir, i);
		LLVMBuildMemCpy(ir->builder, LLVMGetOperand(i, 0), 8, LLVMGetOperand(i, 1), 8,
				ir_i64(ir, VA_LIST_SIZE));
		LLVMInstructionEraseFromParent(i);
	} else if (!ir_is_intrinsic(i, "") &&
		   LLVMIsFunctionVarArg(LLVMGetCalledFunctionType(i)) &&
		   !convert_unprototyped(ir, i, done)) {
		convert_call(ir, f, i);
	}
}

void step_variadics(struct ir *ir)
{
	struct converted done = { 0 };

	convert_definitions(ir, &done);
	FOR_EACH_FUNCTION(f, ir) {
		ir_begin_function(ir, f);
		FOR_EACH_BLOCK(b, f)
			FOR_EACH_INSTRUCTION(i, b)
				convert_instruction(ir, f, i, &done);
	}
	free(done.v);
}
