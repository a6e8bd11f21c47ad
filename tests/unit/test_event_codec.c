/* SPDX-License-Identifier: Apache-2.0 */
/* The wire form: small, one for each record, and safe against whoever writes it. */
#include "event_fixture.h"

static void encode(struct side *s, struct writer *w, unsigned parts)
{
	writer_reset(w);
	call_encode(w, &s->c, parts);
	assert_false(w->failed);
}

PAIR_TEST(usual_calls_are_small)
{
	struct writer w = {0};

	enter(l, "close", 3);
	side_exit(l, 0);
	encode(l, &w, CALL_PART_ENTRY | CALL_PART_EXIT);
	assert_true(w.len <= 9);
	strcpy((char *)l->bytes, "/usr/share/zoneinfo/UTC");
	enter(l, "openat", (uint64_t)-100, at(l, 0), 0x80000);
	side_exit(l, -ENOENT);
	encode(l, &w, CALL_PART_ENTRY | CALL_PART_EXIT);
	assert_true(w.len <= 23 + 20);
	poke32(l, 64, 1);
	memset(l->bytes + 68, 0, 12);
	if (isa_has("epoll_wait", l->isa))
		enter(l, "epoll_wait", 5, at(l, 64), 512, 1000);
	else
		enter(l, "epoll_pwait", 5, at(l, 64), 512, 1000, 0, 8);
	side_exit(l, 1);
	encode(l, &w, CALL_PART_ENTRY | CALL_PART_EXIT);
	assert_true(w.len <= 40);
	writer_free(&w);
}

PAIR_TEST(announced_calls_come_in_two_parts)
{
	struct call_record c = {0};
	struct writer w = {0};
	struct reader r;
	unsigned parts;

	poke(l, 100, "data", 4);
	enter(l, "read", 3, at(l, 100), 64);
	encode(l, &w, CALL_PART_ENTRY);
	r = reader_of(w.data, w.len);
	assert_int_equal(call_decode(&r, &c, &parts), 0);
	assert_int_equal(parts, CALL_PART_ENTRY);
	assert_false(c.has_exit);
	side_exit(l, 4);
	encode(l, &w, CALL_PART_EXIT);
	for (unsigned i = 0; i < 3; i++) { /* again and again: nothing grows */
		r = reader_of(w.data, w.len);
		assert_int_equal(call_decode(&r, &c, &parts), 0);
		assert_int_equal(parts, CALL_PART_EXIT);
		assert_int_equal(c.arg[2], 64);
		assert_int_equal(c.ret, 4);
		assert_int_equal(c.n_out, 1);
		assert_int_equal(c.bytes.len, 4);
	}
	/* of another call: stands alone */
	enter(l, "pread64", 3, at(l, 100), 64, 8);
	side_exit(l, 2);
	encode(l, &w, CALL_PART_EXIT);
	r = reader_of(w.data, w.len);
	assert_int_equal(call_decode(&r, &c, &parts), 0);
	assert_int_equal(c.arg[2], 0);
	assert_int_equal(c.ret, 2);
	writer_free(&w);
	call_record_free(&c);
}

/* Every prefix is refused; every changed bit too, or it is the one encoding of something else. */
static void damage(struct side *s)
{
	struct writer w = {0}, again = {0};
	struct call_record c = {0};
	unsigned parts;

	encode(s, &w, CALL_PART_ENTRY | CALL_PART_EXIT);
	for (size_t n = 0; n < w.len; n++) {
		uint8_t *copy = malloc(n ? n : 1); /* so that a sanitizer sees reads past the end */
		struct reader r = reader_of(copy, n);

		memcpy(copy, w.data, n);
		assert_int_equal(call_decode(&r, &c, &parts), -EPROTO);
		free(copy);
	}
	for (size_t i = 0; i < w.len * 8; i++) {
		struct reader r = reader_of(w.data, w.len);

		w.data[i / 8] ^= (uint8_t)(1u << i % 8);
		if (call_decode(&r, &c, &parts) == 0) {
			writer_reset(&again);
			call_encode(&again, &c, parts);
			assert_int_equal(again.len, w.len - r.left);
			assert_memory_equal(again.data, w.data, again.len);
		}
		w.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	writer_free(&w);
	writer_free(&again);
	call_record_free(&c);
}

PAIR_TEST(damaged_records)
{
	poke32(l, 60, 16);
	memset(l->bytes + 64, 0, 16);
	enter(l, "accept4", 4, at(l, 64), at(l, 60), 0x80000);
	side_exit(l, 5);
	damage(l);
	enter(l, "write", 1, at(l, 0), 3 * PAGE);
	side_exit(l, 3 * PAGE);
	damage(l);
	strcpy((char *)l->bytes, "/");
	enter(l, "statx", 3, at(l, 0), 0, 0xfff, at(l, 64));
	side_exit(l, 0);
	damage(l);
}

static int decode_bytes(const void *p, size_t n)
{
	struct call_record c = {0};
	struct reader r = reader_of(p, n);
	unsigned parts;
	int ret = call_decode(&r, &c, &parts);

	call_record_free(&c);
	return ret;
}

/* Of close(2), a varint of two bytes. */
#define HEAD(parts) ((CALL_CLOSE << 4 | (parts)) & 0x7f) | 0x80, (CALL_CLOSE << 4 | (parts)) >> 7

static void malformed_records(void **state)
{
	const struct {
		const char *what;
		uint8_t bytes[10];
		size_t n;
	} bad[] = {
		{"no part", {HEAD(0), 0, 0}, 4},
		{"nothing that is waited for", {HEAD(4), 1, 6, 0}, 5},
		{"waiting for what has ended", {HEAD(7), 1, 6, 0, 0, 0}, 7},
		{"an outcome that is observed", {HEAD(10), 0, 0}, 4},
		{"a zero argument that is there", {HEAD(CALL_PART_ENTRY), 1, 0, 0}, 5},
		{"a second argument", {HEAD(CALL_PART_ENTRY), 2, 2, 0}, 5},
		{"an argument of more than 32 bits", {HEAD(CALL_PART_ENTRY), 1, 0x80, 0x80, 0x80, 0x80, 0x20, 0}, 9},
		{"a number longer than needed", {HEAD(CALL_PART_ENTRY), 1, 0x86, 0, 0}, 6},
		{"a payload of a scalar", {HEAD(CALL_PART_ENTRY), 1, 6, 1, 4, 'x'}, 7},
		{"an id over the last", {0xfd, 0xff, 3, 0, 0}, 5},
	};
	const uint8_t good[] = {HEAD(CALL_PART_ENTRY), 1, 6, 0};

	assert_int_equal(decode_bytes(good, sizeof(good)), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		if (decode_bytes(bad[i].bytes, bad[i].n) != -EPROTO)
			fail_msg("%s was decoded", bad[i].what);
}

/* Rows of the old forms never travel. */
static void aliases_are_refused(void **state)
{
	for (unsigned id = 0; id < _CALL_MAX; id++) {
		struct call_record c = {.id = (uint16_t)id, .has_exit = true};
		struct writer w = {0};
		int want = call_rows[id].canonical == id ? 0 : -EPROTO;

		call_encode(&w, &c, CALL_PART_ENTRY | CALL_PART_EXIT);
		assert_int_equal(decode_bytes(w.data, w.len), want);
		writer_free(&w);
	}
}

/* Structures fit the fixed buffers of the interpreter. */
static void structs_are_bounded(void **state)
{
	for (unsigned i = 0; i < _STRUCT_MAX; i++) {
		assert_in_range(struct_specs[i].canon_size, 1, 4096);
		for (unsigned isa = 0; isa < _ISA_MAX; isa++)
			assert_in_range(struct_specs[i].size[isa], 1, 4096);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_calls_are_small),
		cmocka_unit_test(announced_calls_come_in_two_parts),
		cmocka_unit_test(damaged_records),
		cmocka_unit_test(malformed_records),
		cmocka_unit_test(aliases_are_refused),
		cmocka_unit_test(structs_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
