/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/stream.h"

#include "event/event.h"

#include <errno.h>

#define LENGTH sizeof(uint32_t) /* as the link has it: what is counted */
#define PREFIX (sizeof(uint64_t) + LENGTH)
#define TID_OFFSET 1u /* after u8 kind; see event.h */
#define WHEN_OFFSET 5u /* of a signal; after kind and tid */
#define KEEP (4u << 10)

struct stream *streams_get(struct streams *s, uint32_t tid)
{
	struct stream *st;

	HASH_FIND(hh, s->by_tid, &tid, sizeof(tid), st);
	if (st)
		return st;
	st = HASH_COUNT(s->by_tid) < STREAMS_MAX ? calloc(1, sizeof(*st)) : NULL;
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

	if (s->queued_max && s->queued_bytes + len > s->queued_max)
		return -ENOBUFS;
	memcpy(&tid, event + TID_OFFSET, sizeof(tid));
	st = streams_get(s, tid);
	if (!st)
		return -ENOBUFS;
	compact(st);
	put_u64(&st->bytes, s->added++);
	put_blob(&st->bytes, event, len);
	if (st->bytes.failed)
		return -ENOMEM;
	s->queued_bytes += len + LENGTH;
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

/* There is one. */
static uint32_t next_length(const struct stream *st)
{
	uint32_t n;

	memcpy(&n, st->bytes.data + st->head + sizeof(uint64_t), sizeof(n));
	return n;
}

bool stream_peek(const struct stream *st, struct reader *ret)
{
	if (st->head == st->bytes.len)
		return false;
	*ret = reader_of(st->bytes.data + st->head + PREFIX, next_length(st));
	return true;
}

uint64_t stream_place(const struct stream *st)
{
	uint64_t place = UINT64_MAX;

	if (st->head != st->bytes.len)
		memcpy(&place, st->bytes.data + st->head, sizeof(place));
	return place;
}

bool stream_look(const struct stream *st, size_t *at, struct reader *ret)
{
	struct stream rest = { .bytes = st->bytes, .head = st->head + *at };

	if (!stream_peek(&rest, ret))
		return false;
	*at += PREFIX + ret->left;
	return true;
}

enum stream_next stream_next(const struct stream *st)
{
	struct reader r;

	if (!stream_peek(st, &r) || r.left == 0)
		return NEXT_NOTHING;
	if (r.p[0] == EVENT_DEATH)
		return NEXT_DEATH;
	if (r.p[0] != EVENT_SIGNAL || r.left <= WHEN_OFFSET)
		return NEXT_EVENT;
	switch ((enum signal_when)r.p[WHEN_OFFSET]) {
	case SIGNAL_FATAL:
		return NEXT_FATAL;
	case SIGNAL_IN_CODE:
		return NEXT_IN_CODE;
	default:
		return NEXT_EVENT;
	}
}

void streams_drop(struct streams *s, struct stream *st)
{
	if (st->head != st->bytes.len)
		return;
	HASH_DELETE(hh, s->by_tid, st);
	writer_free(&st->bytes);
	free(st);
}

void stream_pop(struct streams *s, struct stream *st)
{
	uint32_t n = next_length(st);

	st->head += PREFIX + n;
	s->taken_events++;
	s->taken_bytes += LENGTH + n;
	s->queued_bytes -= LENGTH + n;
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
