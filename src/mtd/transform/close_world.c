/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/transform/steps.h"

#include "base/cleanup.h"

#include <llvm-c/Transforms/PassBuilder.h>
#include <stdio.h>
#include <string.h>

/* What the runtime calls, and what the back ends may call without a word in the module. */
static const char *const kept[] = {
	"__mtd_main", "memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen",
	"sqrt", "sqrtf", "fma", "fmaf", "fmod", "fmodf", "floor", "floorf", "ceil", "ceilf", "trunc",
	"truncf", "rint", "rintf", "nearbyint", "nearbyintf", "round", "roundf", "roundeven",
	"roundevenf", "sin", "sinf", "cos", "cosf", "exp", "expf", "exp2", "exp2f", "log", "logf",
	"log2", "log2f", "log10", "log10f", "pow", "powf", "fmin", "fminf", "fmax", "fmaxf", "ldexp",
	"ldexpf", "frexp", "lround", "lroundf", "llround", "llroundf", "lrint", "lrintf", "llrint",
	"llrintf", "tan", "tanf", "acos", "acosf", "asin", "asinf", "atan", "atanf", "cosh", "coshf",
	"sinh", "sinhf", "tanh", "tanhf", "exp10", "exp10f",
};

/* An alias is one more name. The name itself goes with the unused code. */
static void resolve_aliases(struct ir *ir)
{
	LLVMValueRef a;

	for (a = LLVMGetFirstGlobalAlias(ir->module); a; a = LLVMGetNextGlobalAlias(a)) {
		LLVMValueRef to = LLVMAliasGetAliasee(a);

		for (int depth = 0; depth < 8 && LLVMIsAGlobalAlias(to); depth++)
			to = LLVMAliasGetAliasee(to);
		LLVMReplaceAllUsesWith(a, to);
		LLVMSetLinkage(a, LLVMInternalLinkage);
	}
}

/* The back ends know these by name only: a kept name that is an alias (bcmp) becomes a function. */
static void internalise(LLVMValueRef g, bool keep)
{
	LLVMSetVisibility(g, LLVMDefaultVisibility);
	LLVMSetLinkage(g, keep ? LLVMExternalLinkage : LLVMInternalLinkage);
	LLVMSetUnnamedAddress(g, LLVMNoUnnamedAddr);
}

static bool is_kept(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (!strcmp(kept[i], name))
			return true;
	return false;
}

static bool is_list_of_llvm(LLVMValueRef g)
{
	return !strncmp(ir_name(g), "llvm.", 5);
}

static void internalise_all(struct ir *ir)
{
	FOR_EACH_FUNCTION(f, ir)
		if (ir_is_defined(f))
			internalise(f, is_kept(ir_name(f)));
	FOR_EACH_GLOBAL(g, ir)
		if (!LLVMIsDeclaration(g) && !is_list_of_llvm(g))
			internalise(g, false);
}

/* Removes llvm.used and llvm.compiler.used: a linker's matter, and the world is closed. */
static void forget_lists(struct ir *ir)
{
	static const char *const lists[] = { "llvm.used", "llvm.compiler.used",
					     "llvm.global.annotations" };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		LLVMValueRef g = LLVMGetNamedGlobal(ir->module, lists[i]);

		if (g)
			LLVMDeleteGlobal(g);
	}
}

static void remove_unused(struct ir *ir)
{
	LLVMPassBuilderOptionsRef o = LLVMCreatePassBuilderOptions();
	LLVMErrorRef e = LLVMRunPasses(ir->module, "globaldce", NULL, o);

	LLVMDisposePassBuilderOptions(o);
	if (e) {
		char *text = LLVMGetErrorMessage(e);

		fprintf(stderr, "chiral: error: unused code cannot be removed: %s\n", text);
		LLVMDisposeErrorMessage(text);
		ir->errors++;
	}
}

/* A private constant has no symbol and may be merged; the layout needs one section each. */
static void name_literals(struct ir *ir)
{
	unsigned n = 0;

	FOR_EACH_GLOBAL(g, ir) {
		char name[32];

		if (LLVMIsDeclaration(g) || is_list_of_llvm(g))
			continue;
		if (ir_name(g)[0] && strncmp(ir_name(g), ".str", 4))
			continue;
		snprintf(name, sizeof(name), "literal.%u", n++);
		LLVMSetValueName2(g, name, strlen(name));
	}
}

/* Symbols that the linker script defines. */
static bool is_of_linker(const char *name)
{
	static const char *const names[] = { "__init_array_start", "__init_array_end",
					     "__fini_array_start", "__fini_array_end" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static void require_definition(struct ir *ir, LLVMValueRef g, const char *kind)
{
	LLVMUseRef use = LLVMGetFirstUse(g);
	LLVMValueRef user;

	if (!use || ir_is_runtime(g) || is_of_linker(ir_name(g)) ||
	    LLVMGetLinkage(g) == LLVMExternalWeakLinkage)
		return;
	user = LLVMGetUser(use);
	ir_error(ir, LLVMIsAInstruction(user) ? user : g,
		 "the %s %s is not in the program: link what defines it", kind, ir_name(g));
}

static bool is_jump(const char *name)
{
	return strstr(name, "setjmp") || strstr(name, "longjmp");
}

static void require_definitions(struct ir *ir)
{
	FOR_EACH_FUNCTION(f, ir)
		if (!ir_is_defined(f) && !LLVMGetIntrinsicID(f) && !is_jump(ir_name(f)))
			require_definition(ir, f, "function");
	FOR_EACH_GLOBAL(g, ir)
		if (LLVMIsDeclaration(g))
			require_definition(ir, g, "variable");
}

void step_close_world(struct ir *ir)
{
	size_t len;
	LLVMValueRef ifunc = LLVMGetFirstGlobalIFunc(ir->module);

	LLVMGetModuleInlineAsm(ir->module, &len);
	if (len) {
		fputs("chiral: error: a source file has assembly outside functions, which fits one "
		      "instruction set\n", stderr);
		ir->errors++;
	}
	if (ifunc) {
		fprintf(stderr, "chiral: error: %s is an ifunc, which is resolved for one machine\n",
			ir_name(ifunc));
		ir->errors++;
		return;
	}
	forget_lists(ir);
	resolve_aliases(ir);
	internalise_all(ir);
	remove_unused(ir);
	name_literals(ir);
	require_definitions(ir);
}
