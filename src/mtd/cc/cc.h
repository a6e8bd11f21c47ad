/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `chiral cc`: a compiler driver with cc's command line. Sources become bitcode; linking makes of all
 * bitcode one program for two instruction sets: PROGRAM.x86_64, PROGRAM.aarch64, the manifest
 * PROGRAM.chiral, and PROGRAM itself (the file for this machine, so that build systems can run it).
 *
 *	sources -> clang -> bitcode -> LLD (one module) -> transformer -> llc, twice -> layout
 *	        -> LLD, twice -> check
 */
#ifndef CHIRAL_MTD_CC_CC_H
#define CHIRAL_MTD_CC_CC_H

#include "base/strv.h"

#include <stdbool.h>

enum cc_mode {
	CC_LINK,
	CC_COMPILE,	/* -c, -S, -E, -M, or a question that clang answers (--version) */
};

/* What a command line asks for. Strings are borrowed from it. */
struct cc_request {
	enum cc_mode mode;
	const char *output;	/* -o; NULL when not given */
	const char *points;	/* --chiral-points or CHIRAL_POINTS; NULL: no switch points but the
				 * runtime's own */
	bool cannot_move;	/* --chiral-points=none: not even those */
	struct strv compile;	/* options for clang, without inputs and -o */
	struct strv sources;
	struct strv link;	/* for LLD in order: objects, archives, -l, -L, what -Wl held; a source is the
				 * empty string */
};

/* Where the parts are. */
struct cc_tools {
	char *folder;		/* transformer and runtime objects */
	char *libc;		/* headers and bitcode of the C library */
	char *work;		/* temporary, removed at the end */
};

/* 0 or -EINVAL, logged. */
int cc_parse(int argc, char **argv, struct cc_request *ret);
void cc_request_free(struct cc_request *r);

/* Options that make bitcode fit both ISAs; put behind the user's, so that they win. 0 or -errno. */
int cc_add_flags(struct strv *argv, const char *libc);
int cc_link(const struct cc_request *r, const struct cc_tools *t);

/* Finds (and for the C library, when it is missing, makes) them. 0 or -errno, logged. */
int cc_find_tools(struct cc_tools *ret);
int cc_make_work_folder(struct cc_tools *t);
void cc_tools_free(struct cc_tools *t);

/* Runs a program and waits. Its exit status (128 + signal); -errno, logged, when it cannot run. */
int cc_run(struct strv *argv);
/* Two at once. The first of them that fails decides. */
int cc_run_two(struct strv *a, struct strv *b);
/* The same with its standard output (one line, at most 4095 bytes) in *ret, owned. */
int cc_run_for_line(struct strv *argv, char **ret);

/* The command. Returns the exit status. */
int cc_main(int argc, char **argv);

#endif
