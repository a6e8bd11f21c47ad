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

enum { NR_READ = 0, NR_WRITE = 1, NR_STAT = 4, NR_FSTAT = 5, NR_IOCTL = 16, NR_GETPID = 39,
       NR_SETSOCKOPT = 54, NR_GETSOCKOPT = 55, NR_FCNTL = 72, NR_RENAME = 82, NR_GETGROUPS = 115,
       NR_GETRESUID = 118, NR_RT_SIGTIMEDWAIT = 128, NR_TIME = 201, NR_FUTEX = 202, NR_EPOLL_WAIT = 232,
       NR_EPOLL_CTL = 233 };

static struct mtd_message call_of(int64_t nr, int64_t a, int64_t b, int64_t c)
{
	return (struct mtd_message){ .type = MTD_CALL, .v = { nr, a, b, c } };
}

/* Each argument points to its own 500 bytes, unless it says how many there are: one. */
static struct mtd_message call_of_pointers(int64_t nr)
{
	const struct shape *s = shape_of(nr);
	struct mtd_message m = call_of(nr, 0, 0, 0);

	for (int i = 0; i < 6; i++)
		m.v[i + 1] = (int64_t)memory + 500 * i;
	for (unsigned i = 0; s && i < s->n; i++)
		if (s->p[i].times >= 0)
			m.v[1 + s->p[i].times] = 1;
	return m;
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
	struct mtd_message call = call_of(NR_EPOLL_WAIT, 3, (int64_t)memory, 512);

	carry_pack(&call);
	assert_true(call.carried == 1 && call.v[3] == 16 && call.v[2] == 192);
	assert_non_null(open_at_home(&call));
	/* No more than were asked for. */
	call = call_of(NR_EPOLL_WAIT, 3, (int64_t)memory, 2);
	carry_pack(&call);
	assert_true(call.carried == 1 && call.v[3] == 2 && call.v[2] == 24);
}

/* What the table of calls says of some: which arguments travel, and their sizes. */
static void test_rows(void **state)
{
	static const struct {
		int64_t nr;
		uint32_t carried;
		int64_t size[6];
	} rows[] = {
		{ NR_READ, 1, { [1] = 1 } },
		{ NR_SETSOCKOPT, 1, { [3] = 1 } },
		{ NR_GETSOCKOPT, 1, { [4] = 4 } },
		{ NR_RENAME, 3, { 1, 1 } },
		{ NR_GETGROUPS, 1, { [1] = 4 } },
		{ NR_GETRESUID, 7, { 4, 4, 4 } },
		{ NR_RT_SIGTIMEDWAIT, 7, { 8, 128, 16 } },
		{ NR_TIME, 1, { 8 } },
		{ NR_EPOLL_CTL, 1, { [3] = 12 } },
		/* An address is no data; a number may look like an address. */
		{ NR_FUTEX, 0, { 0 } },
		{ NR_IOCTL, 0, { 0 } },
		{ NR_FCNTL, 0, { 0 } },
	};

	memset(memory, 0, sizeof(memory));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct mtd_message before = call_of_pointers(rows[i].nr);
		struct mtd_message call = before;

		carry_pack(&call);
		assert_int_equal(call.carried, rows[i].carried);
		for (int a = 0; a < 6; a++)
			assert_int_equal(call.v[a + 1], rows[i].size[a] ? rows[i].size[a] : before.v[a + 1]);
	}
}

/* Every row: home takes what the other node sends, and what home writes is there afterwards, no more. */
static void test_all_rows(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const struct shape *s = &shapes[i];
		const struct mtd_message given = call_of_pointers(s->nr);
		struct mtd_message call = given, home;
		uint64_t filled = 0;
		long *args, real[6];

		assert_true(s->n >= 1 && s->n <= MTD_CARRY_MAX && (!i || s->nr > shapes[i - 1].nr));
		memset(memory, 0, sizeof(memory));
		carry_pack(&call);
		home = call;
		args = open_at_home(&home);
		assert_non_null(args);
		for (unsigned p = 0; p < s->n; p++)
			if (call.carried & 1u << p && s->p[p].how != DATA_IN) {
				memset((void *)args[s->p[p].arg], 7, (size_t)call.v[1 + s->p[p].arg]);
				filled += (uint64_t)call.v[1 + s->p[p].arg];
			}
		for (int a = 0; a < 6; a++)
			real[a] = given.v[a + 1];
		carry_unpack(&call, &home, real);
		for (unsigned p = 0; p < s->n; p++)
			for (int64_t at = 0; call.carried & 1u << p && s->p[p].how != DATA_IN &&
			     at < call.v[1 + s->p[p].arg]; at++)
				assert_int_equal(((const char *)real[s->p[p].arg])[at], 7);
		for (size_t at = 0; at < sizeof(memory); at++)
			filled -= memory[at] == 7;
		assert_int_equal(filled, 0);
	}
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
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_all_rows),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
