/* SPDX-License-Identifier: Apache-2.0 */
/* The daemons of a node: each serves connections, one keeper process each, until SIGTERM or SIGINT,
 * and then ends all sessions. They return the exit status, or -errno, logged, when they cannot
 * start. */
#ifndef CHIRAL_NODE_LISTEN_H
#define CHIRAL_NODE_LISTEN_H

#include <stdbool.h>

/* address as for transport_listen(). Prints "listening on ADDRESS" on stderr. once: one connection.
 */
int node_listen(const char *address, bool once);

/* The virtio-serial ports named chiral.N; used in the microVM's guest. */
int node_serial(void);

#endif
