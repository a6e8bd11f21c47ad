/* SPDX-License-Identifier: Apache-2.0 */
/* The events that wait for a follower: order, bounds, what comes next. */
#include "unit.h"

#include "event/event.h"
#include "replay/stream.h"

#include <errno.h>
#include <string.h>

/* One event of an EVENTS body. */
static void put_event(struct writer *w, uint8_t kind, uint32_t tid, const void *rest, size_t n)
{
	put_u32(w, (uint32_t)(5 + n));
	put_u8(w, kind);
	put_u32(w, tid);
	put_bytes(w, rest, n);
}

static void test_order(void **state)
{
	struct streams s = { 0 };
	struct stream *one, *two;
	struct writer w = { 0 };
	struct reader r;

	for (uint8_t i = 0; i < 200; i++)
		put_event(&w, EVENT_CALL, 1 + i % 2, &i, 1);
	assert_int_equal(streams_add(&s, w.data, w.len), 0);
	one = streams_get(&s, 1);
	two = streams_get(&s, 2);
	for (uint8_t i = 0; i < 200; i += 2) {
		assert_true(stream_peek(one, &r) && r.left == 6 && r.p[5] == i);
		assert_int_equal(stream_place(one), i);
		stream_pop(&s, one);
	}
	assert_false(stream_peek(one, &r));
	assert_int_equal(stream_next(one), NEXT_NOTHING);
	assert_true(stream_place(one) == UINT64_MAX && stream_place(two) == 1);
	assert_true(stream_peek(two, &r) && r.p[5] == 1);
	assert_int_equal(s.taken_events, 100);
	assert_int_equal(s.taken_bytes, 1000);
	assert_int_equal(s.queued_bytes, 1000);
	/* what has something left stays */
	streams_drop(&s, two);
	assert_ptr_equal(streams_get(&s, 2), two);
	streams_drop(&s, one);
	assert_int_equal(HASH_COUNT(s.by_tid), 1);
	streams_free(&s);
	writer_free(&w);
}

static void test_next(void **state)
{
	const uint8_t fatal[] = { SIGNAL_FATAL, 0, 15, 0 }, before[] = { SIGNAL_BEFORE, 0, 15, 0 };
	const uint8_t in_code[] = { SIGNAL_IN_CODE, 0, 15, 0 };
	const uint8_t dead[4] = { 0 };
	struct streams s = { 0 };
	struct stream *st = streams_get(&s, 7);
	struct writer w = { 0 };
	struct reader r;
	size_t at = 0;

	put_event(&w, EVENT_SIGNAL, 7, before, sizeof(before));
	put_event(&w, EVENT_SIGNAL, 7, in_code, sizeof(in_code));
	put_event(&w, EVENT_SIGNAL, 7, fatal, sizeof(fatal));
	put_event(&w, EVENT_SIGNAL, 7, NULL, 0); /* cut: event_decode() refuses it later */
	put_event(&w, EVENT_DEATH, 7, dead, sizeof(dead));
	assert_int_equal(streams_add(&s, w.data, w.len), 0);
	assert_int_equal(stream_next(st), NEXT_EVENT);
	for (int i = 0; i < 5; i++) {
		assert_true(stream_look(st, &at, &r));
		assert_int_equal(r.p[0], i == 4 ? EVENT_DEATH : EVENT_SIGNAL);
	}
	assert_false(stream_look(st, &at, &r));
	stream_pop(&s, st);
	assert_int_equal(stream_next(st), NEXT_IN_CODE);
	stream_pop(&s, st);
	assert_int_equal(stream_next(st), NEXT_FATAL);
	stream_pop(&s, st);
	assert_int_equal(stream_next(st), NEXT_EVENT);
	stream_pop(&s, st);
	assert_int_equal(stream_next(st), NEXT_DEATH);
	streams_free(&s);
	writer_free(&w);
}

static void test_hostile_lengths(void **state)
{
	static const uint8_t short_event[] = { 4, 0, 0, 0, 1, 2, 3, 4 };
	static const uint8_t cut[] = { 9, 0, 0, 0, 0, 1, 0, 0, 0 };
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0, 0 };
	struct streams s = { 0 };

	assert_int_equal(streams_add(&s, short_event, sizeof(short_event)), -EPROTO);
	assert_int_equal(streams_add(&s, cut, sizeof(cut)), -EPROTO);
	assert_int_equal(streams_add(&s, huge, sizeof(huge)), -EPROTO);
	assert_int_equal(streams_add(&s, cut, 3), -EPROTO);
	assert_int_equal(streams_add(&s, NULL, 0), 0);
	assert_int_equal(s.queued_bytes, 0);
	streams_free(&s);
}

static void test_bounds(void **state)
{
	struct streams s = { .queued_max = 1000 };
	uint8_t block[500] = { 0 };
	struct writer w = { 0 };

	put_event(&w, EVENT_CALL, 1, block, sizeof(block));
	assert_int_equal(streams_add(&s, w.data, w.len), 0);
	assert_int_equal(streams_add(&s, w.data, w.len), -ENOBUFS);
	stream_pop(&s, streams_get(&s, 1));
	assert_int_equal(streams_add(&s, w.data, w.len), 0);
	streams_free(&s);

	s = (struct streams){ 0 };
	writer_reset(&w);
	for (uint32_t tid = 1; tid <= STREAMS_MAX; tid++)
		put_event(&w, EVENT_DEATH, tid, block, 4);
	assert_int_equal(streams_add(&s, w.data, w.len), 0);
	writer_reset(&w);
	put_event(&w, EVENT_DEATH, STREAMS_MAX + 1, block, 4);
	assert_int_equal(streams_add(&s, w.data, w.len), -ENOBUFS);
	streams_free(&s);
	writer_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_hostile_lengths),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
