/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/stream.h"

#include <errno.h>

#define PREFIX sizeof(uint32_t)
#define TID_OFFSET 1u /* after u8 kind; see event.h */
#define KEEP (64u << 10)

struct stream *streams_get(struct streams *s, uint32_t tid)
{
	struct stream *st;

	HASH_FIND(hh, s->by_tid, &tid, sizeof(tid), st);
	if (st)
		return st;
	st = calloc(1, sizeof(*st));
	if (!st)
		return NULL;
	st->tid = tid;
	HASH_ADD(hh, s->by_tid, tid, sizeof(st->tid), st);
	return st;
}

/* Consumed bytes at the front go away when they are most of the buffer. */
static void compact(struct stream *st)
{
	size_t left = st->bytes.len - st->head;

	if (st->head == 0 || left > st->head)
		return;
	if (left)
		memmove(st->bytes.data, st->bytes.data + st->head, left);
	st->bytes.len = left;
	st->head = 0;
	if (left == 0 && st->bytes.cap > KEEP)
		writer_free(&st->bytes);
}

static int add_event(struct streams *s, const uint8_t *event, size_t len)
{
	struct stream *st;
	uint32_t tid;

	memcpy(&tid, event + TID_OFFSET, sizeof(tid));
	st = streams_get(s, tid);
	if (!st)
		return -ENOMEM;
	compact(st);
	put_blob(&st->bytes, event, len);
	if (st->bytes.failed)
		return -ENOMEM;
	s->queued_bytes += len + PREFIX;
	return 0;
}

int streams_add(struct streams *s, const uint8_t *body, size_t len)
{
	struct reader r = reader_of(body, len);

	while (r.left) {
		size_t n;
		const uint8_t *event = get_blob(&r, EVENT_MAX, &n);
		int err;

		if (!event || n < TID_OFFSET + sizeof(uint32_t))
			return -EPROTO;
		err = add_event(s, event, n);
		if (err < 0)
			return err;
	}
	return 0;
}

bool stream_peek(const struct stream *st, struct reader *ret)
{
	uint32_t n;

	if (st->head == st->bytes.len)
		return false;
	memcpy(&n, st->bytes.data + st->head, PREFIX);
	*ret = reader_of(st->bytes.data + st->head + PREFIX, n);
	return true;
}

void stream_pop(struct streams *s, struct stream *st)
{
	uint32_t n;

	memcpy(&n, st->bytes.data + st->head, PREFIX);
	st->head += PREFIX + n;
	s->taken_events++;
	s->taken_bytes += PREFIX + n;
	s->queued_bytes -= PREFIX + n;
}

void streams_free(struct streams *s)
{
	struct stream *st, *tmp;

	HASH_ITER(hh, s->by_tid, st, tmp)
	{
		HASH_DELETE(hh, s->by_tid, st);
		writer_free(&st->bytes);
		free(st);
	}
}
