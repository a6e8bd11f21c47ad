/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/transform/ir.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *xalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p) {
		fputs("chiral: error: the transformer is out of memory\n", stderr);
		exit(1);
	}
	return p;
}

void *xrealloc(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n ? n : 1, size);
	if (!p) {
		fputs("chiral: error: the transformer is out of memory\n", stderr);
		exit(1);
	}
	return p;
}

/* ---- the module ------------------------------------------------------------------------------ */

static LLVMValueRef thread_local_of_runtime(struct ir *ir, const char *name, LLVMTypeRef t)
{
	LLVMValueRef g = LLVMGetNamedGlobal(ir->module, name);

	if (!g)
		g = LLVMAddGlobal(ir->module, t, name);
	LLVMSetLinkage(g, LLVMExternalLinkage);
	LLVMSetThreadLocalMode(g, LLVMLocalExecTLSModel);
	return g;
}

static struct ir_callee runtime_function(struct ir *ir, const char *name, LLVMTypeRef returns,
					 LLVMTypeRef *params, unsigned n)
{
	struct ir_callee c = { .type = LLVMFunctionType(returns, params, n, false) };

	c.fn = LLVMGetNamedFunction(ir->module, name);
	if (!c.fn)
		c.fn = LLVMAddFunction(ir->module, name, c.type);
	return c;
}

void ir_init(struct ir *ir, LLVMContextRef context, LLVMModuleRef module)
{
	*ir = (struct ir){
		.context = context,
		.module = module,
		.builder = LLVMCreateBuilderInContext(context),
		.layout = LLVMGetModuleDataLayout(module),
		.type_void = LLVMVoidTypeInContext(context),
		.i8 = LLVMInt8TypeInContext(context),
	};
	ir->i32 = LLVMInt32TypeInContext(context);
	ir->i64 = LLVMInt64TypeInContext(context);
	ir->ptr = LLVMPointerTypeInContext(context, 0);
}

void ir_declare_runtime(struct ir *ir)
{
	LLVMTypeRef i32 = ir->i32, i64 = ir->i64, ptr = ir->ptr;

	ir->mode = thread_local_of_runtime(ir, "__mtd_mode", i32);
	ir->count = thread_local_of_runtime(ir, "__mtd_count", i64);
	ir->ssp = thread_local_of_runtime(ir, "__mtd_ssp", ptr);
	ir->tp = thread_local_of_runtime(ir, "__mtd_tp", ptr);
	ir->enter = runtime_function(ir, "__mtd_enter", i32, (LLVMTypeRef[]){ i32, i32 }, 2);
	ir->push = runtime_function(ir, "__mtd_push", ptr, (LLVMTypeRef[]){ i32, i32, i64 }, 3);
	ir->pop = runtime_function(ir, "__mtd_pop", ptr, (LLVMTypeRef[]){ i32 }, 1);
	ir->resumed = runtime_function(ir, "__mtd_resumed", ir->type_void, NULL, 0);
	ir->set_jump = runtime_function(ir, "__mtd_set_jump", ir->type_void,
					(LLVMTypeRef[]){ ptr, ptr, i32 }, 3);
	ir->jump = runtime_function(ir, "__mtd_jump", ir->type_void, (LLVMTypeRef[]){ ptr, i32 }, 2);
	ir->jump_here = runtime_function(ir, "__mtd_jump_here", i32, (LLVMTypeRef[]){ ptr }, 1);
	ir->jump_value = runtime_function(ir, "__mtd_jump_value", i32, NULL, 0);
}

void ir_close(struct ir *ir)
{
	LLVMDisposeBuilder(ir->builder);
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* "FILE:LINE: in function NAME: " as far as it is known. */
static void print_place(LLVMValueRef at)
{
	LLVMValueRef f = LLVMIsAFunction(at), has_line = at;
	unsigned len = 0, line;
	const char *file;

	if (LLVMIsAInstruction(at))
		f = LLVMGetBasicBlockParent(LLVMGetInstructionParent(at));
	if (LLVMIsAInstruction(at) && !LLVMGetDebugLocLine(at) && f)
		has_line = f;
	line = LLVMIsAInstruction(has_line) || LLVMIsAFunction(has_line) ||
			       LLVMIsAGlobalVariable(has_line)
		       ? LLVMGetDebugLocLine(has_line)
		       : 0;
	file = line ? LLVMGetDebugLocFilename(has_line, &len) : NULL;
	fputs("chiral: error: ", stderr);
	if (file && len)
		fprintf(stderr, "%.*s:%u: ", (int)len, file, line);
	if (f)
		fprintf(stderr, "in function %s: ", ir_name(f));
	else if (LLVMIsAGlobalVariable(at))
		fprintf(stderr, "variable %s: ", ir_name(at));
}

void ir_error(struct ir *ir, LLVMValueRef at, const char *fmt, ...)
{
	va_list ap;

	ir->errors++;
	print_place(at);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* ---- reading --------------------------------------------------------------------------------- */

const char *ir_name(LLVMValueRef v)
{
	size_t len;

	return LLVMGetValueName2(v, &len);
}

bool ir_is_call(LLVMValueRef i)
{
	return LLVMGetInstructionOpcode(i) == LLVMCall;
}

LLVMValueRef ir_called(LLVMValueRef call)
{
	return ir_is_call(call) ? LLVMIsAFunction(LLVMGetCalledValue(call)) : NULL;
}

bool ir_is_intrinsic(LLVMValueRef call, const char *prefix)
{
	LLVMValueRef f = ir_called(call);

	return f && LLVMGetIntrinsicID(f) && !strncmp(ir_name(f), prefix, strlen(prefix));
}

bool ir_is_inline_asm(LLVMValueRef call)
{
	return ir_is_call(call) && LLVMIsAInlineAsm(LLVMGetCalledValue(call));
}

bool ir_is_runtime(LLVMValueRef global)
{
	return !strncmp(ir_name(global), "__mtd_", 4);
}

bool ir_is_defined(LLVMValueRef function)
{
	return LLVMCountBasicBlocks(function) > 0;
}

uint64_t ir_size(struct ir *ir, LLVMTypeRef t)
{
	return LLVMABISizeOfType(ir->layout, t);
}

uint64_t ir_align(struct ir *ir, LLVMTypeRef t)
{
	uint64_t a = LLVMABIAlignmentOfType(ir->layout, t);

	return a < 8 ? 8 : a > 16 ? 16 : a;
}

/* ---- building -------------------------------------------------------------------------------- */

void ir_begin_function(struct ir *ir, LLVMValueRef f)
{
	LLVMMetadataRef sp = LLVMGetSubprogram(f);

	ir->location = sp ? LLVMDIBuilderCreateDebugLocation(ir->context, 0, 0, sp, NULL) : NULL;
	LLVMSetCurrentDebugLocation2(ir->builder, ir->location);
}

void ir_at_end(struct ir *ir, LLVMBasicBlockRef b)
{
	LLVMPositionBuilderAtEnd(ir->builder, b);
	LLVMSetCurrentDebugLocation2(ir->builder, ir->location);
}

void ir_before(struct ir *ir, LLVMValueRef i)
{
	LLVMPositionBuilderBefore(ir->builder, i);
	if (!LLVMInstructionGetDebugLoc(i))
		LLVMSetCurrentDebugLocation2(ir->builder, ir->location);
}

LLVMValueRef ir_i32(struct ir *ir, int64_t v)
{
	return LLVMConstInt(ir->i32, (unsigned long long)v, true);
}

LLVMValueRef ir_i64(struct ir *ir, int64_t v)
{
	return LLVMConstInt(ir->i64, (unsigned long long)v, true);
}

LLVMValueRef ir_load(struct ir *ir, LLVMTypeRef t, LLVMValueRef p)
{
	return LLVMBuildLoad2(ir->builder, t, p, "");
}

LLVMValueRef ir_call(struct ir *ir, struct ir_callee c, LLVMValueRef *args, unsigned n)
{
	return LLVMBuildCall2(ir->builder, c.type, c.fn, args, n, "");
}

LLVMValueRef ir_offset(struct ir *ir, LLVMValueRef p, int64_t bytes)
{
	LLVMValueRef index = ir_i64(ir, bytes);

	return LLVMBuildGEP2(ir->builder, ir->i8, p, &index, 1, "");
}

void ir_branch_rarely(struct ir *ir, LLVMValueRef cond, LLVMBasicBlockRef rare,
		      LLVMBasicBlockRef usual)
{
	LLVMValueRef br = LLVMBuildCondBr(ir->builder, cond, rare, usual);
	LLVMMetadataRef weights[] = {
		LLVMMDStringInContext2(ir->context, "branch_weights", 14),
		LLVMValueAsMetadata(ir_i32(ir, 1)),
		LLVMValueAsMetadata(ir_i32(ir, 1000000)),
	};
	LLVMMetadataRef node = LLVMMDNodeInContext2(ir->context, weights, 3);

	LLVMSetMetadata(br, LLVMGetMDKindIDInContext(ir->context, "prof", 4),
			LLVMMetadataAsValue(ir->context, node));
}

void ir_trap(struct ir *ir)
{
	unsigned id = LLVMLookupIntrinsicID("llvm.trap", 9);
	struct ir_callee trap = {
		.fn = LLVMGetIntrinsicDeclaration(ir->module, id, NULL, 0),
		.type = LLVMIntrinsicGetType(ir->context, id, NULL, 0),
	};

	ir_call(ir, trap, NULL, 0);
	LLVMBuildUnreachable(ir->builder);
}

LLVMValueRef ir_entry_alloca(struct ir *ir, LLVMValueRef f, LLVMTypeRef t, uint64_t align)
{
	LLVMValueRef a;

	ir_before(ir, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(f)));
	a = LLVMBuildAlloca(ir->builder, t, "");
	LLVMSetAlignment(a, (unsigned)align);
	return a;
}

LLVMBasicBlockRef ir_block(struct ir *ir, LLVMValueRef f, const char *name)
{
	return LLVMAppendBasicBlockInContext(ir->context, f, name);
}

static void redirect_predecessors(LLVMBasicBlockRef from, LLVMBasicBlockRef to)
{
	LLVMUseRef u = LLVMGetFirstUse(LLVMBasicBlockAsValue(from));

	while (u) {
		LLVMValueRef branch = LLVMGetUser(u);

		u = LLVMGetNextUse(u);
		if (!LLVMIsATerminatorInst(branch))
			continue;
		for (unsigned s = 0; s < LLVMGetNumSuccessors(branch); s++)
			if (LLVMGetSuccessor(branch, s) == from)
				LLVMSetSuccessor(branch, s, to);
		/* A switch may have several uses of the block: the list has changed, begin again. */
		u = LLVMGetFirstUse(LLVMBasicBlockAsValue(from));
	}
}

void ir_split_before(struct ir *ir, LLVMValueRef at)
{
	LLVMBasicBlockRef b = LLVMGetInstructionParent(at);
	LLVMBasicBlockRef head = LLVMInsertBasicBlockInContext(ir->context, b, "");

	redirect_predecessors(b, head);
	LLVMPositionBuilderAtEnd(ir->builder, head);
	/* Moved instructions keep their own location only when the builder has none. */
	LLVMSetCurrentDebugLocation2(ir->builder, NULL);
	FOR_EACH_INSTRUCTION(i, b) {
		if (i == at)
			break;
		LLVMInstructionRemoveFromParent(i);
		LLVMInsertIntoBuilder(ir->builder, i);
	}
	LLVMSetCurrentDebugLocation2(ir->builder, ir->location);
	LLVMBuildBr(ir->builder, b);
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* An unwinding function returns null, early, without the effects that it promised; and an argument of
 * a call that is issued again to rewind may be null. */
static const char *const false_promises[] = {
	"noundef", "nonnull", "dereferenceable", "dereferenceable_or_null", "align", "returned", "range",
	"nofpclass", "noalias", "nocapture", "readonly", "readnone", "writeonly", "initializes",
	"writable", "dead_on_unwind", "memory", "willreturn", "nosync", "nocallback", "norecurse",
	"noreturn", "speculatable", "mustprogress", "nofree", "allockind", "allocsize", "alwaysinline",
	"allocptr", "allocalign", "alloc-family",
};

void ir_strip_function(LLVMValueRef f)
{
	unsigned n = LLVMCountParams(f);

	for (size_t a = 0; a < ARRAY_SIZE(false_promises); a++) {
		const char *name = false_promises[a];
		unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));

		if (!kind) {
			LLVMRemoveStringAttributeAtIndex(f, LLVMAttributeFunctionIndex, name,
							 (unsigned)strlen(name));
			continue;
		}
		LLVMRemoveEnumAttributeAtIndex(f, LLVMAttributeFunctionIndex, kind);
		for (unsigned i = 0; i <= n; i++)
			LLVMRemoveEnumAttributeAtIndex(f, i, kind);
	}
}

void ir_strip_call(LLVMValueRef call)
{
	unsigned n = LLVMGetNumArgOperands(call);

	for (size_t a = 0; a < ARRAY_SIZE(false_promises); a++) {
		const char *name = false_promises[a];
		unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));

		if (!kind)
			continue;
		LLVMRemoveCallSiteEnumAttribute(call, LLVMAttributeFunctionIndex, kind);
		for (unsigned i = 0; i <= n; i++)
			LLVMRemoveCallSiteEnumAttribute(call, i, kind);
	}
}

void ir_mark(struct ir *ir, LLVMValueRef f, const char *mark)
{
	LLVMAttributeRef a = LLVMCreateStringAttribute(ir->context, mark, (unsigned)strlen(mark), "", 0);

	LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex, a);
}

bool ir_is_marked(LLVMValueRef f, const char *mark)
{
	return LLVMGetStringAttributeAtIndex(f, LLVMAttributeFunctionIndex, mark,
					     (unsigned)strlen(mark));
}
