/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "mtd/cc/cc.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: chiral cc [--chiral-points=FILE] [OPTIONS OF cc] FILE...\n"
	"\n"
	"Compiles and links C for both instruction sets at once, so that the program can move between\n"
	"them while it runs (`chiral run --mode mtd`). Takes the place of cc: CC=\"chiral cc\".\n"
	"\n"
	"  --chiral-points=FILE  functions that are switch points, one a line (default: the variable\n"
	"                        CHIRAL_POINTS); \"*\" stands for all of the program's own\n"
	"  --chiral-points=none  a program that cannot move, to measure what points cost\n"
	"  -c, -o, -I, -D, -l... as for cc; clang 19 compiles\n"
	"  --help                this text\n"
	"\n"
	"Linking makes PROGRAM.x86_64, PROGRAM.aarch64, the manifest PROGRAM.chiral, and PROGRAM, which\n"
	"is the file for this machine.\n"
	"\n"
	"Exit status: 0, or 1 when the program cannot be built.\n";

int cmd_cc(int argc, char **argv)
{
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(help, stdout);
		return 0;
	}
	if (argc < 2) {
		fputs("Try `chiral cc --help`.\n", stderr);
		return EXIT_OWN_FAILURE;
	}
	return cc_main(argc, argv);
}
