/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of bytes in one block of memory: bytes are put at the tail and taken from the head, both
 * without an allocation in the steady state. What is left moves to the start of the block when much
 * was taken before it, else the block doubles; it shrinks back after a burst.
 */
#ifndef CHIRAL_LINK_BUFFER_H
#define CHIRAL_LINK_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* A block up to this size is kept when it empties; bytes. */
#define BUFFER_KEEP (1u << 20)

struct buffer {
	uint8_t *data;
	size_t head, tail, cap;
	size_t limit; /* the block is not doubled beyond this many bytes; 0: no limit */
};

static inline size_t buffer_len(const struct buffer *b)
{
	return b->tail - b->head;
}

static inline const uint8_t *buffer_at(const struct buffer *b)
{
	return b->data + b->head;
}

static inline size_t buffer_room(const struct buffer *b)
{
	return b->cap - b->tail;
}

/* Makes room for n bytes behind the tail. Pointers into the buffer become invalid. 0 or -ENOMEM. */
int buffer_reserve(struct buffer *b, size_t n);
/* Takes n bytes (at most buffer_len()) from the head. Pointers stay valid. */
void buffer_take(struct buffer *b, size_t n);
/* Gives memory back when a large block holds little. Pointers into the buffer become invalid. */
void buffer_trim(struct buffer *b);
void buffer_free(struct buffer *b);

#endif
