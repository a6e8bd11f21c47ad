/* SPDX-License-Identifier: Apache-2.0 */
/* MOVE frames, MOVE_START, page numbers, the pages that travel. */
#include "unit.h"

#include "base/cleanup.h"
#include "mtd/config.h"
#include "mtd/pages/hot.h"
#include "mtd/pages/wire.h"
#include "mtd/remote.h"

#include <errno.h>
#include <sys/mman.h>

static void test_items(void **state)
{
	static const uint8_t bytes[MTD_PAGE] = { [7] = 1 }, zeros[MTD_PAGE];
	const struct pages_message sent[] = {
		{ .kind = PAGES_REQUEST, .access = PAGE_WRITE, .page = MTD_PAGES - 1 },
		{ .kind = PAGES_GRANT, .access = PAGE_READ, .page = 3, .data = bytes },
		{ .kind = PAGES_FETCH, .access = PAGE_NONE, .drop = true },
		{ .kind = PAGES_PUSH, .access = PAGE_WRITE, .page = 4, .data = zeros },
	};
	struct mtd_message program = { .type = MTD_CALL, .v = { 1, 2, 3, 4, 5, 6, 7 } };
	struct move_item item;
	struct writer w = { 0 };
	struct reader r;

	for (size_t i = 0; i < ARRAY_SIZE(sent); i++)
		move_put_page(&w, &sent[i]);
	move_put_program(&w, &program);
	assert_int_equal(w.len, 5 * 8 + MTD_PAGE + sizeof(program));
	r = reader_of(w.data, w.len);
	for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
		const struct pages_message *m = &item.page;

		assert_int_equal(move_get(&r, &item), 1);
		assert_true(!item.is_program && m->kind == sent[i].kind && m->access == sent[i].access &&
			    m->drop == sent[i].drop && m->page == sent[i].page && !m->data == !sent[i].data);
		if (m->data)
			assert_memory_equal(m->data, sent[i].data, MTD_PAGE);
	}
	assert_int_equal(move_get(&r, &item), 1);
	assert_true(item.is_program);
	assert_memory_equal(&item.program, &program, sizeof(program));
	assert_int_equal(move_get(&r, &item), 0);
	/* Cut anywhere inside an item. */
	for (size_t n = 0; n < w.len; n++) {
		int got;

		r = reader_of(w.data, n);
		while ((got = move_get(&r, &item)) == 1)
			;
		assert_int_equal(got, n == 0 || n == 8 || n == 16 + MTD_PAGE || n == 24 + MTD_PAGE ||
						      n == 32 + MTD_PAGE ? 0 : -EPROTO);
	}
	writer_free(&w);
}

static void test_wrong_items(void **state)
{
	static const uint8_t wrong[][8] = {
		{ 0 }, { 6 }, { 1, 3 }, { 1, 1, 3 }, { 1, 1, 0, 2 }, { 1, 1, 0, 0, 0, 0, 0, 1 },
		{ MOVE_PROGRAM, 1 }, { MOVE_PROGRAM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct reader r = reader_of(wrong[i], 8);
		struct move_item item;

		assert_int_equal(move_get(&r, &item), -EPROTO);
	}
}

static void test_page_numbers(void **state)
{
	static const uint64_t at[] = { MTD_SHARED, MTD_CONTROL + 5, MTD_SHARED_END - 1, MTD_HEAP,
				       MTD_HEAP + MTD_HEAP_SIZE - 1 };
	static const uint64_t outside[] = { 0, MTD_SHARED - 1, MTD_SHARED_END, MTD_HEAP - 1,
					    MTD_HEAP + MTD_HEAP_SIZE, UINT64_MAX };
	uint32_t page = 0;

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		assert_true(page_of(at[i], &page) && page < MTD_PAGES);
		assert_true(page_address(page) == (at[i] & ~(MTD_PAGE - 1)));
	}
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
		assert_false(page_of(outside[i], &page));
}

static void test_start(void **state)
{
	struct mtd_config config = { .magic = MTD_CONFIG_MAGIC };
	char *argv[] = { "/bin/x", "two words", "", NULL }, *env[] = { "A=b c", NULL };
	struct mtd_start s = { .program = { .argv = argv, .env = env }, .isa = ISA_AARCH64, .how = MTD_HOW_SEGV,
			       .home = true, .config = &config, .config_size = sizeof(config) }, got;
	struct writer w = { 0 };

	mtd_start_encode(&w, &s);
	assert_int_equal(mtd_start_decode(w.data, w.len, &got), 0);
	for (int i = 0; i < 3; i++)
		assert_string_equal(got.program.argv[i], argv[i]);
	assert_string_equal(got.program.env[0], env[0]);
	assert_true(!got.program.argv[3] && !got.program.env[1]);
	assert_true(got.isa == s.isa && got.how == s.how && got.home && got.config_size == sizeof(config));
	exec_request_free(&got.program);
	for (size_t n = 0; n < w.len; n++)
		assert_int_equal(mtd_start_decode(w.data, n, &got), -EPROTO);
	/* A configuration that is longer than it says. */
	config.n_functions = 1;
	writer_reset(&w);
	mtd_start_encode(&w, &s);
	assert_int_equal(mtd_start_decode(w.data, w.len, &got), -EPROTO);
	writer_free(&w);
}

static void test_points(void **state)
{
	struct mtd_config config = { .magic = MTD_CONFIG_MAGIC }, *got;
	struct mtd_config_file f;
	struct writer w = { 0 };
	const void *data;
	size_t size;

	assert_int_equal(mtd_config_share(&config, sizeof(config), &f), 0);
	assert_true(mmap(NULL, f.size, PROT_WRITE, MAP_SHARED, f.fd, 0) == MAP_FAILED);
	config.largest[MTD_TO_HOME] = 7;
	put_blob(&w, &config, sizeof(config));
	assert_int_equal(mtd_points_decode(w.data, w.len, &data, &size), 0);
	assert_int_equal(mtd_config_change(&f, data, size), 0);
	got = f.c;
	assert_true(got->largest[MTD_TO_HOME] == 7 && got->generation == 2 && got->magic == MTD_CONFIG_MAGIC);
	/* Of another program. */
	config.build_id[1] = 1;
	assert_int_equal(mtd_config_change(&f, &config, sizeof(config)), -EINVAL);
	assert_int_equal(got->generation, 2);
	for (size_t n = 0; n < w.len; n++)
		assert_int_equal(mtd_points_decode(w.data, n, &data, &size), -EPROTO);
	mtd_config_unshare(&f);
	writer_free(&w);
}

static void test_travelling(void **state)
{
	struct hot h = { 0 };

	for (uint32_t i = 0; i < 3 * HOT_MAX; i++)
		hot_add(&h, i / 2);
	assert_int_equal(h.n, HOT_MAX);
	for (unsigned i = 0; i < HOT_FORGETS; i++) {
		assert_int_equal(h.n, HOT_MAX);
		hot_forget(&h);
	}
	assert_int_equal(h.n, HOT_MAX - 1);
	hot_leave(&h);
	assert_int_equal(h.n, 0);
	for (unsigned i = 0; i < HOT_FORGETS; i++)
		hot_forget(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items),	     cmocka_unit_test(test_wrong_items),
		cmocka_unit_test(test_page_numbers), cmocka_unit_test(test_start),
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_travelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
