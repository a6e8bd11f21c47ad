/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of the rings that the kernel's programs write; the writer's part is played here. */
#include "unit.h"

#include "capture/bpf/ring.h"

#include <stdlib.h>
#include <string.h>

static struct record_shared shared;
static struct record *slots;
static uint8_t *bytes;
static struct ring ring;
static char seen[512];
static size_t settled;

static int setup(void **state)
{
	memset(&shared, 0, sizeof(shared));
	slots = aligned_alloc(64, RING_SLOTS * sizeof(*slots));
	bytes = malloc(RING_BYTES + RING_BYTES_OVER);
	assert_non_null(slots);
	assert_non_null(bytes);
	memset(slots, 0, RING_SLOTS * sizeof(*slots));
	ring = (struct ring){ &shared, slots, bytes };
	seen[0] = 0;
	settled = 0;
	return 0;
}

static int teardown(void **state)
{
	free(slots);
	free(bytes);
	return 0;
}

static void settle(void *state)
{
	settled++;
}

static void note(void *state, const struct record *r, const uint8_t *piece)
{
	assert_int_equal(strnlen((const char *)piece, r->len) + 1, r->len);
	if (strlen(seen) + r->len + 2 < sizeof(seen)) {
		strcat(seen, (const char *)piece);
		strcat(seen, " ");
	}
}

static size_t drain(bool wait)
{
	return ring_drain(&ring, wait, note, settle, NULL);
}

/* Takes a slot, and room for the text when it is long; the record is complete when it is published. */
static struct record *begin(const char *text, uint8_t kind)
{
	uint64_t base = shared.bytes;
	struct record *r = &slots[shared.slots++ % RING_SLOTS];
	uint8_t *to = r->piece;

	r->base = base;
	r->at = RECORD_INLINE;
	r->kind = kind;
	r->len = (uint32_t)strlen(text) + 1;
	if (r->len > RECORD_INLINE_MAX) {
		r->at = shared.bytes;
		shared.bytes += (r->len + 7) & ~7ull;
		to = bytes + r->at % RING_BYTES;
	}
	memcpy(to, text, r->len);
	return r;
}

static void publish(struct record *r, uint64_t at)
{
	r->turn = at + 1;
}

static void produce(const char *text, uint8_t kind)
{
	uint64_t at = shared.slots;

	publish(begin(text, kind), at);
}

static void test_in_order(void **state)
{
	assert_true(ring_is_empty(&ring));
	assert_int_equal(drain(true), 0);
	produce("one", RECORD_CALL);
	produce("in vain", RECORD_NONE);
	produce("a piece that has no room in its slot", RECORD_DATA);
	assert_false(ring_is_empty(&ring));
	assert_int_equal(drain(true), 3);
	assert_string_equal(seen, "one a piece that has no room in its slot ");
	assert_true(ring_is_empty(&ring));
	assert_int_equal(shared.reader.slots, 3);
	assert_int_equal(shared.reader.bytes, shared.bytes);
	assert_int_equal(settled, 1 + 1);
}

/* Slots hold old turns, and bytes old text: nothing of an earlier round is taken for new. */
static void test_goes_round(void **state)
{
	for (unsigned i = 0; i < 3 * RING_SLOTS / 100; i++) {
		for (int k = 0; k < 100; k++)
			produce("a record of some length, of which a round of bytes has many", RECORD_CALL);
		assert_int_equal(drain(false), 100);
		assert_int_equal(drain(false), 0);
	}
	assert_int_equal(shared.reader.slots, shared.slots);
}

/* Bytes are in one place also when they begin shortly before the end. */
static void test_over_the_end(void **state)
{
	const char text[] = "behind the end of the ring there is room for a record";

	shared.bytes = shared.reader.bytes = 7 * (uint64_t)RING_BYTES - 8;
	produce(text, RECORD_CALL);
	produce(text, RECORD_CALL);
	assert_int_equal(drain(true), 2);
	assert_memory_equal(seen, text, sizeof(text) - 1);
	assert_memory_equal(seen + sizeof(text), text, sizeof(text) - 1);
}

/* A record that is still being written ends what can be had now, and keeps its bytes and those of whoever
 * took some after it. */
static void test_busy(void **state)
{
	struct record *busy;
	uint64_t at, before;

	produce("one, which is too long for its slot", RECORD_CALL);
	at = shared.slots;
	before = shared.bytes;
	busy = begin("two, which is too long for its slot", RECORD_CALL);
	produce("three", RECORD_CALL);
	assert_int_equal(drain(false), 1);
	assert_string_equal(seen, "one, which is too long for its slot ");
	assert_int_equal(shared.reader.slots, 1);
	assert_true(shared.reader.bytes <= before);
	publish(busy, at);
	assert_int_equal(drain(true), 2);
	assert_int_equal(shared.reader.bytes, shared.bytes);
}

/* Room comes back while a long backlog is read, not only after it. */
static void test_room_comes_back(void **state)
{
	for (unsigned i = 0; i < RING_SLOTS / 2; i++)
		produce("a piece that has no room in its slot", RECORD_CALL);
	assert_int_equal(drain(false), RING_SLOTS / 2);
	assert_true(settled > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_goes_round, setup, teardown),
		cmocka_unit_test_setup_teardown(test_over_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room_comes_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
