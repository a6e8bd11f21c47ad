/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command on a node outside a session: `chiral microvm exec`.
 *
 * After EXEC the hub sends STDIO (standard input; empty at its end) and SIGNAL, the node STDIO of
 * descriptors 1 and 2 and at last EXITED with a u32 wait status.
 */
#ifndef CHIRAL_NODE_EXEC_H
#define CHIRAL_NODE_EXEC_H

#include "base/bytes.h"
#include "link/link.h"

#define EXEC_STRINGS_MAX 4096u        /* arguments, and variables */
#define EXEC_STRING_MAX  (128u << 10) /* bytes of one; MAX_ARG_STRLEN of Linux */
#define EXEC_TOTAL_MAX   (1u << 20)   /* bytes of all */

/* FRAME_EXEC's body: cwd, count and strings of argv, count and strings of env. */
struct exec_request {
	char **argv; /* NULL-terminated, at least one */
	char **env;  /* NULL-terminated NAME=VALUE, added to the node's; may be NULL */
	char *cwd;   /* "" is the node's choice */
};

void exec_request_encode(struct writer *w, const struct exec_request *req);
/* 0, -EPROTO (over a bound, trailing bytes, no argument), -ENOMEM; *ret is then untouched. */
int exec_request_decode(const uint8_t *body, size_t len, struct exec_request *ret);
void exec_request_free(struct exec_request *req);

/* Node: runs the command to its end. The exit status of the serving process. */
int exec_serve(struct link *l, const uint8_t *body, size_t len);

/*
 * Hub: runs req over a connected node; takes fd. in, out and err are descriptors of this process,
 * borrowed; in may be -1. peer names the node in messages. Returns the command's exit status
 * (128 + signal when killed by one) or -errno, logged.
 */
int exec_remote(int fd, const char *peer, const struct exec_request *req, int in, int out, int err);

#endif
