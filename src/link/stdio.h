/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard streams of a program on a node: pipes or sockets there, this process's own at the hub,
 * STDIO frames between them. Nothing piles up: a hub sends no more input than the program has taken and
 * STDIN_AHEAD, and reads no frames while its own output waits.
 */
#ifndef CHIRAL_LINK_STDIO_H
#define CHIRAL_LINK_STDIO_H

#include "base/bytes.h"
#include "link/link.h"

/* ---- node ------------------------------------------------------------------------------------ */

struct stdio_node {
	int fd[3];		/* our ends of the program's streams, owned; -1: closed. They do not block */
	uint8_t *waiting;	/* for the program's input; owned */
	size_t n_waiting;
	bool ended;		/* nothing comes after it */
};

/* In all of these link is NULL when nobody listens any more. */

/* A STDIO frame: 0, -EPROTO or -ENOMEM. */
int stdio_node_receive(struct stdio_node *s, struct link *link, const struct frame *f);
/* fd[0] is ready to be written; it is to be asked for when there is something waiting. */
void stdio_node_write(struct stdio_node *s, struct link *link);
/* fd[which], 1 or 2, has something. */
void stdio_node_read(struct stdio_node *s, struct link *link, int which);
/* Whatever is in the pipes now. */
void stdio_node_drain(struct stdio_node *s, struct link *link);
void stdio_node_close(struct stdio_node *s);

/* ---- hub ------------------------------------------------------------------------------------- */

struct stdio_hub {
	bool in_open;		/* standard input is read */
	size_t in_ahead;	/* bytes that the program has not taken yet */
	struct writer out[3];	/* the program's, waiting for our stdout and stderr */
};

/* A STDIO frame: 0 or -EPROTO. */
int stdio_hub_receive(struct stdio_hub *s, const struct frame *f);
bool stdio_hub_wants_input(const struct stdio_hub *s);
/* Reads standard input, which is ready. */
void stdio_hub_read(struct stdio_hub *s, struct link *link);
/* fd, 1 or 2, is ready to be written. */
void stdio_hub_write(struct stdio_hub *s, int fd);
/* May frames be read? */
bool stdio_hub_has_room(const struct stdio_hub *s);
/* Writes the rest, at the speed of whoever reads, unless there is something at until. */
void stdio_hub_finish(struct stdio_hub *s, int until);

#endif
