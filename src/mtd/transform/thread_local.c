/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/transform/steps.h"
#include "mtd/runtime/layout.h"

#include <stdio.h>
#include <stdlib.h>

struct variables {
	LLVMValueRef *v;
	uint64_t *offset;
	unsigned n;
	uint64_t end;
};

static void collect(struct ir *ir, struct variables *ret)
{
	uint64_t at = MTD_TLS_OFFSET;

	FOR_EACH_GLOBAL(g, ir) {
		LLVMTypeRef t = LLVMGlobalGetValueType(g);
		uint64_t align = LLVMGetAlignment(g), abi = LLVMABIAlignmentOfType(ir->layout, t);

		if (!LLVMIsThreadLocal(g) || ir_is_runtime(g) || LLVMIsDeclaration(g))
			continue;
		if (align < abi)
			align = abi;
		if (align > 64)
			ir_error(ir, g, "it is thread-local and aligned to more than 64 bytes");
		at = (at + align - 1) & ~(align - 1);
		ret->v = xrealloc(ret->v, ret->n + 1, sizeof(*ret->v));
		ret->offset = xrealloc(ret->offset, ret->n + 1, sizeof(*ret->offset));
		ret->v[ret->n] = g;
		ret->offset[ret->n++] = at;
		at += ir_size(ir, t);
	}
	ret->end = at;
	if (at > MTD_THREAD_BLOCK) {
		fprintf(stderr, "chiral: error: thread-local variables take more than %lu bytes\n",
			MTD_THREAD_BLOCK - MTD_TLS_OFFSET);
		ir->errors++;
	}
}

/* Every access goes through llvm.threadlocal.address since LLVM 15. */
static void replace_uses(struct ir *ir, LLVMValueRef g, uint64_t offset)
{
	for (LLVMUseRef u = LLVMGetFirstUse(g); u;) {
		LLVMValueRef user = LLVMGetUser(u), p;

		u = LLVMGetNextUse(u);
		if (!LLVMIsAInstruction(user) || !ir_is_intrinsic(user, "llvm.threadlocal.address")) {
			ir_error(ir, LLVMIsAInstruction(user) ? user : g,
				 "the address of a thread-local variable is used in a constant");
			continue;
		}
		ir_begin_function(ir, LLVMGetBasicBlockParent(LLVMGetInstructionParent(user)));
		ir_before(ir, user);
		p = ir_offset(ir, ir_load(ir, ir->ptr, ir->tp), (int64_t)offset);
		LLVMReplaceAllUsesWith(user, p);
		LLVMInstructionEraseFromParent(user);
	}
}

static LLVMValueRef initial_value(struct ir *ir, LLVMValueRef g)
{
	LLVMValueRef init = LLVMAddGlobal(ir->module, LLVMGlobalGetValueType(g), "tls.initial");

	LLVMSetInitializer(init, LLVMGetInitializer(g));
	LLVMSetGlobalConstant(init, true);
	LLVMSetLinkage(init, LLVMInternalLinkage);
	return init;
}

static void add_constant(struct ir *ir, const char *name, LLVMValueRef value)
{
	LLVMValueRef g = LLVMAddGlobal(ir->module, LLVMTypeOf(value), name);

	LLVMSetInitializer(g, value);
	LLVMSetGlobalConstant(g, true);
}

/* The runtime fills a new thread block from mtd_tls_table; see struct mtd_tls_entry. */
static void add_table(struct ir *ir, const struct variables *v)
{
	LLVMTypeRef fields[] = { ir->i64, ir->i64, ir->ptr };
	LLVMTypeRef entry = LLVMStructTypeInContext(ir->context, fields, 3, false);
	LLVMValueRef *entries = xalloc(v->n, sizeof(*entries));

	for (unsigned i = 0; i < v->n; i++) {
		LLVMTypeRef t = LLVMGlobalGetValueType(v->v[i]);
		LLVMValueRef e[] = { ir_i64(ir, (int64_t)v->offset[i]),
				     ir_i64(ir, (int64_t)ir_size(ir, t)),
				     initial_value(ir, v->v[i]) };

		entries[i] = LLVMConstStructInContext(ir->context, e, 3, false);
	}
	add_constant(ir, "__mtd_tls_table", LLVMConstArray2(entry, entries, v->n));
	add_constant(ir, "__mtd_tls_count", ir_i64(ir, v->n));
	free(entries);
}

void step_thread_locals(struct ir *ir)
{
	struct variables v = { 0 };

	collect(ir, &v);
	for (unsigned i = 0; i < v.n; i++)
		replace_uses(ir, v.v[i], v.offset[i]);
	add_table(ir, &v);
	if (!ir->errors)
		for (unsigned i = 0; i < v.n; i++)
			LLVMDeleteGlobal(v.v[i]);
	free(v.v);
	free(v.offset);
}
