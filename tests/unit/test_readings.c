/* SPDX-License-Identifier: Apache-2.0 */
/* A reading of a clock without a call is the event that the call would have been. */
#include "unit.h"

#include "calls/table.h"
#include "capture/bpf/clock/readings.h"
#include "capture/bpf/pieces.h"

#include <time.h>

#define AT 0x7000u

static const uint8_t key[SESSION_KEY_SIZE];

/* The call id(first, second), which has left value at AT. */
static void capture(unsigned id, uint64_t first, uint64_t second, const int64_t value[2], struct call_record *c)
{
	struct native_call n = {
		.isa = isa_native, .nr = call_rows[id].nr[isa_native], .arg = { first, second },
	};
	struct pieces pieces;
	struct call_ctx cx = { .isa = isa_native, .mem = &pieces.mem, .key = key };

	pieces_init(&pieces);
	assert_int_equal(pieces_add(&pieces, AT, value, 16, false), 0);
	assert_int_equal(call_resolve(&n), 0);
	assert_int_equal(call_capture_in(&cx, &n, c), 0);
	assert_int_equal(call_capture_out(&cx, &n, 0, c), 0);
	assert_int_equal(call_record_own(c), 0);
	pieces_free(&pieces);
}

static void assert_same(const struct call_record *a, const struct call_record *b)
{
	struct writer of_a = { 0 }, of_b = { 0 };

	call_encode(&of_a, a, CALL_PART_ENTRY | CALL_PART_EXIT);
	call_encode(&of_b, b, CALL_PART_ENTRY | CALL_PART_EXIT);
	assert_int_equal(of_a.len, of_b.len);
	assert_memory_equal(of_a.data, of_b.data, of_a.len);
	writer_free(&of_a);
	writer_free(&of_b);
}

static void test_as_by_a_call(void **state)
{
	const int64_t fine[2] = { 1700000000, 123456789 }, coarse[2] = { 1700000000, 123456 };
	const struct clock_time at = { fine[0], fine[1] };
	struct clock_readings readings = { 0 };
	struct call_record c = { 0 };

	assert_int_equal(clock_readings_init(&readings, key), 0);
	capture(CALL_CLOCK_GETTIME, CLOCK_REALTIME, AT, fine, &c);
	assert_same(clock_readings_call(&readings, CLOCK_READ_REALTIME, &at), &c);
	capture(CALL_CLOCK_GETTIME, CLOCK_MONOTONIC, AT, fine, &c);
	assert_same(clock_readings_call(&readings, CLOCK_READ_MONOTONIC, &at), &c);
	capture(CALL_GETTIMEOFDAY, AT, 0, coarse, &c);
	assert_same(clock_readings_call(&readings, CLOCK_READ_DAY, &at), &c);
	capture(CALL_CLOCK_GETTIME, CLOCK_MONOTONIC_COARSE, AT, fine, &c);
	assert_same(clock_readings_call(&readings, CLOCK_READ_COARSE, &at), &c);
	call_record_free(&c);
	clock_readings_free(&readings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_by_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
