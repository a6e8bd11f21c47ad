/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that records of the kernel bring. */
#include "unit.h"

#include "capture/bpf/pieces.h"

#include <errno.h>
#include <string.h>

static struct pieces p;

static int setup(void **state)
{
	pieces_init(&p);
	return 0;
}

static int teardown(void **state)
{
	pieces_free(&p);
	return 0;
}

static ssize_t get(uint64_t addr, void *buf, size_t len)
{
	return p.mem.read(&p.mem, addr, buf, len);
}

static void test_adjacent_pieces_are_one(void **state)
{
	char buf[16] = "";

	assert_int_equal(pieces_add(&p, 0x1000, "hello ", 6, false), 0);
	assert_int_equal(pieces_add(&p, 0x1006, "world", 5, false), 0);
	assert_int_equal(get(0x1000, buf, 11), 11);
	assert_string_equal(buf, "hello world");
	assert_int_equal(get(0x1004, buf, 4), 4);
	assert_memory_equal(buf, "o wo", 4);
	assert_false(p.missed);
}

static void test_what_is_not_there(void **state)
{
	char buf[16];

	assert_int_equal(pieces_add(&p, 0x1000, "abcd", 4, false), 0);
	assert_int_equal(get(0x0fff, buf, 1), -EFAULT);
	assert_true(p.missed);
	p.missed = false;
	assert_int_equal(get(0x1002, buf, 8), 2);
	assert_true(p.missed);
	pieces_reset(&p);
	assert_int_equal(get(0x1000, buf, 1), -EFAULT);
	assert_int_equal(p.mem.write(&p.mem, 0x1000, "x", 1), -EFAULT);
}

/* Readers ask for more of a string than it has. */
static void test_strings_end(void **state)
{
	char buf[64];

	assert_int_equal(pieces_add(&p, 0x2000, "/tmp", 5, true), 0);
	assert_int_equal(get(0x2000, buf, sizeof(buf)), 5);
	assert_false(p.missed);
}

/* What is borrowed may be overwritten once it is owned. */
static void test_own(void **state)
{
	char one[] = "first", two[] = "second", buf[16] = "";

	assert_int_equal(pieces_add(&p, 0x1000, one, 5, false), 0);
	assert_int_equal(pieces_add(&p, 0x1005, two, 6, false), 0);
	assert_int_equal(pieces_own(&p), 0);
	memset(one, 'x', sizeof(one));
	memset(two, 'x', sizeof(two));
	assert_int_equal(pieces_add(&p, 0x100b, "third", 5, false), 0);
	assert_int_equal(pieces_own(&p), 0);
	assert_int_equal(get(0x1000, buf, 16), 16);
	assert_memory_equal(buf, "firstsecondthird", 16);
}

/* Elements of an iovec may begin at the same address. */
static void test_the_longest_counts(void **state)
{
	char buf[8];

	assert_int_equal(pieces_add(&p, 0x1000, "abcdefgh", 8, false), 0);
	assert_int_equal(pieces_add(&p, 0x1000, "ab", 2, false), 0);
	assert_int_equal(get(0x1000, buf, 8), 8);
	assert_memory_equal(buf, "abcdefgh", 8);
	assert_false(p.missed);
}

static ssize_t read_below(struct mem *mem, uint64_t addr, void *buf, size_t len)
{
	memset(buf, 'b', len);
	return (ssize_t)len;
}

/* What pieces have in part only is read from below. */
static void test_overlay(void **state)
{
	struct mem below = { .read = read_below };
	struct overlay o;
	char buf[8] = "";

	overlay_init(&o, &p, &below);
	assert_int_equal(pieces_add(&p, 0x1000, "abcd", 4, false), 0);
	assert_int_equal(o.mem.read(&o.mem, 0x1001, buf, 3), 3);
	assert_memory_equal(buf, "bcd", 3);
	assert_int_equal(o.mem.read(&o.mem, 0x1002, buf, 4), 4);
	assert_memory_equal(buf, "bbbb", 4);
	assert_false(p.missed);
	assert_int_equal(o.mem.write(&o.mem, 0x1000, "x", 1), -EFAULT);
}

static void test_no_more_than_fit(void **state)
{
	for (unsigned i = 0; i < PIECES_MAX; i++)
		assert_int_equal(pieces_add(&p, 0x10000 * (i + 1), "x", 1, false), 0);
	assert_int_equal(pieces_add(&p, 0x1, "x", 1, false), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_adjacent_pieces_are_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strings_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_longest_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overlay, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_more_than_fit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
