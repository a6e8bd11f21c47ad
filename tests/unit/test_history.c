/* SPDX-License-Identifier: Apache-2.0 */
/* The last calls, and what an alarm makes of two records. */
#include "unit.h"

#include "base/cleanup.h"
#include "match/report.h"

#include <stdbool.h>

static void add_payload(struct call_record *c, bool in, uint8_t arg, enum payload_form form,
			const void *data, uint32_t n)
{
	struct payload *p = in ? &c->in[c->n_in++] : &c->out[c->n_out++];

	*p = (struct payload){ .arg = arg, .form = (uint8_t)form, .len = n,
			       .off = (uint32_t)c->bytes.len, .size = n };
	put_bytes(&c->bytes, data, n);
}

static void make_write(struct call_record *c, int fd, const void *data, uint32_t n)
{
	call_record_reset(c);
	c->id = CALL_WRITE;
	c->arg[0] = (uint64_t)fd;
	c->arg[1] = 1;
	c->arg[2] = n;
	add_payload(c, true, 1, PAYLOAD_BYTES, data, n);
}

static void assert_printed(const struct history *h, unsigned i, uint64_t position,
			   const char *expected)
{
	uint64_t at;
	cleanup_free char *text = history_print(h, i, &at);

	assert_non_null(text);
	assert_string_equal(text, expected);
	assert_int_equal(at, position);
}

static void test_ring(void **state)
{
	struct history h = { 0 };
	struct call_record c = { 0 };
	uint64_t at;

	assert_int_equal(history_count(&h), 0);
	assert_null(history_print(&h, 0, &at));
	history_complete(&h, &c); /* nothing to complete */
	for (int i = 0; i < 2 * HISTORY_CALLS + 7; i++) {
		make_write(&c, i, "x", 1);
		c.has_exit = true;
		c.ret = 1;
		history_add(&h, &c, 100 + (uint64_t)i);
		assert_int_equal(history_count(&h), i < HISTORY_CALLS ? i + 1 : HISTORY_CALLS);
	}
	assert_printed(&h, 0, 127, "write(27, \"x\", 1) = 1");
	assert_printed(&h, HISTORY_CALLS - 1, 146, "write(46, \"x\", 1) = 1");
	assert_null(history_print(&h, HISTORY_CALLS, &at));
	call_record_free(&c);
}

/* A call is added at its entry and completed at its exit. */
static void test_complete(void **state)
{
	struct history h = { 0 };
	struct call_record c = { 0 };

	c.id = CALL_READ;
	c.arg[0] = 3;
	c.arg[1] = 1;
	c.arg[2] = 4096;
	history_add(&h, &c, 5);
	assert_printed(&h, 0, 5, "read(3, <pointer>, 4096) = ?");
	add_payload(&c, false, 1, PAYLOAD_BYTES, "hello", 5);
	c.has_exit = true;
	c.ret = 5;
	history_complete(&h, &c);
	assert_printed(&h, 0, 5, "read(3, \"hello\", 4096) = 5");
	/* A result that is not of the last call changes nothing. */
	make_write(&c, 9, "y", 1);
	c.has_exit = true;
	c.ret = 77;
	history_complete(&h, &c);
	assert_printed(&h, 0, 5, "read(3, \"hello\", 4096) = 5");
	call_record_free(&c);
}

/* What is too long is cut and says so, and never overflows the entry. */
static void test_long(void **state)
{
	static char big[4096], path[4096], expected[256];
	struct history h = { 0 };
	struct call_record c = { 0 };

	memset(big, 'b', sizeof(big));
	memset(path, 'p', sizeof(path) - 1);
	make_write(&c, 1, big, sizeof(big));
	history_add(&h, &c, 0);
	snprintf(expected, sizeof(expected), "write(1, \"%.*s\"..., 4096) = ?", CALL_PRINT_LIMIT,
		 big);
	assert_printed(&h, 0, 0, expected);

	call_record_reset(&c);
	c.id = CALL_OPENAT;
	c.arg[0] = 3;
	c.arg[1] = 1;
	add_payload(&c, true, 1, PAYLOAD_BYTES, path, sizeof(path));
	history_add(&h, &c, 1);
	assert_printed(&h, 1, 1, "openat(3, <4096 bytes>, O_RDONLY, 0) = ?");

	call_record_reset(&c);
	c.id = CALL_WRITE;
	for (int i = 0; i < CALL_PAYLOADS_MAX; i++) {
		add_payload(&c, true, 1, PAYLOAD_BYTES, big, 4096);
		add_payload(&c, false, 1, PAYLOAD_BYTES, big, 4096);
	}
	c.has_exit = true;
	history_add(&h, &c, 2);
	for (int i = 0; i < CALL_PAYLOADS_MAX; i++) {
		const struct history_entry *e = &h.ring[2];

		assert_true(e->n_in + e->n_out <= CALL_PAYLOADS_MAX);
		assert_true(e->payload[i].off + e->payload[i].size <= HISTORY_BYTES);
	}
	call_record_free(&c);
}

static void compare(struct report *r, struct call_record *l, struct call_record *f)
{
	struct call_mismatch m;

	assert_false(call_equal(l, f, &m));
	report_init(r, REPORT_NONE);
	report_set_mismatch(r, &m, l, f);
}

static void test_payload_mismatch(void **state)
{
	struct call_record l = { 0 }, f = { 0 };
	uint8_t data[100] = { 0 };
	struct report r;

	make_write(&l, 5, data, sizeof(data));
	l.has_exit = true;
	l.ret = 100;
	data[40] = 'A';
	make_write(&f, 5, data, sizeof(data));
	compare(&r, &l, &f);
	assert_int_equal(r.rule, REPORT_DIVERGENCE_PAYLOAD);
	assert_int_equal(r.mismatch.offset, 40);
	/* From the row before the one with the difference to the end. */
	for (int side = 0; side < _SIDE_MAX; side++) {
		assert_int_equal(r.variant[side].bytes_offset, 16);
		assert_int_equal(r.variant[side].n_bytes, REPORT_BYTES_MAX);
	}
	assert_int_equal(r.variant[SIDE_LEADER].bytes[40 - 16], 0);
	assert_int_equal(r.variant[SIDE_FOLLOWER].bytes[40 - 16], 'A');
	assert_non_null(strstr(r.variant[SIDE_LEADER].call, " = 100"));
	assert_non_null(strstr(r.variant[SIDE_FOLLOWER].call, " = ?"));
	report_free(&r);
	call_record_free(&l);
	call_record_free(&f);
}

static void test_length_mismatch(void **state)
{
	struct call_record l = { 0 }, f = { 0 };
	struct report r;

	make_write(&l, 5, "four", 4);
	make_write(&f, 5, "four and more", 13);
	compare(&r, &l, &f);
	assert_int_equal(r.rule, REPORT_DIVERGENCE_PAYLOAD);
	assert_int_equal(r.variant[SIDE_LEADER].n_bytes, 4);
	assert_int_equal(r.variant[SIDE_FOLLOWER].n_bytes, 13);
	report_free(&r);
	call_record_free(&l);
	call_record_free(&f);
}

static void test_other_mismatches(void **state)
{
	struct call_record l = { 0 }, f = { 0 };
	struct report r;

	make_write(&l, 5, "x", 1);
	make_write(&f, 6, "x", 1);
	compare(&r, &l, &f);
	assert_int_equal(r.rule, REPORT_DIVERGENCE_ARGUMENT);
	assert_int_equal(r.variant[SIDE_LEADER].n_bytes, 0);
	report_free(&r);

	call_record_reset(&f);
	f.id = CALL_CLOSE;
	f.arg[0] = 5;
	compare(&r, &l, &f);
	assert_int_equal(r.rule, REPORT_DIVERGENCE_CALL);
	assert_string_equal(r.variant[SIDE_FOLLOWER].call, "close(5) = ?");
	report_free(&r);
	call_record_free(&l);
	call_record_free(&f);
}

static void test_report_history(void **state)
{
	struct history h = { 0 };
	struct call_record c = { 0 };
	struct report r;

	for (int i = 0; i < 30; i++) {
		make_write(&c, i, "x", 1);
		history_add(&h, &c, (uint64_t)i);
	}
	report_init(&r, REPORT_NONE);
	report_set_history(&r, SIDE_FOLLOWER, &h);
	assert_int_equal(r.variant[SIDE_FOLLOWER].n_calls, HISTORY_CALLS);
	assert_int_equal(r.variant[SIDE_FOLLOWER].calls[0].position, 10);
	assert_string_equal(r.variant[SIDE_FOLLOWER].calls[19].text, "write(29, \"x\", 1) = ?");
	report_free(&r);
	call_record_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_payload_mismatch),
		cmocka_unit_test(test_length_mismatch),
		cmocka_unit_test(test_other_mismatches),
		cmocka_unit_test(test_report_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
