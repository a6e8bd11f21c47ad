/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all steps of the transformer share: the module, the runtime's symbols, small builders, and
 * errors that name the function and the source line. LLVM's C interface, version 19.
 */
#ifndef CHIRAL_MTD_TRANSFORM_IR_H
#define CHIRAL_MTD_TRANSFORM_IR_H

#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/Target.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A function of the runtime; see mtd/runtime/runtime.h. */
struct ir_callee {
	LLVMValueRef fn;
	LLVMTypeRef type;
};

struct ir {
	LLVMContextRef context;
	LLVMModuleRef module;
	LLVMBuilderRef builder;
	LLVMTargetDataRef layout;	/* of x86-64, which both ISAs follow */
	LLVMTypeRef type_void, i32, i64, i8, ptr;
	/* Thread-local, one copy a node: what the thread does, points to pass before the slow path, top of
	 * the shadow stack, the thread block. */
	LLVMValueRef mode, count, ssp, tp;
	struct ir_callee enter, push, pop, resumed, set_jump, jump, jump_here, jump_value;
	LLVMMetadataRef location;	/* line 0 of the function being rewritten, or NULL */
	unsigned errors;
};

/* The runtime's symbols; after unused code was removed, for nothing uses them yet. */
void ir_declare_runtime(struct ir *ir);
/* Types and builder for a module that was read. */
void ir_init(struct ir *ir, LLVMContextRef context, LLVMModuleRef module);
void ir_close(struct ir *ir);

/* Says what a program cannot have: "FILE:LINE: in function NAME: ...". at is an instruction, a
 * function or a global variable. Counted in ir->errors; the transformer goes on to find more. */
void ir_error(struct ir *ir, LLVMValueRef at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- reading --------------------------------------------------------------------------------- */

const char *ir_name(LLVMValueRef v);
bool ir_is_call(LLVMValueRef i);
/* The directly called function, or NULL (indirect call, inline assembly, no call). */
LLVMValueRef ir_called(LLVMValueRef call);
/* Is it a call of an intrinsic whose name begins so? */
bool ir_is_intrinsic(LLVMValueRef call, const char *prefix);
bool ir_is_inline_asm(LLVMValueRef call);
/* "__mtd_...": a symbol of the runtime. */
bool ir_is_runtime(LLVMValueRef global);
/* Defined in the module (not only declared)? */
bool ir_is_defined(LLVMValueRef function);
uint64_t ir_size(struct ir *ir, LLVMTypeRef t);
/* The alignment that both ISAs keep for a value of the type, at least 8. */
uint64_t ir_align(struct ir *ir, LLVMTypeRef t);

/* Instructions of a function, in order; the body may delete or move `i` (next is read before). */
#define FOR_EACH_BLOCK(b, f)                                                                       \
	for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(f); b; b = LLVMGetNextBasicBlock(b))
#define FOR_EACH_INSTRUCTION(i, b)                                                                 \
	for (LLVMValueRef i = LLVMGetFirstInstruction(b), next_##i; i && (next_##i =               \
	     LLVMGetNextInstruction(i), 1); i = next_##i)
#define FOR_EACH_FUNCTION(f, ir)                                                                   \
	for (LLVMValueRef f = LLVMGetFirstFunction((ir)->module), next_##f; f && (next_##f =       \
	     LLVMGetNextFunction(f), 1); f = next_##f)
#define FOR_EACH_GLOBAL(g, ir)                                                                     \
	for (LLVMValueRef g = LLVMGetFirstGlobal((ir)->module), next_##g; g && (next_##g =         \
	     LLVMGetNextGlobal(g), 1); g = next_##g)

/* ---- building -------------------------------------------------------------------------------- */

/* New instructions belong to f from now on (their debug location is f's line 0). */
void ir_begin_function(struct ir *ir, LLVMValueRef f);
void ir_at_end(struct ir *ir, LLVMBasicBlockRef b);
void ir_before(struct ir *ir, LLVMValueRef i);
LLVMValueRef ir_i32(struct ir *ir, int64_t v);
LLVMValueRef ir_i64(struct ir *ir, int64_t v);
LLVMValueRef ir_load(struct ir *ir, LLVMTypeRef t, LLVMValueRef p);
LLVMValueRef ir_call(struct ir *ir, struct ir_callee c, LLVMValueRef *args, unsigned n);
/* p + bytes. */
LLVMValueRef ir_offset(struct ir *ir, LLVMValueRef p, int64_t bytes);
/* br cond, rare, usual: the back ends lay out the rare side elsewhere. */
void ir_branch_rarely(struct ir *ir, LLVMValueRef cond, LLVMBasicBlockRef rare,
		      LLVMBasicBlockRef usual);
/* Ends the program there: the number of a call in a record is not one of the function's. */
void ir_trap(struct ir *ir);
/* A stack slot in the entry block. */
LLVMValueRef ir_entry_alloca(struct ir *ir, LLVMValueRef f, LLVMTypeRef t, uint64_t align);
/* A block at the end of f. */
LLVMBasicBlockRef ir_block(struct ir *ir, LLVMValueRef f, const char *name);
/*
 * Moves all before `at` to a new block in front; predecessors follow. The old block keeps being the
 * predecessor that the phis of its successors name (the C interface cannot rename them).
 */
void ir_split_before(struct ir *ir, LLVMValueRef at);

/* ---- attributes ------------------------------------------------------------------------------ */

/* Removes promises that a function which unwinds does not keep (nonnull, noreturn, readonly...). */
void ir_strip_function(LLVMValueRef f);
void ir_strip_call(LLVMValueRef call);

/* A note to a later step: a string attribute of f. */
void ir_mark(struct ir *ir, LLVMValueRef f, const char *mark);
bool ir_is_marked(LLVMValueRef f, const char *mark);

/* calloc(3) and realloc(3) that end the program when memory is out. */
void *xalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);

#endif
