/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's recorder is told of the call table. */
#include "unit.h"

#include "calls/recorded.h"

#include <errno.h>
#include <string.h>

static struct record_desc describe(enum isa isa, unsigned id)
{
	struct record_desc d;

	assert_true(record_describe(isa, &call_rows[id], &d));
	assert_true(d.flags & RECORD_ON);
	return d;
}

static void refused(unsigned id)
{
	struct record_desc d;

	for (int isa = 0; isa < _ISA_MAX; isa++)
		assert_false(record_describe((enum isa)isa, &call_rows[id], &d));
}

static void test_buffer(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++) {
		struct record_desc d = describe((enum isa)isa, CALL_READ);

		assert_int_equal(d.n_parts, 1);
		assert_int_equal(d.part[0].what, RECORD_BYTES);
		assert_int_equal(d.part[0].arg, 1);
		assert_true(d.part[0].out && (d.part[0].flags & RECORD_PART_CAPPED));
		assert_false(d.flags & RECORD_ENTRY);
		assert_int_equal(d.part[0].len.kind, RECORD_LEN_RET);
		assert_int_equal(d.part[0].cap.kind, RECORD_LEN_ARG);
		assert_int_equal(d.part[0].cap.arg, 2);
		d = describe((enum isa)isa, CALL_WRITE);
		assert_false(d.part[0].out || d.part[0].flags);
		assert_int_equal(d.part[0].len.arg, 2);
		assert_int_equal(d.part[0].len.width, RECORD_U64);
	}
}

/* An old call's arguments have other numbers than those of the call that it becomes. */
static void test_alias(void **state)
{
	struct record_desc d = describe(ISA_X86_64, CALL_OPEN);

	assert_int_equal(d.n_parts, 1);
	assert_int_equal(d.part[0].what, RECORD_STRING);
	assert_int_equal(d.part[0].arg, 0);
	d = describe(ISA_X86_64, CALL_EPOLL_WAIT);
	assert_int_equal(d.n_parts, 1);
	assert_int_equal(d.part[0].arg, 1);
	assert_int_equal(d.part[0].scale, 12);
	assert_int_equal(d.part[0].cap.arg, 2);
	assert_int_equal(d.part[0].cap.width, RECORD_S32);
	assert_false(record_describe(ISA_AARCH64, &call_rows[CALL_OPEN], &d));
}

static void test_struct_and_iovec(void **state)
{
	struct record_desc d = describe(ISA_X86_64, CALL_FSTAT);

	assert_int_equal(d.part[0].len.kind, RECORD_LEN_CONST);
	assert_int_equal(d.part[0].len.value * d.part[0].scale, 144);
	d = describe(ISA_AARCH64, CALL_FSTAT);
	assert_int_equal(d.part[0].len.value * d.part[0].scale, 128);
	d = describe(ISA_AARCH64, CALL_WRITEV);
	assert_int_equal(d.part[0].what, RECORD_IOVEC);
	assert_int_equal(d.part[0].len.arg, 2);
}

/* Where it is to go is overwritten by what came; what is sent is not. */
static void test_messages(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++) {
		const uint64_t args[CALL_ARGS_MAX] = { 3, 4096 };
		struct record_desc d = describe((enum isa)isa, CALL_SENDMSG);

		assert_int_equal(d.flags, RECORD_ON);
		assert_int_equal(d.n_parts, 1);
		assert_int_equal(d.part[0].what, RECORD_MSG_SENT);
		d = describe((enum isa)isa, CALL_RECVMSG);
		assert_true(d.flags & RECORD_ENTRY);
		assert_int_equal(d.n_entry, 1);
		assert_int_equal(d.n_parts, 2);
		assert_int_equal(d.part[0].what, RECORD_MSG_ROOM);
		assert_int_equal(d.part[1].what, RECORD_MSG_RECEIVED);
		assert_true(d.part[1].out);
		assert_true(record_is_message(&d.part[0]));
		assert_false(record_is_overwritten(&d, ~0u, args, 10));
	}
}

/* How much of each was moved is in the array itself. */
static void test_many_messages(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++) {
		uint64_t args[CALL_ARGS_MAX] = { 3, 4096, 2, 0, 1 << 20 };
		struct record_desc d = describe((enum isa)isa, CALL_SENDMMSG);

		assert_int_equal(d.n_entry, 1);
		assert_int_equal(d.n_parts, 2);
		assert_int_equal(d.part[0].what, RECORD_MSG_SENT | RECORD_MANY);
		assert_int_equal(d.part[0].len.arg, 2);
		assert_int_equal(d.part[0].cap.value, 1024);
		assert_int_equal(d.part[1].what, RECORD_BYTES);
		assert_int_equal(d.part[1].len.kind, RECORD_LEN_RET);
		assert_int_equal(d.part[1].scale, 64);
		assert_true(d.part[1].out);
		assert_false(record_is_overwritten(&d, ~0u, args, 2));
		d = describe((enum isa)isa, CALL_RECVMMSG);
		assert_int_equal(d.n_entry, 2);
		assert_int_equal(d.n_parts, 4);
		assert_int_equal(d.part[0].what, RECORD_MSG_ROOM | RECORD_MANY);
		assert_int_equal(d.part[0].len.arg, 2);
		assert_int_equal(d.part[2].what, RECORD_MSG_RECEIVED | RECORD_MANY);
		assert_int_equal(d.part[2].len.kind, RECORD_LEN_RET);
		assert_int_equal(d.part[2].scale, 1);
		assert_true(record_is_overwritten(&d, ~0u, args, 2)); /* the time that is left */
		args[4] = 0;
		assert_false(record_is_overwritten(&d, ~0u, args, 2));
	}
}

static void test_descriptor_sets(void **state)
{
	struct record_desc d = describe(ISA_X86_64, CALL_SELECT);

	assert_int_equal(d.n_entry, 4);
	assert_int_equal(d.n_parts, 8);
	assert_int_equal(d.null_args, 0);
	assert_true(d.part[0].flags & RECORD_PART_BITS);
	assert_int_equal(d.part[0].len.arg, 0);
	d = describe(ISA_AARCH64, CALL_PSELECT6);
	assert_int_equal(d.n_parts, 8);
	assert_int_equal(d.null_args, 1 << 5);
}

/* Of a struct whose size the program tells, no more than that. */
static void test_sized_struct(void **state)
{
	struct record_desc d = describe(ISA_X86_64, CALL_SETSOCKOPT_TCP_NODELAY);

	assert_int_equal(d.n_parts, 1);
	assert_int_equal(d.part[0].len.value, 4);
	assert_int_equal(d.part[0].scale, 1);
	assert_true(d.part[0].flags & RECORD_PART_CAPPED);
	assert_int_equal(d.part[0].cap.arg, 4);
	assert_int_equal(d.part[0].cap.width, RECORD_U32);
}

/* Irregular, but known by its arguments and its result. */
static void test_simple(void **state)
{
	assert_int_equal(describe(ISA_X86_64, CALL_DUP).n_parts, 0);
	assert_int_equal(describe(ISA_AARCH64, CALL_DUP3).n_parts, 0);
	assert_int_equal(describe(ISA_X86_64, CALL_DUP2).n_parts, 0);
	assert_int_equal(describe(ISA_X86_64, CALL_DUP2_SAME).n_parts, 0);
	assert_int_equal(describe(ISA_AARCH64, CALL_FCNTL_F_DUPFD_CLOEXEC).n_parts, 0);
	assert_int_equal(describe(ISA_X86_64, CALL_FCNTL_F_SETFD).n_parts, 0);
	assert_int_equal(describe(ISA_AARCH64, CALL_IOCTL_FIOCLEX).n_parts, 0);
}

/* Equal arguments are no call of their own for who looks at numbers only: as one they are recorded or held. */
static void test_held_dup(void **state)
{
	static uint64_t by_call[_CALL_MAX];
	struct record_desc d;

	by_call[CALL_FCNTL_F_GETFL] = 1;
	record_hold(by_call);
	assert_false(record_describe(ISA_X86_64, &call_rows[CALL_DUP2], &d));
	assert_false(record_describe(ISA_X86_64, &call_rows[CALL_DUP2_SAME], &d));
	assert_true(record_describe(ISA_X86_64, &call_rows[CALL_DUP3], &d));
	by_call[CALL_FCNTL_F_GETFL] = 0;
	by_call[CALL_DUP3] = 1;
	assert_false(record_describe(ISA_X86_64, &call_rows[CALL_DUP2], &d));
	assert_false(record_describe(ISA_X86_64, &call_rows[CALL_DUP2_SAME], &d));
	record_hold(NULL);
}

/* Irregular, local, refused. */
static void test_not_recorded(void **state)
{
	static const unsigned ids[] = {
		CALL_EXECVE, CALL_CLONE, CALL_MMAP, CALL_CLOSE_RANGE, CALL_EXIT_GROUP,
		CALL_FUTEX, CALL_IO_URING_SETUP, CALL_KILL, CALL_RT_SIGSUSPEND, CALL_FCNTL,
		CALL_PRCTL_CHIRAL_REGION, CALL_RT_SIGACTION,
	};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		refused(ids[i]);
}

/* What comes in and may be overwritten is recorded at the entry. */
static void test_entry(void **state)
{
	struct record_desc d;

	for (int isa = 0; isa < _ISA_MAX; isa++) {
		d = describe((enum isa)isa, CALL_NEWFSTATAT);
		assert_true(d.flags & RECORD_ENTRY);
		assert_int_equal(d.n_parts, 2);
		assert_int_equal(d.n_entry, 1);
		assert_int_equal(d.part[0].what, RECORD_STRING);
		assert_int_equal(d.part[1].arg, 2);
		assert_true(d.part[1].out);
		d = describe((enum isa)isa, CALL_ACCEPT4);
		assert_int_equal(d.n_parts, 3);
		assert_int_equal(d.n_entry, 1);
		assert_int_equal(d.part[0].arg, 2);
		assert_int_equal(d.part[1].arg, 1);
		assert_int_equal(d.part[1].len.kind, RECORD_LEN_DEREF);
		assert_int_equal(d.part[1].len.arg, 2);
		assert_int_equal(d.part[1].cap.value, 128);
		assert_int_equal(d.part[2].arg, 2);
		assert_false(d.part[2].out);
		assert_int_equal(d.entry_args, 1 << 2);
		assert_int_equal(d.part[0].with, 1 + 1);
		assert_int_equal(d.part[2].with, 1 + 1);
		d = describe((enum isa)isa, CALL_SENDFILE);
		assert_int_equal(d.n_parts, 2);
		assert_int_equal(d.n_entry, 1);
		assert_int_equal(d.null_args, 0);
	}
}

/* Other threads meet its beginning. */
static void test_entry_for_others(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++) {
		struct record_desc d = describe((enum isa)isa, CALL_EPOLL_CTL);

		assert_true(d.flags & RECORD_ENTRY);
		assert_int_equal(d.n_entry, 1);
		assert_int_equal(d.n_parts, 1);
		assert_int_equal(d.entry_args, 0);
		d = describe((enum isa)isa, CALL_CLOSE);
		assert_true(d.flags & RECORD_ENTRY);
		assert_true(d.flags & RECORD_OTHERS);
		assert_int_equal(d.n_parts, 0);
	}
}

static uint8_t begins(enum isa isa, unsigned id)
{
	struct record_desc d;

	record_describe_nr(isa, call_rows[id].nr[isa], &d);
	return d.begins;
}

/* A call number says what its sub-calls need. */
static void test_begins(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++) {
		assert_int_equal(begins((enum isa)isa, CALL_READ), 0);
		assert_int_equal(begins((enum isa)isa, CALL_ACCEPT4), RECORD_BEGINS);
		assert_int_equal(begins((enum isa)isa, CALL_CLOSE), RECORD_BEGINS_FOR_OTHERS);
		assert_int_equal(begins((enum isa)isa, CALL_EPOLL_CTL), RECORD_BEGINS_FOR_OTHERS);
		/* Some, like F_GETLK, have memory that is read and written. */
		assert_int_equal(begins((enum isa)isa, CALL_FCNTL), RECORD_BEGINS);
	}
}

/* Without these arguments one part is all. */
static void test_more(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++) {
		struct record_desc d = describe((enum isa)isa, CALL_READ);

		assert_int_equal(d.more_exit, 0);
		d = describe((enum isa)isa, CALL_SENDTO);
		assert_int_equal(d.more_exit, 1 << 4);
		d = describe((enum isa)isa, CALL_ACCEPT4);
		assert_int_equal(d.more_entry, 0);
		assert_int_equal(d.more_exit, 1 << 2);
	}
}

/* Of poll's structs the kernel writes other fields than it reads: they can be read at the end. */
static void test_mixed(void **state)
{
	struct record_desc d = describe(ISA_X86_64, CALL_POLL);

	assert_false(d.flags & RECORD_ENTRY);
	assert_int_equal(d.n_parts, 1);
	assert_false(d.part[0].out);
	/* Unless something else comes in. */
	d = describe(ISA_AARCH64, CALL_PPOLL);
	assert_true(d.flags & RECORD_ENTRY);
	assert_int_equal(d.n_entry, 3);
	assert_int_equal(d.n_parts, 5);
}

static void test_overwritten(void **state)
{
	struct record_desc stat = describe(ISA_X86_64, CALL_NEWFSTATAT),
			   accept = describe(ISA_X86_64, CALL_ACCEPT4),
			   epoll = describe(ISA_X86_64, CALL_EPOLL_CTL),
			   ppoll = describe(ISA_X86_64, CALL_PPOLL);
	uint64_t args[CALL_ARGS_MAX] = { 3, 0x10000, 0x20000 };

	assert_false(record_is_overwritten(&stat, ~0u, args, 0));
	args[2] = 0x10000 - 143;
	assert_true(record_is_overwritten(&stat, ~0u, args, 0));
	args[2] = 0x10000 - 144;
	assert_false(record_is_overwritten(&stat, ~0u, args, 0));
	args[2] = 0x10000 + 4095;
	assert_true(record_is_overwritten(&stat, ~0u, args, 0));
	assert_false(record_is_overwritten(&stat, ~0u, args, -ENOENT));
	assert_true(record_is_overwritten(&accept, ~0u, args, 4));
	assert_false(record_is_overwritten(&accept, ~0u, args, -EFAULT));
	args[1] = 0;
	assert_false(record_is_overwritten(&accept, ~0u, args, 4));
	args[1] = args[2] = 0;
	assert_false(record_is_overwritten(&accept, ~0u, args, 4));
	/* A mask that is missing, where the time that was given is known. */
	args[2] = 0x20000;
	args[3] = 0x30000;
	assert_true(record_is_overwritten(&ppoll, ~0u, args, 0));
	assert_false(record_is_overwritten(&ppoll, 1u << 2, args, 0));
	args[3] = 0x20008;
	assert_true(record_is_overwritten(&ppoll, 1u << 2, args, 0));
	assert_false(record_is_overwritten(&epoll, ~0u, (uint64_t[6]){ 3, 1, 4, 0x1000 }, 0));
}

/* Memory that a description cannot say: only without it. */
static void test_only_without(void **state)
{
	uint64_t args[CALL_ARGS_MAX] = { 0 };
	struct record_desc d;

	for (int isa = 0; isa < _ISA_MAX; isa++) {
		d = describe((enum isa)isa, CALL_CLOCK_NANOSLEEP);
		assert_int_equal(d.null_args, 1 << 3);
		assert_int_equal(d.n_parts, 1);
		assert_true(call_is_recorded((enum isa)isa, &call_rows[CALL_CLOCK_NANOSLEEP], args));
	}
	args[3] = 0x2000;
	assert_false(call_is_recorded(ISA_X86_64, &call_rows[CALL_CLOCK_NANOSLEEP], args));
	d = describe(ISA_X86_64, CALL_EPOLL_WAIT);
	assert_int_equal(d.null_args, 0);
}

static void test_numbers(void **state)
{
	struct record_desc d;

	for (int isa = 0; isa < _ISA_MAX; isa++) {
		record_describe_nr((enum isa)isa, call_rows[CALL_WRITE].nr[isa], &d);
		assert_int_equal(d.flags, RECORD_ON);
		record_describe_nr((enum isa)isa, call_rows[CALL_SETSOCKOPT].nr[isa], &d);
		assert_int_equal(d.flags, RECORD_SUBS);
		assert_int_equal(d.sel[0], 1);
		assert_int_equal(d.sel[1], 2);
		record_describe_nr((enum isa)isa, call_rows[CALL_EXECVE].nr[isa], &d);
		assert_int_equal(d.flags, 0);
		record_describe_nr((enum isa)isa, CALL_NR_MAX, &d);
		assert_int_equal(d.flags, 0);
	}
}

/* Whatever a row says, its description stays within what a record can hold. */
static void test_every_row(void **state)
{
	unsigned n = 0;

	for (unsigned id = 0; id < _CALL_MAX; id++) {
		for (int isa = 0; isa < _ISA_MAX; isa++) {
			struct record_desc d;

			if (!record_describe((enum isa)isa, &call_rows[id], &d))
				continue;
			n++;
			assert_in_range(d.n_parts, 0, RECORD_PARTS_MAX);
			assert_in_range(d.n_entry, 0, d.n_parts);
			assert_true(d.n_entry == 0 || (d.flags & RECORD_ENTRY));
			assert_true(!(d.flags & RECORD_OTHERS) || d.n_parts == d.n_entry);
			for (unsigned i = 0; i < d.n_parts; i++) {
				assert_in_range(d.part[i].arg, 0, CALL_ARGS_MAX - 1);
				assert_true(d.part[i].what == RECORD_STRING || d.part[i].scale);
			}
		}
	}
	assert_true(n > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffer),	     cmocka_unit_test(test_alias),
		cmocka_unit_test(test_struct_and_iovec), cmocka_unit_test(test_sized_struct),
		cmocka_unit_test(test_messages),     cmocka_unit_test(test_descriptor_sets),
		cmocka_unit_test(test_many_messages), cmocka_unit_test(test_simple), cmocka_unit_test(test_held_dup),
		cmocka_unit_test(test_not_recorded), cmocka_unit_test(test_only_without),
		cmocka_unit_test(test_entry),	     cmocka_unit_test(test_entry_for_others),
		cmocka_unit_test(test_begins),	     cmocka_unit_test(test_more),
		cmocka_unit_test(test_mixed),	     cmocka_unit_test(test_overwritten),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_every_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
