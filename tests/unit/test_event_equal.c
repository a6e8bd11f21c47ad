/* SPDX-License-Identifier: Apache-2.0 */
/* Where two calls differ, and that nothing large is kept to find it. */
#include "event/mem_process.h"
#include "event_fixture.h"

#include <sys/mman.h>

/* A buffer of n bytes, equal in both variants. */
static void fill(struct side *l, struct side *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		l->bytes[i] = f->bytes[PAGE / 2 + i] = (uint8_t)(i * 7 + i / 251);
}

static void enter_write(struct side *l, struct side *f, size_t n)
{
	enter(l, "write", 1, at(l, 0), n);
	enter(f, "write", 1, at(f, PAGE / 2), n);
}

PAIR_TEST(small_buffers_differ_at_a_byte)
{
	struct call_mismatch m;

	for (size_t n = 1; n <= PAYLOAD_INLINE_MAX; n = n * 3 + 1) {
		size_t where = n * 2 / 3;

		fill(l, f, n);
		enter_write(l, f, n);
		assert_same(l, f);
		f->bytes[PAGE / 2 + where] ^= 0x10;
		enter_write(l, f, n);
		m = assert_differ(l, f);
		assert_int_equal(m.arg, 1);
		assert_true(m.payload && m.exact);
		assert_int_equal(m.offset, where);
		assert_int_equal(m.leader_value ^ m.follower_value, 0x10);
		assert_non_null(strstr(m.text, "argument 2 (buf) differs at byte"));
	}
}

PAIR_TEST(large_buffers_differ_at_a_block)
{
	struct call_mismatch m;

	for (size_t n = PAYLOAD_INLINE_MAX + 1; n < 9 * PAGE; n += 1777) {
		size_t where = n - 1 - n / 5;

		fill(l, f, n);
		enter_write(l, f, n);
		assert_same(l, f);
		assert_int_equal(call_in_of(&l->c, 1)->form, PAYLOAD_DIGEST);
		assert_int_equal(call_in_of(&l->c, 1)->size, (n + 4095) / 4096 * 16);
		assert_true(l->c.bytes.len < 256);
		f->bytes[PAGE / 2 + where] ^= 0x10;
		enter_write(l, f, n);
		m = assert_differ(l, f);
		assert_true(m.payload && !m.exact);
		assert_int_equal(m.offset, where / PAYLOAD_BLOCK * PAYLOAD_BLOCK);
	}
}

PAIR_TEST(the_length_is_part_of_the_contents)
{
	struct call_mismatch m;

	fill(l, f, 9 * PAGE);
	enter(l, "write", 1, at(l, 0), 10);
	enter(f, "write", 1, at(f, PAGE / 2), 12);
	m = assert_differ(l, f);
	assert_int_equal(m.arg, 1);
	assert_int_equal(m.offset, 10);
	assert_false(m.exact);
	/* bytes against digests, digests against longer digests */
	enter(l, "write", 1, at(l, 0), PAYLOAD_INLINE_MAX);
	enter(f, "write", 1, at(f, PAGE / 2), PAYLOAD_INLINE_MAX + 1);
	assert_int_equal(assert_differ(l, f).arg, 1);
	enter(l, "write", 1, at(l, 0), 3 * PAGE);
	enter(f, "write", 1, at(f, PAGE / 2), 3 * PAGE + 1);
	assert_int_equal(assert_differ(l, f).offset, 3 * PAGE);
}

/* Gathered pieces, whatever their borders, have the digests of the whole. */
PAIR_TEST(digests_do_not_depend_on_pieces)
{
	const size_t cuts[] = {1, 4095, 4096, 4097, 5000, 8192, 12287, 20000};
	uint8_t digest[5 * PAYLOAD_DIGEST_SIZE];
	size_t table = 10 * PAGE, from = 0;

	fill(l, f, 20000);
	for (unsigned i = 0; i < ARRAY_SIZE(cuts); i++) {
		poke64(f, table + 16 * i, at(f, PAGE / 2 + from));
		poke64(f, table + 16 * i + 8, cuts[i] - from);
		from = cuts[i];
	}
	poke64(l, table, at(l, 0));
	poke64(l, table + 8, 20000);
	enter(l, "writev", 1, at(l, table), 1);
	enter(f, "writev", 1, at(f, table), ARRAY_SIZE(cuts));
	assert_int_equal(call_in_of(&l->c, 1)->size, sizeof(digest));
	assert_memory_equal(payload_data(&l->c, call_in_of(&l->c, 1)),
			    payload_data(&f->c, call_in_of(&f->c, 1)), sizeof(digest));
	payload_digest(test_key, l->bytes, 20000, digest);
	assert_memory_equal(payload_data(&l->c, call_in_of(&l->c, 1)), digest, sizeof(digest));
}

PAIR_TEST(digests_depend_on_the_key)
{
	static const uint8_t other[SESSION_KEY_SIZE] = "another key of another session";
	uint8_t a[PAYLOAD_DIGEST_SIZE], b[PAYLOAD_DIGEST_SIZE];

	payload_digest(test_key, l->bytes, 100, a);
	payload_digest(other, l->bytes, 100, b);
	assert_memory_not_equal(a, b, sizeof(a));
	payload_digest(test_key, l->bytes, 0, b);
	assert_memory_not_equal(a, b, sizeof(a));
}

PAIR_TEST(scalars_and_calls_differ)
{
	struct call_mismatch m;

	enter(l, "lseek", 3, (uint64_t)-5, 2);
	enter(f, "lseek", 3, 5, 2);
	m = assert_differ(l, f);
	assert_int_equal(m.arg, 1);
	assert_false(m.payload);
	assert_int_equal((int64_t)m.leader_value, -5);
	assert_int_equal(m.follower_value, 5);
	enter(f, "close", 3);
	m = assert_differ(l, f);
	assert_int_equal(m.arg, -1);
	assert_string_equal(m.text, "the leader calls lseek, the follower close");
	/* addresses: only whether there is one */
	enter(l, "read", 3, at(l, 0), 10);
	enter(f, "read", 3, 0, 10);
	assert_non_null(strstr(assert_differ(l, f).text, "NULL at the follower"));
}

PAIR_TEST(vectors_of_strings)
{
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = i ? f : l;

		strcpy((char *)s->bytes + 512, "/bin/sh");
		strcpy((char *)s->bytes + 600 + 8 * i, "-c");
		/* the vector's NULL is the last accessible word */
		poke64(s, UNMAPPED_FROM * PAGE - 24, at(s, 512));
		poke64(s, UNMAPPED_FROM * PAGE - 16, at(s, 600 + 8 * i));
		poke64(s, UNMAPPED_FROM * PAGE - 8, 0);
		enter(s, "execve", at(s, 512), at(s, UNMAPPED_FROM * PAGE - 24), 0);
	}
	assert_same(l, f);
	assert_int_equal(call_in_of(&l->c, 1)->len, 11);
	assert_memory_equal(payload_data(&l->c, call_in_of(&l->c, 1)), "/bin/sh\0-c", 11);
	poke64(f, UNMAPPED_FROM * PAGE - 16, 0);
	enter(f, "execve", at(f, 512), at(f, UNMAPPED_FROM * PAGE - 24), 0);
	assert_int_equal(assert_differ(l, f).arg, 1);
	poke64(l, UNMAPPED_FROM * PAGE - 8, at(l, 512));
	enter(l, "execve", at(l, 512), at(l, UNMAPPED_FROM * PAGE - 24), 0);
	assert_int_equal(call_in_of(&l->c, 1)->form, PAYLOAD_FAULT);
}

/* The real thing, on ourselves: a mapping that ends. */
static void process_memory_ends_at_pages(void **state)
{
	uint8_t *map =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t buf[4 * PAGE];
	struct mem_process m;

	assert_true(map != MAP_FAILED);
	assert_int_equal(munmap(map + 2 * PAGE, PAGE), 0);
	memset(map, 'm', 2 * PAGE);
	mem_process_init(&m, getpid());
	assert_int_equal(m.mem.read(&m.mem, (uintptr_t)map + 10, buf, sizeof(buf)), 2 * PAGE - 10);
	assert_int_equal(buf[2 * PAGE - 11], 'm');
	assert_int_equal(m.mem.read(&m.mem, (uintptr_t)map + 2 * PAGE, buf, 1), -EFAULT);
	memset(buf, 'n', sizeof(buf));
	assert_int_equal(m.mem.write(&m.mem, (uintptr_t)map + PAGE - 3, buf, 2 * PAGE), PAGE + 3);
	assert_int_equal(map[PAGE - 4], 'm');
	assert_int_equal(map[2 * PAGE - 1], 'n');
	assert_int_equal(mprotect(map, 2 * PAGE, PROT_READ), 0);
	assert_int_equal(m.mem.write(&m.mem, (uintptr_t)map, buf, 5), -EFAULT);
	munmap(map, 2 * PAGE);
	mem_process_init(&m, 0x3ffffff); /* over the most that pid_max may be */
	assert_int_equal(m.mem.read(&m.mem, (uintptr_t)buf, buf, 1), -ESRCH);
}

/* Each ISA's own multiarch directory is the same thing for both. */
PAIR_TEST(paths_of_multiarch_directories)
{
	static const struct {
		const char *a, *b;
		bool same;
	} expected[] = {
		{ "/usr/lib/x86_64-linux-gnu/p", "/usr/lib/aarch64-linux-gnu/p", true },
		{ "/l/aarch64-linux-gnu", "/l/x86_64-linux-gnu", true },
		{ "/l/x86_64-linux-gnu/x86_64-linux-gnu", "/l/aarch64-linux-gnu/x86_64-linux-gnu", true },
		{ "/usr/lib/x86_64-linux-gnu/p", "/usr/lib/aarch64-linux-gnu/q", false },
		{ "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gn", false },
		{ "/usr/lib/x86_64-linux-gnu", "/usr/lib/", false },
		{ "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu/", false },
		{ "", "x86_64-linux-gnu", false },
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		strcpy((char *)l->bytes, expected[i].a);
		strcpy((char *)f->bytes, expected[i].b);
		enter(l, "chdir", at(l, 0));
		enter(f, "chdir", at(f, 0));
		if (expected[i].same)
			assert_same(l, f);
		else
			assert_int_equal(assert_differ(l, f).arg, 0);
	}
}

/* Of what a program writes every byte counts. */
PAIR_TEST(names_of_isas_in_data_differ)
{
	strcpy((char *)l->bytes, "x86_64-linux-gnu");
	strcpy((char *)f->bytes, "aarch64-linux-gnu");
	enter(l, "write", 1, at(l, 0), 16);
	enter(f, "write", 1, at(f, 0), 16);
	assert_int_equal(assert_differ(l, f).arg, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_buffers_differ_at_a_byte),
		cmocka_unit_test(large_buffers_differ_at_a_block),
		cmocka_unit_test(the_length_is_part_of_the_contents),
		cmocka_unit_test(digests_do_not_depend_on_pieces),
		cmocka_unit_test(digests_depend_on_the_key),
		cmocka_unit_test(scalars_and_calls_differ),
		cmocka_unit_test(vectors_of_strings),
		cmocka_unit_test(paths_of_multiarch_directories),
		cmocka_unit_test(names_of_isas_in_data_differ),
		cmocka_unit_test(process_memory_ends_at_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
