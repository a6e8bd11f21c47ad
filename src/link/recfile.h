/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record files: see protocol.h for the format. Files are created with mode 0600: they hold the
 * program's inputs and the session key. A file is written or read, by one owner.
 */
#ifndef CHIRAL_LINK_RECFILE_H
#define CHIRAL_LINK_RECFILE_H

#include "link/link.h"

struct recfile;

/* Creates path. The file appears there, whole, at recfile_close(), and replaces a file of that name
 * in one step; until then it has a temporary name beside it. What is no regular file (a pipe,
 * /dev/null) is written directly. start is an encoded START body, borrowed during the call.
 * -errno, logged. */
int recfile_create(const char *path, const struct hello *hello, const void *start, size_t len,
		   struct recfile **ret);
/* type is one that a leader sends: EVENTS, STDIO or EXITED (-EINVAL otherwise). -errno, logged once: the
 * file stays failed. */
int recfile_write(struct recfile *f, enum frame_type type, const void *body, size_t len);
/* Writes END, flushes to the disk, renames into place. -errno, logged; the temporary file is then gone.
 * f is still to be freed. */
int recfile_close(struct recfile *f);

/* Opens and checks magic, HELLO and START (page size and table digest are the caller's to compare).
 * start is borrowed until recfile_free(). -errno, logged. */
int recfile_open(const char *path, struct recfile **ret, struct hello *ret_hello,
		 const uint8_t **ret_start, size_t *ret_start_len);
/* 1 and a frame (body borrowed until the next call), 0 at the end, -EPROTO (logged: truncated, over the
 * bound, unknown type), -errno, logged. Stays failed. */
int recfile_next(struct recfile *f, struct frame *ret);

/* Before recfile_close(): gives up and removes the temporary file. f may be NULL. */
void recfile_free(struct recfile *f);

#endif
