/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that moves between this machine and a node; one of the two is home. This process is the pager
 * of the process here. The session ends with home's process: when the other node is lost, pages may be
 * lost with it; whatever home's process ends of, what is on the other side is ended too. Internal to
 * mtd/run_nodes.c (the beginning and the end) and mtd/nodes_step.c (what happens between).
 */
#ifndef CHIRAL_MTD_NODES_H
#define CHIRAL_MTD_NODES_H

#include "link/stdio.h"
#include "mtd/config.h"
#include "mtd/pager.h"
#include "mtd/run.h"
#include "session/peer.h"

/* What one side may take to end after the other one has. */
#define NODES_END_MS 5000

enum nodes_side { HERE, THERE, _NODES_SIDE_MAX };

struct nodes {
	const struct mtd_run *run;
	enum nodes_side home;
	struct mtd_config_file config;
	struct peer peer;
	struct pager pager;
	struct stdio_hub stdio;	/* of the process there; stderr only, when it is not home */
	int signals;
	int status[_NODES_SIDE_MAX];	/* of waitpid(2) */
	bool ended[_NODES_SIDE_MAX];
	bool silent;		/* the process here has closed its end */
	int exit_status;	/* of this session, when it is not the program's; -1 */
	int64_t said_at, end_by;	/* ms */
};

static inline enum nodes_side nodes_other(const struct nodes *s)
{
	return s->home == HERE ? THERE : HERE;
}

/* Waits for whatever happens next, and does what there is to do. */
void nodes_step(struct nodes *s);
/* A status line. */
void nodes_print_status(const struct nodes *s, const char *state);

#endif
