/* SPDX-License-Identifier: Apache-2.0 */
/* `chiral run --mode mtd`: two processes of one program on this machine, one thread between them. */
#ifndef CHIRAL_MTD_RUN_H
#define CHIRAL_MTD_RUN_H

#include "isa/isa.h"

struct mtd_run {
	char **argv;		/* argv[0]: the program's path without ".x86_64" */
	const char *points;	/* the points file */
	enum isa other;		/* ISA of the other process; home's is x86-64 */
	int status_fd;		/* JSON lines go there, or -1 */
};

/* Runs it to its end. Returns the exit status: the program's, 128 + signal, or one of cli/cli.h's. */
int mtd_run(const struct mtd_run *run);

#endif
