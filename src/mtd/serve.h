/* SPDX-License-Identifier: Apache-2.0 */
/* The side of a program that moves that is on a node. Internal to mtd/serve.c and mtd/serve_begin.c. */
#ifndef CHIRAL_MTD_SERVE_H
#define CHIRAL_MTD_SERVE_H

#include "link/stdio.h"
#include "match/shipped.h"
#include "mtd/config.h"
#include "mtd/pager.h"
#include "mtd/remote.h"

struct side {
	struct link *link;
	struct pager pager;
	struct mtd_config_file config;
	struct stdio_node stdio; /* of the program; its stderr only, when it is not home */
	int pidfd;
	bool silent;	/* the program has closed its end */
	bool ended;
	int64_t heard_at, said_at;
};

/* The FILE frame. 0 or -errno. */
int side_receive_file(struct link *l, struct shipped *ret);
/* Starts the process, which executes file. 0 or -errno, logged. */
int side_start(struct side *o, const struct mtd_start *s, const char *file);
/* What a process that did not begin has said goes to the node's log: the hub waits for one sentence. */
void side_log_errors(const struct side *o);

#endif
