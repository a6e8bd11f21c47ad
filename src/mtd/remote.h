/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two nodes of a program that moves, over a link. MOVE_START's body: str name (argv[0]), u8 enum
 * isa of the file that follows in a FILE frame, u8 enum mtd_how, u32 length and struct mtd_config.
 *
 *	home				the other node
 *	MOVE_START, FILE ------------->	starts its process
 *	<------------------------------ STARTED (u32 enum mtd_how)
 *	starts its process
 *	MOVE <------------------------> MOVE
 *	MOVE_POINTS (u32 length and struct mtd_config) ->
 *	<------------------------------ STDIO (its stderr), EXITED (u32 wait status)
 */
#ifndef CHIRAL_MTD_REMOTE_H
#define CHIRAL_MTD_REMOTE_H

#include "base/bytes.h"
#include "isa/isa.h"
#include "link/link.h"
#include "mtd/runtime/session.h"

struct mtd_start {
	char *name;
	enum isa isa;
	enum mtd_how how;
	const void *config;	/* borrowed */
	size_t config_size;
};

void mtd_start_encode(struct writer *w, const struct mtd_start *s);
/* 0 (name is owned by the caller), -EPROTO or -ENOMEM. The configuration is checked. */
int mtd_start_decode(const uint8_t *body, size_t len, struct mtd_start *ret);

/* The body of MOVE_POINTS. 0 (borrowed from it, perhaps not aligned) or -EPROTO. The configuration is checked. */
int mtd_points_decode(const uint8_t *body, size_t len, const void **ret_config, size_t *ret_size);

/* The other node: serves a session to its end. The exit status of the serving process. */
int mtd_serve(struct link *l, const struct frame *start);

#endif
