/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two nodes of a program that moves, over a link. The hub's machine is one of the two. MOVE_START's
 * body: blob program (as EXEC's body; of argv argv[0] alone, and no environment, when the node is not
 * home), u8 enum isa of the file that follows in a FILE frame, u8 enum mtd_how, u8 home (0 or 1), blob
 * struct mtd_config. A blob is a u32 length and the bytes.
 *
 *	hub				node
 *	MOVE_START, FILE ------------->	starts its process
 *	<------------------------------ STARTED (u32 enum mtd_how)
 *	starts the process here
 *	MOVE <------------------------> MOVE
 *	MOVE_POINTS (blob struct mtd_config) ->
 *	<------------------------------ STDIO (its stderr; all three streams when it is home),
 *					EXITED (u32 wait status)
 *	STDIO, SIGNAL ---------------->	when it is home
 */
#ifndef CHIRAL_MTD_REMOTE_H
#define CHIRAL_MTD_REMOTE_H

#include "base/bytes.h"
#include "isa/isa.h"
#include "link/link.h"
#include "mtd/runtime/session.h"
#include "node/exec.h"

struct mtd_start {
	struct exec_request program;
	enum isa isa;
	enum mtd_how how;
	bool home;		/* the node's process is home's */
	const void *config;	/* borrowed */
	size_t config_size;
};

void mtd_start_encode(struct writer *w, const struct mtd_start *s);
/* 0 (the program is the caller's to free), -EPROTO or -ENOMEM. The configuration is checked. */
int mtd_start_decode(const uint8_t *body, size_t len, struct mtd_start *ret);

/* The body of MOVE_POINTS. 0 (borrowed from it, perhaps not aligned) or -EPROTO. The configuration is checked. */
int mtd_points_decode(const uint8_t *body, size_t len, const void **ret_config, size_t *ret_size);

/* The node: serves a session to its end. The exit status of the serving process. */
int mtd_serve(struct link *l, const struct frame *start);

#endif
