/* SPDX-License-Identifier: Apache-2.0 */
/* Record files: see protocol.h for the format. Files are created with mode 0600: they hold the
 * program's inputs and the session key. */
#ifndef CHIRAL_LINK_RECFILE_H
#define CHIRAL_LINK_RECFILE_H

#include "link/link.h"

struct recfile;

/* Creates path (an existing file is replaced atomically at recfile_close()). start is an encoded START
 * body, borrowed during the call. -errno, logged. */
int recfile_create(const char *path, const struct hello *hello, const void *start, size_t len,
		   struct recfile **ret);
int recfile_write(struct recfile *f, enum frame_type type, const void *body, size_t len);
/* Flushes, closes, renames into place. -errno, logged. */
int recfile_close(struct recfile *f);

/* Opens and checks magic and HELLO. start is borrowed until recfile_free(). -errno, logged. */
int recfile_open(const char *path, struct recfile **ret, struct hello *ret_hello,
		 const uint8_t **ret_start, size_t *ret_start_len);
/* 1 and a frame, 0 at the end, -EPROTO (logged: truncated, over the bound, unknown type). */
int recfile_next(struct recfile *f, struct frame *ret);
void recfile_free(struct recfile *f);

#endif
