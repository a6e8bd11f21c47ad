/* SPDX-License-Identifier: Apache-2.0 */
/* Small data of calls: there, to home and back; and what a correct node does not send. */
#include "unit.h"

#include "base/cleanup.h"
#include "mtd/runtime/runtime.h"

#include <setjmp.h>
#include <string.h>

/* The runtime is a freestanding program's: here it has this much around it. */
struct node mtd_node;
static char memory[4096];
static jmp_buf dies;

int is_shared(uint64_t address, uint64_t size)
{
	uint64_t at = (uint64_t)memory;

	return address >= at && size <= sizeof(memory) && address - at <= sizeof(memory) - size;
}

_Noreturn void die_number(const char *what, uint64_t number)
{
	(void)what, (void)number;
	longjmp(dies, 1);
}

#include "mtd/runtime/carry.c"

enum { NR_WRITE = 1, NR_STAT = 4, NR_FSTAT = 5, NR_READ = 0, NR_GETPID = 39 };

static struct mtd_message call_of(int64_t nr, int64_t a, int64_t b, int64_t c)
{
	return (struct mtd_message){ .type = MTD_CALL, .v = { nr, a, b, c } };
}

/* Home's arguments; NULL when home dies of it. */
static long *open_at_home(struct mtd_message *m)
{
	static long args[6];

	for (int i = 0; i < 6; i++)
		args[i] = m->v[i + 1];
	if (setjmp(dies))
		return NULL;
	carry_open(m, args);
	return args;
}

static void test_there_and_back(void **state)
{
	int64_t name = (int64_t)strcpy(memory, "name"), to = (int64_t)memory + 100;
	struct mtd_message call = call_of(NR_STAT, name, to, 0), home;
	const long real[6] = { (long)name, (long)to };
	long *args;

	carry_pack(&call);
	home = call;
	args = open_at_home(&home);
	assert_non_null(args);
	assert_string_equal((const char *)args[0], "name");
	assert_false(is_shared((uint64_t)args[1], 1));
	strcpy((char *)args[0], "lost");
	memset((void *)args[1], 7, 144);
	carry_unpack(&call, &home, real);
	assert_string_equal(memory, "name");
	for (int i = 0; i < 144; i++)
		assert_int_equal(memory[100 + i], 7);
	assert_int_equal(memory[99] | memory[244], 0);
}

/* The addresses stay. */
static void test_not_small(void **state)
{
	int64_t at = (int64_t)memory;
	struct mtd_message calls[] = {
		call_of(NR_WRITE, 1, at, MTD_CARRY_SIZE + 1), call_of(NR_WRITE, 1, at, 0),
		call_of(NR_WRITE, 1, at, -1),		      call_of(NR_WRITE, 1, at + 4090, 7),
		call_of(NR_WRITE, 1, 16, 7),		      call_of(NR_GETPID, at, at, at),
		call_of(NR_FSTAT, 1, 0, 0),		      call_of(-1, at, at, at),
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct mtd_message before = calls[i];

		carry_pack(&calls[i]);
		assert_memory_equal(&calls[i], &before, sizeof(before));
	}
	memset(memory, 'x', 300);
	calls[0] = call_of(NR_STAT, at, at + 400, 0);
	carry_pack(&calls[0]);
	assert_true(calls[0].carried == 2 && calls[0].v[1] == at && calls[0].v[2] == 144);
	/* One memory file: home has it all. */
	mtd_node.pages = -1;
	calls[0] = call_of(NR_FSTAT, 1, at, 0);
	carry_pack(&calls[0]);
	mtd_node.pages = 0;
	assert_true(!calls[0].carried && calls[0].v[2] == at);
}

static void test_events(void **state)
{
	struct mtd_message call = call_of(NR_epoll_wait, 3, (int64_t)memory, 512);

	carry_pack(&call);
	assert_true(call.carried == 1 && call.v[3] == 16 && call.v[2] == 192);
	assert_non_null(open_at_home(&call));
}

static void test_malformed(void **state)
{
	struct mtd_message m;

	/* More than there is; not what the kernel will write; nothing. */
	for (int64_t size = -1; size < 400; size++) {
		m = call_of(NR_READ, 0, size, 12);
		m.carried = 1;
		assert_int_equal(!open_at_home(&m), size != 12);
		m = call_of(NR_FSTAT, 0, size, 0);
		m.carried = 1;
		assert_int_equal(!open_at_home(&m), size != 144);
	}
	/* A name without an end. */
	m = call_of(NR_STAT, 4, 144, 0);
	m.carried = 3;
	memcpy(m.data, "name", 4);
	assert_null(open_at_home(&m));
	/* Together more than there is. */
	m = call_of(NR_STAT, 56, 144, 0);
	m.carried = 3;
	assert_null(open_at_home(&m));
	m.v[1] = 48;
	assert_non_null(open_at_home(&m));
	/* Pointers that the call has not. */
	m = call_of(NR_READ, 0, 12, 12);
	m.carried = 2;
	assert_null(open_at_home(&m));
	m = call_of(NR_GETPID, 1, 1, 1);
	m.carried = 1;
	assert_null(open_at_home(&m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_not_small),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
