/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory buffers take: bounded by what arrived, given back, and constant when it is steady. */
#include "link_util.h"

static void fill(struct buffer *b, size_t n, uint8_t *next)
{
	assert_int_equal(buffer_reserve(b, n), 0);
	for (size_t i = 0; i < n; i++)
		b->data[b->tail++] = (*next)++;
}

static void drain(struct buffer *b, size_t n, uint8_t *next)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buffer_at(b)[i], (*next)++);
	buffer_take(b, n);
}

static void test_order(void **state)
{
	struct buffer b = { 0 };
	uint8_t in = 0, out = 0;
	uint32_t seed = 7;

	for (int i = 0; i < 3000; i++) {
		seed = seed * 1103515245 + 12345;
		fill(&b, (seed >> 16) % 5000, &in);
		seed = seed * 1103515245 + 12345;
		drain(&b, (seed >> 8) % (buffer_len(&b) + 1), &out);
		if (i % 100 == 0)
			buffer_trim(&b);
	}
	drain(&b, buffer_len(&b), &out);
	assert_int_equal(in, out);
	buffer_free(&b);
}

/* A queue of constant length neither grows nor moves for each frame. */
static void test_steady(void **state)
{
	struct buffer b = { 0 };
	uint8_t in = 0, out = 0;
	size_t moves = 0, cap;

	fill(&b, 3 << 20, &in);
	cap = 2 * b.cap;
	for (int i = 0; i < 20000; i++) {
		size_t head;

		drain(&b, 1000, &out);
		head = b.head;
		fill(&b, 1000, &in);
		moves += b.head < head;
	}
	assert_true(b.cap <= cap);
	/* 20 MB went through; each move needs a quarter of the block taken first. */
	assert_true(moves <= (20u << 20) / (b.cap / 4) + 1);
	buffer_free(&b);
}

static void test_limit(void **state)
{
	struct buffer b = { .limit = 100000 };
	uint8_t in = 0, out = 0;

	fill(&b, 90000, &in);
	assert_true(b.cap <= 100000);
	drain(&b, 50000, &out);
	fill(&b, 60000, &in);
	assert_int_equal(b.cap, 100000);
	assert_int_equal(buffer_reserve(&b, SIZE_MAX / 2), -ENOMEM);
	assert_int_equal(buffer_len(&b), 100000);
	drain(&b, 100000, &out);
	buffer_free(&b);
}

static int next(struct framing *f, struct frame *frame)
{
	char why[160];

	return framing_next(f, frame, why, sizeof(why));
}

static void feed(struct framing *f, const void *p, size_t n)
{
	const uint8_t *from = p;
	struct frame frame;

	while (n) {
		size_t room = buffer_room(&f->in), part = n < room ? n : room;

		assert_true(part > 0);
		memcpy(f->in.data + f->in.tail, from, part);
		f->in.tail += part;
		from += part;
		n -= part;
		if (n)
			assert_int_equal(next(f, &frame), 0);
	}
}

static void test_announced(void **state)
{
	static const uint8_t zeros[1 << 20];
	uint8_t header[FRAME_HEADER_SIZE];
	struct framing f;
	struct frame frame;
	size_t fed = 0;

	framing_init(&f, &framing_rule_any);
	framing_put_header(header, FRAME_EVENTS, FRAME_MAX);
	assert_int_equal(next(&f, &frame), 0);
	feed(&f, header, sizeof(header));
	assert_int_equal(next(&f, &frame), 0);
	assert_true(f.in.cap <= 128 << 10);
	for (; fed < FRAME_MAX; fed += sizeof(zeros)) {
		feed(&f, zeros, sizeof(zeros));
		assert_true(f.in.cap <= 2 * (fed + sizeof(zeros)) + (128 << 10));
		assert_true(f.in.cap <= FRAME_MAX + (128 << 10));
		if (fed + sizeof(zeros) < FRAME_MAX)
			assert_int_equal(next(&f, &frame), 0);
	}
	assert_int_equal(next(&f, &frame), 1);
	assert_int_equal(frame.len, FRAME_MAX);
	assert_int_equal(next(&f, &frame), 0);
	assert_true(f.in.cap <= BUFFER_KEEP);
	framing_free(&f);
}

/* A large frame with the start of the next one behind it. */
static void test_shrinks_with_rest(void **state)
{
	static uint8_t bytes[FRAME_HEADER_SIZE + (4 << 20) + FRAME_HEADER_SIZE + 10];
	struct framing f;
	struct frame frame;

	framing_put_header(bytes, FRAME_EVENTS, 4 << 20);
	framing_put_header(bytes + FRAME_HEADER_SIZE + (4 << 20), FRAME_ACK, 10);
	memcpy(bytes + sizeof(bytes) - 10, "0123456789", 10);
	framing_init(&f, &framing_rule_any);
	assert_int_equal(next(&f, &frame), 0);
	feed(&f, bytes, sizeof(bytes) - 3 - 10 - FRAME_HEADER_SIZE);
	assert_int_equal(next(&f, &frame), 0);
	assert_int_equal(buffer_reserve(&f.in, 100), 0);
	feed(&f, bytes + sizeof(bytes) - 3 - 10 - FRAME_HEADER_SIZE, 3 + 10 + FRAME_HEADER_SIZE - 5);
	assert_int_equal(next(&f, &frame), 1);
	assert_int_equal(frame.len, 4 << 20);
	assert_int_equal(next(&f, &frame), 0);
	assert_true(f.in.cap <= BUFFER_KEEP);
	feed(&f, "56789", 5);
	assert_int_equal(next(&f, &frame), 1);
	assert_int_equal(frame.type, FRAME_ACK);
	assert_memory_equal(frame.body, "0123456789", 10);
	framing_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	  cmocka_unit_test(test_steady),
		cmocka_unit_test(test_limit),	  cmocka_unit_test(test_announced),
		cmocka_unit_test(test_shrinks_with_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
