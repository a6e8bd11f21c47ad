/* SPDX-License-Identifier: Apache-2.0 */
/* `chiral run --mode mtd`: two processes of one program, one thread between them. */
#ifndef CHIRAL_MTD_RUN_H
#define CHIRAL_MTD_RUN_H

#include "isa/isa.h"
#include "mtd/config.h"
#include "mtd/pager.h"

#include <signal.h>

struct mtd_place {
	const char *node;
	int isa;		/* enum isa of a process on the node "local"; -1: the node's own */
};

struct mtd_run {
	char **argv;		/* argv[0]: the program's path without ".x86_64" */
	const char *points;	/* the points file */
	struct mtd_place home, other;
	const char *const *publish;	/* HOST:GUEST, NULL-terminated: ports of a home in the microVM; or NULL */
	bool pages_chosen;	/* by the user: the next two */
	bool one_memory;	/* both processes here, on one memory file, without pagers */
	enum mtd_how how;	/* else: how the other node watches its memory */
	int status_fd;		/* JSON lines go there, or -1 */
};

/* Runs it to its end. Returns the exit status: the program's, 128 + signal, or one of cli/cli.h's. */
int mtd_run(const struct mtd_run *run);

/* ---- internal -------------------------------------------------------------------------------- */

int mtd_run_here(const struct mtd_run *run);
int mtd_run_nodes(const struct mtd_run *run);

/* PROGRAM.x86_64; owned, NULL when there is no memory. */
char *mtd_file_of(const struct mtd_run *run, enum isa isa);
/* Blocks what a session waits for: the end of children, and signals for the program. */
void mtd_block_signals(sigset_t *ret);
/* SIGHUP from a process: reads the points file again. 0; negative, logged, when the old points stay. */
int mtd_reload(const struct mtd_run *run, struct mtd_config_file *f);
/* A status line; nothing when nobody asked for it. */
void mtd_print_status(int fd, const char *state, const struct pager_counters *c);

#endif
