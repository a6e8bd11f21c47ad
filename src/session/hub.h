/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hub: the process that the user started. It joins one leader (or a record) with followers (or a
 * record), relays events and acknowledgements, prints alarms, obeys the user's signals and knows how
 * it ended.
 *
 * Theory of operation. Every node is one link. Setup is sequential: all nodes are connected, the
 * leader gets START and says which file it executes and as whom, the followers get START with that,
 * and when all variants wait at their first instruction everybody gets GO. Then one poll loop runs
 * until every variant is gone. A link that ends or is silent for too long is a lost peer.
 */
#ifndef CHIRAL_SESSION_HUB_H
#define CHIRAL_SESSION_HUB_H

#include "session/start.h"

#include <sys/types.h>

#define HUB_PEERS_MAX 8

/* A program's file for the nodes of one ISA. */
struct hub_ship {
	enum isa isa;
	const char *path;
};

struct hub_config {
	struct start start;		/* role and identity are filled in by the hub */
	const char *leader;		/* NODE; NULL with verify */
	const char *followers[HUB_PEERS_MAX];
	unsigned n_followers;
	const char *listen;		/* address at which one follower will come (chiral lead), or NULL */
	const char *record;		/* file to write, or NULL */
	const char *verify;		/* file that takes the leader's place, or NULL */
	const char *const *publish;	/* NULL-terminated HOST:GUEST, or NULL */
	struct hub_ship ship[HUB_PEERS_MAX];
	unsigned n_ship;
	int status_fd;			/* JSON lines, or -1 */
	bool allow_different;		/* other versions of the program are said, not refused */
	bool quiet;			/* no line about what was compared at the end */
};

/* Runs the session. Returns Chiral's exit status (see cli.h). Progress and errors go to stderr. */
int hub_run(struct hub_config *config);

#endif
