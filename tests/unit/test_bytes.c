/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/bytes.h"

static void test_round_trip(void **state)
{
	struct writer w = { 0 };
	struct reader r;
	const uint8_t *blob;
	size_t n;
	char *s;

	put_u8(&w, 0xab);
	put_u16(&w, 0x1234);
	put_u32(&w, 0xdeadbeef);
	put_u64(&w, UINT64_MAX - 1);
	put_s64(&w, INT64_MIN);
	put_blob(&w, "a\0b", 3);
	put_blob(&w, NULL, 0);
	put_str(&w, "text");
	assert_false(w.failed);

	r = reader_of(w.data, w.len);
	assert_int_equal(get_u8(&r), 0xab);
	assert_int_equal(get_u16(&r), 0x1234);
	assert_int_equal(get_u32(&r), 0xdeadbeef);
	assert_true(get_u64(&r) == UINT64_MAX - 1);
	assert_true(get_s64(&r) == INT64_MIN);
	blob = get_blob(&r, 3, &n);
	assert_int_equal(n, 3);
	assert_memory_equal(blob, "a\0b", 3);
	assert_non_null(get_blob(&r, 0, &n));
	assert_int_equal(n, 0);
	assert_false(reader_done(&r));
	s = get_str(&r, 4);
	assert_string_equal(s, "text");
	assert_true(reader_done(&r));
	free(s);
	writer_free(&w);
}

/* The format is little endian and packed, on every host. */
static void test_layout(void **state)
{
	static const uint8_t expected[] = { 1, 0x34, 0x12, 4, 0, 0, 0, 'a', 'b', 'c', 'd' };
	struct writer w = { 0 };

	put_u8(&w, 1);
	put_u16(&w, 0x1234);
	put_str(&w, "abcd");
	assert_int_equal(w.len, sizeof(expected));
	assert_memory_equal(w.data, expected, sizeof(expected));
	writer_free(&w);
}

/* Every prefix of a message fails, sticks, and reads nothing behind its end. */
static void test_truncation(void **state)
{
	struct writer w = { 0 };

	put_u32(&w, 7);
	put_blob(&w, "payload", 7);
	put_u16(&w, 9);
	for (size_t cut = 0; cut < w.len; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1); /* so that a sanitizer sees one byte more */
		struct reader r;
		size_t n = 99;

		memcpy(exact, w.data, cut);
		r = reader_of(exact, cut);
		get_u32(&r);
		get_blob(&r, 100, &n);
		if (cut < 15)
			assert_int_equal(n, 0);
		get_u16(&r);
		assert_true(r.failed);
		assert_false(reader_done(&r));
		assert_int_equal(get_u8(&r), 0);
		assert_null(get_bytes(&r, 0));
		free(exact);
	}
	writer_free(&w);
}

static void test_bounds(void **state)
{
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 'x' };
	struct writer w = { 0 };
	struct reader r = reader_of(huge, sizeof(huge));
	size_t n;

	assert_null(get_blob(&r, SIZE_MAX, &n));
	assert_true(r.failed);
	r = reader_of(huge, sizeof(huge));
	assert_null(get_bytes(&r, SIZE_MAX));

	put_str(&w, "12345");
	r = reader_of(w.data, w.len);
	assert_null(get_blob(&r, 4, &n));
	assert_int_equal(n, 0);
	assert_true(r.failed);
	r = reader_of(w.data, w.len);
	assert_null(get_str(&r, 4));
	assert_true(r.failed);
	writer_free(&w);

	/* NUL inside: a C string would hide the rest */
	put_blob(&w, "a\0b", 3);
	r = reader_of(w.data, w.len);
	assert_null(get_str(&r, 10));
	assert_true(r.failed);
	writer_free(&w);
}

static void test_writer(void **state)
{
	struct writer w = { 0 };
	uint8_t *p = writer_reserve(&w, 0);

	assert_non_null(p);
	assert_int_equal(w.len, 0);
	for (uint32_t i = 0; i < 100000; i++)
		put_u32(&w, i);
	for (uint32_t i = 0; i < 100000; i++)
		assert_memory_equal(w.data + 4 * i, &i, 4);
	put_u32_at(&w, 8, 0x55555555);
	assert_int_equal(w.data[8], 0x55);
	put_u32_at(&w, w.len - 3, 1); /* would reach behind the end */
	assert_int_equal(w.data[w.len - 3], (99999 >> 8) & 0xff);
	put_u32_at(&w, SIZE_MAX - 1, 1);
	writer_reset(&w);
	assert_int_equal(w.len, 0);
	assert_null(writer_reserve(&w, SIZE_MAX - 8));
	assert_true(w.failed);
	put_u8(&w, 1);
	assert_int_equal(w.len, 0);
	writer_free(&w);
	assert_false(w.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_layout),
		cmocka_unit_test(test_truncation), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
