/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chiral-mtd-transform: bitcode of a whole program in, bitcode that can move between two nodes out.
 * `chiral cc` runs it; it is a program of its own so that nothing else of Chiral needs LLVM.
 */
#include "mtd/transform/steps.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <getopt.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/BitWriter.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: chiral-mtd-transform (--points FILE | --no-points) --list FILE IN.bc OUT.bc\n"
	"\n"
	"Makes the functions that the points file selects switch points. --list writes the points found,\n"
	"one a line: number, function, entry|exit|entry,exit. With --no-points there are none at all, and\n"
	"the program cannot move.\n";

static int read_module(LLVMContextRef context, const char *path, LLVMModuleRef *ret)
{
	LLVMMemoryBufferRef buffer;
	char *what = NULL;

	if (LLVMCreateMemoryBufferWithContentsOfFile(path, &buffer, &what)) {
		log_error("cannot read %s: %s", path, what);
		LLVMDisposeMessage(what);
		return -EIO;
	}
	if (LLVMParseBitcodeInContext2(context, buffer, ret)) {
		log_error("%s is not bitcode of LLVM 19", path);
		LLVMDisposeMemoryBuffer(buffer);
		return -EINVAL;
	}
	LLVMDisposeMemoryBuffer(buffer);
	return 0;
}

static int verify(LLVMModuleRef m, const char *when)
{
	char *what = NULL;
	int r = 0;

	if (LLVMVerifyModule(m, LLVMReturnStatusAction, &what)) {
		log_error("the program is not valid %s (an error of Chiral): %.1000s", when, what);
		r = -EINVAL;
	}
	LLVMDisposeMessage(what);
	return r;
}

/* Passes leave optnone functions alone; the back ends must not find it. */
static void shield(struct ir *ir, bool on)
{
	unsigned kind = LLVMGetEnumAttributeKindForName("optnone", 7);
	LLVMAttributeRef optnone = LLVMCreateEnumAttribute(ir->context, kind, 0);

	FOR_EACH_FUNCTION(f, ir) {
		if (!ir_is_marked(f, IN_MEMORY))
			continue;
		if (on)
			LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex, optnone);
		else
			LLVMRemoveEnumAttributeAtIndex(f, LLVMAttributeFunctionIndex, kind);
	}
}

/* mem2reg undoes the slots. Other passes could use what is not true while a function unwinds. */
static int clean_up(struct ir *ir)
{
	LLVMPassBuilderOptionsRef o = LLVMCreatePassBuilderOptions();
	LLVMErrorRef e;
	char *what;

	shield(ir, true);
	e = LLVMRunPasses(ir->module, "function(mem2reg,simplifycfg)", NULL, o);
	shield(ir, false);
	LLVMDisposePassBuilderOptions(o);
	if (!e)
		return 0;
	what = LLVMGetErrorMessage(e);
	log_error("mem2reg failed: %s", what);
	LLVMDisposeErrorMessage(what);
	return -EINVAL;
}

/* The back ends choose for themselves; x86-64's names would only make the other one complain. */
static void forget_target(struct ir *ir)
{
	static const char *const names[] = { "target-cpu", "target-features", "tune-cpu" };

	FOR_EACH_FUNCTION(f, ir)
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			LLVMRemoveStringAttributeAtIndex(f, LLVMAttributeFunctionIndex, names[k],
							 (unsigned)strlen(names[k]));
}

static int write_list(const struct program *p, const char *path)
{
	cleanup_fclose FILE *f = fopen(path, "we");

	if (!f)
		return log_errno(errno, "cannot write %s", path);
	for (unsigned k = 0; k < p->n; k++) {
		const struct fn *fn = &p->fns[k];

		if (fn->entry || fn->exit)
			fprintf(f, "%u %s %s\n", k, ir_name(fn->value),
				fn->entry && fn->exit ? "entry,exit"
				: fn->entry	      ? "entry"
						      : "exit");
	}
	if (fflush(f) || ferror(f))
		return log_errno(EIO, "cannot write %s", path);
	return 0;
}

static int transform(struct ir *ir, const struct mtd_points *points, const char *list)
{
	struct statistics stats = { 0 };
	struct program p = { 0 };
	int r;

	step_close_world(ir);
	ir_declare_runtime(ir);
	step_check(ir);
	if (ir->errors)
		return -EINVAL;
	step_gotos(ir);
	step_variadics(ir);
	step_byval(ir);
	step_thread_locals(ir);
	program_find_points(ir, points, &p);
	r = ir->errors ? -EINVAL : write_list(&p, list);
	for (unsigned k = 0; k < p.n && r == 0; k++)
		if (p.fns[k].may_switch)
			instrument(ir, &p, k, &stats);
	step_longjmp(ir);
	forget_target(ir);
	if (ir->errors)
		r = -EINVAL;
	log_debug("%u functions, %u may switch, %u calls, %u values, largest record %llu bytes", p.n,
		  stats.functions, stats.sites, stats.values,
		  (unsigned long long)stats.largest_record);
	program_free(&p);
	return r;
}

static int run(const char *points_path, const char *list, const char *in, const char *out)
{
	LLVMContextRef context = LLVMContextCreate();
	struct mtd_points points = { 0 };
	LLVMModuleRef module;
	struct ir ir;
	int r = points_path ? mtd_points_load(points_path, &points) : 0;

	if (r == 0)
		r = read_module(context, in, &module);
	if (r < 0)
		return r;
	ir_init(&ir, context, module);
	r = transform(&ir, points_path ? &points : NULL, list);
	if (r == 0)
		r = verify(module, "after it was instrumented");
	if (r == 0)
		r = clean_up(&ir);
	if (r == 0)
		r = verify(module, "at the end");
	if (r == 0 && LLVMWriteBitcodeToFile(module, out))
		r = log_errno(EIO, "cannot write %s", out);
	ir_close(&ir);
	LLVMDisposeModule(module);
	LLVMContextDispose(context);
	mtd_points_free(&points);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "points", required_argument, NULL, 'p' },
		{ "no-points", no_argument, NULL, 'n' },
		{ "list", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *points = NULL, *list = NULL;
	bool none = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'p')
			points = optarg;
		else if (c == 'n')
			none = true;
		else if (c == 'l')
			list = optarg;
		else
			return fputs(usage, c == 'h' ? stdout : stderr), c != 'h';
	}
	if (!points == !none || !list || argc - optind != 2)
		return fputs(usage, stderr), 1;
	return run(points, list, argv[optind], argv[optind + 1]) < 0;
}
