/* SPDX-License-Identifier: Apache-2.0 */
#include "link/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST (64u << 10)

static void move_to_start(struct buffer *b)
{
	size_t len = buffer_len(b);

	if (b->head && len)
		memmove(b->data, b->data + b->head, len);
	b->head = 0;
	b->tail = len;
}

static size_t grown_cap(const struct buffer *b, size_t need)
{
	size_t cap = b->cap ? b->cap * 2 : BUFFER_FIRST;

	if (b->limit && cap > b->limit)
		cap = b->limit;
	return cap > need ? cap : need;
}

int buffer_reserve(struct buffer *b, size_t n)
{
	size_t len = buffer_len(b), cap;
	uint8_t *p;

	if (b->data && buffer_room(b) >= n)
		return 0;
	if (n > SIZE_MAX / 4 - len)
		return -ENOMEM;
	/* A move has to be paid for by what was taken, or a long queue would be moved for each frame. */
	if (b->data && len + n <= b->cap && (b->head >= b->cap / 4 || b->cap == b->limit)) {
		move_to_start(b);
		return 0;
	}
	cap = grown_cap(b, len + n);
	move_to_start(b);
	if (cap <= b->cap)
		return 0;
	p = realloc(b->data, cap);
	if (!p)
		return -ENOMEM;
	b->data = p;
	b->cap = cap;
	return 0;
}

void buffer_take(struct buffer *b, size_t n)
{
	b->head += n;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}

void buffer_trim(struct buffer *b)
{
	size_t len = buffer_len(b);
	uint8_t *p;

	if (b->cap <= BUFFER_KEEP || len > BUFFER_KEEP / 4)
		return;
	move_to_start(b);
	p = realloc(b->data, BUFFER_KEEP);
	if (!p)
		return;
	b->data = p;
	b->cap = BUFFER_KEEP;
}

void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ .limit = b->limit };
}
