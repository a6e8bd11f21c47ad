/* SPDX-License-Identifier: Apache-2.0 */
/* A program's binary that the hub ships to a node which does not have it (FILE frame). */
#ifndef CHIRAL_MATCH_SHIPPED_H
#define CHIRAL_MATCH_SHIPPED_H

#include <stddef.h>
#include <stdint.h>

/* FILE body: str name (one path component), bytes (the rest of the frame). */
#define SHIPPED_NAME_MAX 255u

struct shipped {
	char *dir;	/* a private directory; owned */
	char *path;	/* the file in it, owned; NULL: none */
};

/* 0, -EPROTO for a malformed body or a second file, another -errno. */
int shipped_save(struct shipped *s, const uint8_t *body, size_t len);
/* Deletes file and directory. */
void shipped_remove(struct shipped *s);

#endif
