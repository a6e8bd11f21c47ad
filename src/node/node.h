/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes: machines that can host a variant. To a session a node is one stream descriptor on which
 * node_serve() answers at the other end.
 *
 *	local			a forked process of this machine
 *	microvm[:amd64|:arm64]	the microVM, started when it is not running
 *	tcp://HOST:PORT		a `chiral node --listen` on another machine
 *	unix:PATH		the same on a unix socket
 */
#ifndef CHIRAL_NODE_NODE_H
#define CHIRAL_NODE_NODE_H

#include "isa/isa.h"

#include <sys/types.h>

enum node_kind {
	NODE_LOCAL,
	NODE_MICROVM,
	NODE_STREAM, /* tcp:// and unix: */
};

struct node_spec {
	enum node_kind kind;
	enum isa isa;  /* NODE_MICROVM */
	char *address; /* NODE_STREAM; owned */
};

/* Parses a NODE of the command line. -EINVAL, logged. "microvm" is the ISA that is not native. */
int node_parse(const char *text, struct node_spec *ret);
void node_spec_free(struct node_spec *spec);

/*
 * Connects: returns a descriptor owned by the caller, or -errno, logged. NODE_LOCAL forks a process
 * that runs node_serve() and stores its pid in *ret_pid (0 otherwise). publish: NULL-terminated
 * HOST:GUEST port pairs for a microVM (in force until the session's end), or NULL.
 */
int node_connect(const struct node_spec *spec, const char *const *publish, pid_t *ret_pid);

/* Serves one connection to its end (a session or a command), in this process. Exit status. */
int node_serve(int fd);

/* microvm */
int microvm_connect(enum isa isa, const char *const *publish);

#endif
