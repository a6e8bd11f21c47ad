/* SPDX-License-Identifier: Apache-2.0 */
/* A monitor: the process that controls one variant, at the node's end of a connection. */
#ifndef CHIRAL_MATCH_MONITOR_H
#define CHIRAL_MATCH_MONITOR_H

#include "link/link.h"

/*
 * Serves one session: peer is what the hub said of itself, first the frame after the handshake, FILE or START. Runs the variant in the
 * role that START gives, to its end or the hub's, and leaves no process of it. Problems are sent to
 * the hub as an ERROR frame. The link stays the caller's. Exit status for the serving process.
 */
int monitor_serve(struct link *link, const struct hello *peer, const struct frame *first);

/* `chiral follow`: sessions of this process must be for this program, as a follower. argv is borrowed. */
void monitor_expect(char *const *argv);
/* True once that was said. */
bool monitor_expects(void);

#endif
