/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions are switch points, and which may switch because they may call one. */
#include "mtd/transform/steps.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "mtd/libc/libc.h"
#include "mtd/transform/index.h"

#include <stdlib.h>
#include <string.h>

static bool name_is_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, list[i]))
			return true;
	return false;
}

/* A function of such a name that the program defines is one as all others: musl's siglongjmp calls
 * longjmp, which it does not define here. */
bool ir_is_setjmp(LLVMValueRef call)
{
	static const char *const names[] = { "setjmp", "_setjmp", "sigsetjmp", "__sigsetjmp" };
	LLVMValueRef f = ir_called(call);

	return f && !ir_is_defined(f) && name_is_one_of(ir_name(f), names, ARRAY_SIZE(names));
}

bool ir_is_longjmp(LLVMValueRef call)
{
	static const char *const names[] = { "longjmp", "_longjmp", "siglongjmp" };
	LLVMValueRef f = ir_called(call);

	return f && !ir_is_defined(f) && name_is_one_of(ir_name(f), names, ARRAY_SIZE(names));
}

/* The C library's files are compiled in a folder of this name, see tools/mtd-libc. */
static bool is_of_libc(LLVMValueRef f)
{
	unsigned len = 0;
	const char *dir = LLVMGetSubprogram(f) ? LLVMGetDebugLocDirectory(f, &len) : NULL;

	return dir && len >= strlen(MTD_LIBC_FOLDER) &&
	       !memcmp(dir, MTD_LIBC_FOLDER, strlen(MTD_LIBC_FOLDER));
}

static bool is_of_stdio(LLVMValueRef f)
{
	unsigned len = 0;
	const char *name = is_of_libc(f) ? LLVMGetDebugLocFilename(f, &len) : NULL;

	return name && memmem(name, len, "src/stdio/", 10);
}

/* A FILE is made by the C library, in its stdio and by do_read of wcstol and wcstod. The functions there
 * call through pointers in a FILE only; but those that fopencookie makes call the program's. */
static bool calls_stdio_only(LLVMValueRef f)
{
	return is_of_stdio(f) && strncmp(ir_name(f), "cookie", 6);
}

static bool is_in_files(LLVMValueRef f)
{
	return is_of_stdio(f) || (is_of_libc(f) && !strncmp(ir_name(f), "do_read", 7));
}

static bool indirect_may_switch(const struct program *p, LLVMValueRef call)
{
	LLVMValueRef caller = LLVMGetBasicBlockParent(LLVMGetInstructionParent(call));
	int id = index_get(p->index, caller);

	return id >= 0 && p->fns[id].calls_stdio_only ? p->stdio_may_switch : p->indirect_may_switch;
}

/* What the back ends may call on their own must not move: nobody would check after such a call. */
static bool is_called_by_back_ends(LLVMValueRef f)
{
	return LLVMGetLinkage(f) == LLVMExternalLinkage && strcmp(ir_name(f), "__mtd_main");
}

static bool is_address_taken(LLVMValueRef f)
{
	for (LLVMUseRef u = LLVMGetFirstUse(f); u; u = LLVMGetNextUse(u)) {
		LLVMValueRef user = LLVMGetUser(u);

		if (!LLVMIsAInstruction(user) || !ir_is_call(user) || ir_called(user) != f)
			return true;
		for (unsigned i = 0; i < LLVMGetNumArgOperands(user); i++)
			if (LLVMGetOperand(user, i) == f)
				return true;
	}
	return false;
}

/* Marks it and all that it calls. */
static void mark_fixed(struct program *p, LLVMValueRef f)
{
	int id = index_get(p->index, f);

	if (id < 0 || p->fns[id].fixed)
		return;
	p->fns[id].fixed = true;
	FOR_EACH_BLOCK(b, f)
		FOR_EACH_INSTRUCTION(i, b)
			if (ir_called(i))
				mark_fixed(p, ir_called(i));
}

static void mark_point(struct ir *ir, struct fn *fn, const struct mtd_points *points)
{
	static const struct mtd_point wish = { .function = (char *)WISH_POINT, .entry = true };
	const char *name = ir_name(fn->value);
	const struct mtd_point *p = mtd_points_find(points, name, is_of_libc(fn->value));

	if (!strcmp(name, WISH_POINT))
		p = &wish;
	if (!p || ir_is_runtime(fn->value))
		return;
	if (fn->fixed) {
		if (p->function[0] != '*')
			ir_error(ir, fn->value, "it cannot be a switch point: compilers call it without a "
						"word in the program");
		return;
	}
	fn->entry = p->entry;
	fn->exit = p->exit;
	fn->may_switch = true;
}

bool program_call_may_switch(const struct program *p, LLVMValueRef call)
{
	LLVMValueRef f = ir_called(call);
	int id;

	if (ir_is_inline_asm(call))
		return false;
	if (!f)
		return indirect_may_switch(p, call);
	if (LLVMGetIntrinsicID(f))
		return false;
	if (ir_is_longjmp(call))
		return true;
	id = index_get(p->index, f);
	return id >= 0 && p->fns[id].may_switch;
}

static bool calls_what_may_switch(const struct program *p, LLVMValueRef f)
{
	FOR_EACH_BLOCK(b, f)
		FOR_EACH_INSTRUCTION(i, b)
			if (ir_is_call(i) && (ir_is_setjmp(i) || program_call_may_switch(p, i)))
				return true;
	return false;
}

static bool update_indirect(struct program *p)
{
	bool before = p->indirect_may_switch, before_stdio = p->stdio_may_switch;

	for (unsigned k = 0; k < p->n; k++) {
		if (!p->fns[k].address_taken || !p->fns[k].may_switch)
			continue;
		p->indirect_may_switch = true;
		p->stdio_may_switch |= is_in_files(p->fns[k].value);
	}
	return p->indirect_may_switch != before || p->stdio_may_switch != before_stdio;
}

static void spread_to_callers(struct program *p)
{
	bool changed = true;

	while (changed) {
		changed = update_indirect(p);
		for (unsigned k = 0; k < p->n; k++) {
			if (p->fns[k].may_switch || !calls_what_may_switch(p, p->fns[k].value))
				continue;
			p->fns[k].may_switch = true;
			changed = true;
		}
	}
}

/* A function that was selected by name and is not there: inlined at compile time, or misspelt. */
static void warn_missing(const struct program *p, const struct mtd_points *points)
{
	for (size_t i = 0; i < points->n; i++) {
		bool there = points->v[i].function[0] == '*';

		for (unsigned k = 0; k < p->n && !there; k++)
			there = !strcmp(ir_name(p->fns[k].value), points->v[i].function);
		if (!there)
			log_warn("the program has no function %s to be a switch point: it has another name, "
				 "or the compiler has put it into its callers", points->v[i].function);
	}
}

void program_find_points(struct ir *ir, const struct mtd_points *points, struct program *ret)
{
	struct program p = { 0 };

	FOR_EACH_FUNCTION(f, ir) {
		if (!ir_is_defined(f))
			continue;
		p.fns = xrealloc(p.fns, p.n + 1, sizeof(*p.fns));
		p.fns[p.n] = (struct fn){ .value = f, .address_taken = is_address_taken(f),
					  .calls_stdio_only = calls_stdio_only(f) };
		index_set(&p.index, f, (int)p.n++);
	}
	for (unsigned k = 0; k < p.n; k++)
		if (is_called_by_back_ends(p.fns[k].value))
			mark_fixed(&p, p.fns[k].value);
	for (unsigned k = 0; k < p.n && points; k++)
		mark_point(ir, &p.fns[k], points);
	if (points)
		warn_missing(&p, points);
	spread_to_callers(&p);
	for (unsigned k = 0; k < p.n; k++)
		if (p.fns[k].may_switch && p.fns[k].fixed)
			ir_error(ir, p.fns[k].value,
				 "it may switch, but compilers call it without a word in the program");
	*ret = p;
}

void program_free(struct program *p)
{
	index_free(&p->index);
	free(p->fns);
	*p = (struct program){ 0 };
}
