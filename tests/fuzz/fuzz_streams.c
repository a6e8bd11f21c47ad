/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EVENTS frames sorted by thread. The input is bodies, each behind a u8 length: events come out in their
 * order, once, and nothing else does. Between the bodies a part of the events is taken.
 */
#include "fuzz.h"

#include "replay/stream.h"

#include <errno.h>

/* Takes every second stream's first event, or all events. */
static size_t take(struct streams *s, bool all)
{
	struct stream *st, *tmp;
	size_t taken = 0;
	unsigned i = 0;

	HASH_ITER(hh, s->by_tid, st, tmp)
	{
		struct reader r;
		uint32_t tid;

		while ((all || i % 2) && stream_peek(st, &r)) {
			fuzz_check(r.left >= 5);
			memcpy(&tid, r.p + 1, 4);
			fuzz_check(tid == st->tid);
			taken += r.left + 4;
			stream_pop(s, st);
			if (!all)
				break;
		}
		i++;
	}
	return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size);
	struct streams s = { 0 };
	size_t added = 0, taken = 0;
	int q = 0;

	while (r.left && q == 0) {
		size_t n = get_u8(&r);
		const uint8_t *body;

		if (n > r.left)
			n = r.left;
		body = get_bytes(&r, n);
		q = streams_add(&s, body, n);
		fuzz_check(q == 0 || q == -EPROTO || q == -ENOMEM || q == -ENOBUFS);
		added += n;
		taken += take(&s, false);
		fuzz_check(s.taken_bytes == taken);
	}
	taken += take(&s, true);
	fuzz_check(s.queued_bytes == 0 && s.taken_bytes == taken);
	fuzz_check(q == 0 ? taken == added : taken <= added);
	streams_free(&s);
	return 0;
}

void fuzz_seeds(void)
{
	struct writer w = { 0 };

	for (unsigned body = 0; body < 5; body++) {
		size_t at = w.len;

		put_u8(&w, 0);
		for (unsigned i = 0; i < 4; i++) {
			put_u32(&w, 5 + 3 * i);
			put_u8(&w, 0);
			put_u32(&w, 100 + (body + i) % 3);
			put_bytes(&w, "abcdefghi", 3 * i);
		}
		w.data[at] = (uint8_t)(w.len - at - 1);
	}
	fuzz_seed(w.data, w.len);
	writer_free(&w);
}
