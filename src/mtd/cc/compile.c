/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/cc/cc.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * One bitcode for both back ends: x86-64's headers, structures and numbers; a long double and
 * contraction that both have; no vector type or assembly chosen by preprocessor; line numbers for
 * messages. No exceptions: frames go by returning.
 */
static const char *const flags[] = {
	"--target=x86_64-linux-musl", "-U__x86_64__", "-U__x86_64", "-U__amd64__", "-U__amd64",
	"-U__SSE__", "-U__SSE2__", "-U__SSE_MATH__", "-U__SSE2_MATH__", "-U__MMX__",
	"-U__GCC_ASM_FLAG_OUTPUTS__", "-D__CHIRAL_MTD__=1", "-mlong-double-64", "-ffp-contract=off",
	"-fno-pic", "-fno-stack-protector", "-fcf-protection=none", "-fno-asynchronous-unwind-tables",
	"-fno-exceptions", "-fno-lto", "-emit-llvm", "-nostdlibinc", "-Qunused-arguments",
};

int cc_add_flags(struct strv *argv, const char *libc)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags) && r == 0; i++)
		r = strv_add(argv, flags[i]);
	if (r == 0)
		r = strv_add(argv, "-isystem");
	return r ? r : strv_addf(argv, "%s/include", libc);
}

/* Runs clang with all as it was given, ours behind. source: the one to compile of several, which goes
 * to FILE.o as cc does it (with -emit-llvm clang would choose FILE.bc); NULL: no such choice. */
static int compile_one(int argc, char **argv, const struct cc_request *request, const char *libc,
		       const char *source)
{
	const char *slash = source ? strrchr(source, '/') : NULL, *base = slash ? slash + 1 : source;
	cleanup_strv struct strv run = { 0 };
	int r = strv_add(&run, "clang-19");

	/* Line tables only: a -g of the user's comes later and wins. */
	if (r == 0)
		r = strv_add(&run, "-gline-tables-only");
	for (int i = 1; i < argc && r == 0; i++) {
		bool other = false;

		for (size_t k = 0; source && k < request->sources.n; k++)
			other |= !strcmp(argv[i], request->sources.v[k]) && strcmp(argv[i], source);
		if (!other && strncmp(argv[i], "--chiral-", 9))
			r = strv_add(&run, argv[i]);
	}
	if (r == 0 && base)
		r = strv_addf(&run, "-o%.*s.o", (int)(strlen(base) - 2), base);
	if (r == 0)
		r = cc_add_flags(&run, libc);
	if (r < 0)
		return log_errno(-r, "cannot run clang-19");
	return cc_run(&run);
}

static bool has_argument(int argc, char **argv, const char *arg)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], arg))
			return true;
	return false;
}

static int compile_only(int argc, char **argv, const struct cc_request *request, const char *libc)
{
	int r = 0;

	if (request->output || !has_argument(argc, argv, "-c"))
		return compile_one(argc, argv, request, libc, NULL);
	for (size_t i = 0; i < request->sources.n && r == 0; i++)
		r = compile_one(argc, argv, request, libc, request->sources.v[i]);
	return r;
}

int cc_main(int argc, char **argv)
{
	struct cc_request request;
	struct cc_tools tools;
	int r;

	if (cc_parse(argc, argv, &request) < 0)
		return 1;
	r = cc_find_tools(&tools);
	if (r == 0) {
		r = request.mode == CC_COMPILE ? compile_only(argc, argv, &request, tools.libc)
					       : cc_make_work_folder(&tools);
		if (r == 0 && request.mode == CC_LINK)
			r = cc_link(&request, &tools);
		cc_tools_free(&tools);
	}
	cc_request_free(&request);
	return r < 0 ? 1 : r;
}
