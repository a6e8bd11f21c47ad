/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that could not be read when their call began: what of them is known when it has ended. */
#include "unit.h"

#include "capture/bpf/message.h"
#include "capture/bpf/record.h"

#include <errno.h>
#include <string.h>

#define BASE 0x10000u
#define SIZE 0x2000u

static uint8_t bytes[SIZE];

static ssize_t read_bytes(struct mem *mem, uint64_t addr, void *buf, size_t len)
{
	if (addr < BASE || addr >= BASE + SIZE)
		return -EFAULT;
	if (len > BASE + SIZE - addr)
		len = BASE + SIZE - addr;
	memcpy(buf, bytes + addr - BASE, len);
	return (ssize_t)len;
}

static struct mem mem = { .read = read_bytes };

static void put(uint64_t addr, const void *data, size_t len)
{
	memcpy(bytes + addr - BASE, data, len);
}

/* Message k of an array at BASE, its iovec of one element at iov. */
static void put_message(unsigned k, const struct record_msg *m, uint64_t iov, uint64_t data, uint64_t len)
{
	struct record_mmsg mm = { .msg = *m };
	struct record_iov element = { data, len };

	mm.msg.iov = iov;
	mm.msg.iov_len = 1;
	put(BASE + k * sizeof(mm), &mm, sizeof(mm));
	put(iov, &element, sizeof(element));
}

static bool is_as_before(uint8_t what, uint64_t n, int64_t ret)
{
	const struct record_part part = { .what = what, .arg = 1, .len = { .kind = RECORD_LEN_ARG, .arg = 2 } };
	const uint64_t args[CALL_ARGS_MAX] = { 3, BASE, n };

	return message_is_as_before(&mem, &part, args, ret);
}

static int setup(void **state)
{
	memset(bytes, 0, sizeof(bytes));
	return 0;
}

static void test_received(void **state)
{
	const uint64_t iov = BASE + 0x100, data = BASE + 0x200;
	struct record_msg m = { 0 };

	put_message(0, &m, iov, data, 100);
	assert_true(is_as_before(RECORD_MSG_ROOM, 0, 100));
	m.name = data;
	put_message(0, &m, iov, data, 100);
	assert_false(is_as_before(RECORD_MSG_ROOM, 0, 100));
	assert_true(is_as_before(RECORD_MSG_ROOM, 0, -EAGAIN));
	m = (struct record_msg){ .control = data };
	put_message(0, &m, iov, data, 100);
	assert_false(is_as_before(RECORD_MSG_ROOM, 0, 0));
}

/* What came may have overwritten where it was to go. */
static void test_received_over_itself(void **state)
{
	const struct record_msg m = { 0 };

	put_message(0, &m, BASE + 0x100, BASE + 0xf1, 16);
	assert_false(is_as_before(RECORD_MSG_ROOM, 0, 1));
	put_message(0, &m, BASE + 0x100, BASE + 0x110, 16);
	assert_true(is_as_before(RECORD_MSG_ROOM, 0, 1));
	put_message(0, &m, BASE + 0x100, BASE + 55, 1);
	assert_false(is_as_before(RECORD_MSG_ROOM, 0, 1));
	put_message(0, &m, BASE + 40, BASE + 0x100, 1);
	assert_false(is_as_before(RECORD_MSG_ROOM, 0, 1));
}

static void test_many_received(void **state)
{
	const uint8_t what = RECORD_MSG_ROOM | RECORD_MANY;
	struct record_msg m = { 0 };

	put_message(0, &m, BASE + 0x200, BASE + 0x300, 16);
	m.name = BASE + 0x400;
	put_message(1, &m, BASE + 0x210, BASE + 0x310, 16);
	assert_true(is_as_before(what, 2, 1));
	assert_false(is_as_before(what, 2, 2));
	m.name = 0;
	put_message(1, &m, BASE + 0x210, BASE + 0x208, 1); /* the array of the first */
	assert_false(is_as_before(what, 2, 1));
	put_message(1, &m, BASE + 0x210, BASE + 100, 1);
	assert_false(is_as_before(what, 2, 1));
}

static void test_sent(void **state)
{
	const uint8_t what = RECORD_MSG_SENT | RECORD_MANY;
	struct record_msg m = { .name = BASE + 0x400, .name_len = 16, .control = BASE + 0x500, .control_len = 16 };

	put_message(0, &m, BASE + 0x200, BASE + 0x300, 16);
	put_message(1, &m, BASE + 0x200, BASE + 0x300, 16);
	assert_true(is_as_before(what, 2, 2));
	put_message(1, &m, BASE + 0x210, BASE + 56, 4); /* how much was sent of the first */
	assert_false(is_as_before(what, 2, 2));
	assert_true(is_as_before(what, 2, -EPIPE));
	assert_true(is_as_before(what, 1, 1));
	m.name = BASE + 127;
	put_message(1, &m, BASE + 0x210, BASE + 0x300, 16);
	assert_false(is_as_before(what, 2, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_received, setup),
		cmocka_unit_test_setup(test_received_over_itself, setup),
		cmocka_unit_test_setup(test_many_received, setup),
		cmocka_unit_test_setup(test_sent, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
