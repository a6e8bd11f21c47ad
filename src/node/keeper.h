/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A keeper is the process around one connection of a node: it runs node_serve() in a child and ends
 * only when that child and every process it left behind, at whatever depth, is dead.
 */
#ifndef CHIRAL_NODE_KEEPER_H
#define CHIRAL_NODE_KEEPER_H

#include <stdbool.h>

/*
 * Call it in a forked process with nothing to lose: it closes all descriptors but 0-2 and fd,
 * leaves the terminal, and becomes a child subreaper. Takes fd. serial: fd is a virtio-serial port,
 * which cannot say to the host that the session is over; a keeper does. Returns the exit status of
 * node_serve(), 128 + signal when it was killed.
 */
int keeper_run(int fd, bool serial);

#endif
