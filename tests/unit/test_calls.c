/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "calls/table.h"
#include "calls/words.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define SUPPORTED_MIN 250 /* what the project promises; see doc/supported-calls.md */

static bool row_works(const struct call_row *row)
{
	return row->status == STATUS_SUPPORTED || row->status == STATUS_PARTIAL;
}

static const struct call_row *row_of(enum isa isa, long nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	uint64_t args[CALL_ARGS_MAX] = { a0, a1, a2 };

	return call_row_sub(call_row_of_nr(isa, nr), args);
}

static void test_lookup(void **state)
{
	assert_ptr_equal(call_row_of_nr(ISA_X86_64, 0), &call_rows[CALL_READ]);
	assert_ptr_equal(call_row_of_nr(ISA_AARCH64, 63), &call_rows[CALL_READ]);
	assert_ptr_equal(call_row_of_nr(ISA_X86_64, 56), &call_rows[CALL_CLONE]);
	assert_ptr_equal(call_row_of_nr(ISA_AARCH64, 220), &call_rows[CALL_CLONE]);
	assert_null(call_row_of_nr(ISA_X86_64, -1));
	assert_null(call_row_of_nr(ISA_X86_64, CALL_NR_MAX));
	assert_null(call_row_of_nr(ISA_X86_64, 0x40000000));
	assert_null(call_row_of_nr(ISA_X86_64, 400));
	assert_null(call_row_of_nr(ISA_AARCH64, 300));
	assert_null(call_row_of_nr(_ISA_MAX, 0));
	assert_null(call_row_of_nr((enum isa)-1, 0));
}

static void test_every_row_is_found_by_its_number(void **state)
{
	for (unsigned id = 0; id < _CALL_MAX; id++) {
		for (int isa = 0; isa < _ISA_MAX; isa++) {
			const struct call_row *row = &call_rows[id];

			if (row->nr[isa] < 0)
				continue;
			assert_in_range(row->nr[isa], 0, CALL_NR_MAX - 1);
			assert_ptr_equal(call_row_of_nr(isa, row->nr[isa]), &call_rows[row->parent]);
		}
	}
}

static void test_sub_calls(void **state)
{
	const uint64_t garbage = 0xdeadbeef00000000;

	assert_ptr_equal(row_of(ISA_X86_64, 72, 3, F_GETFL, 0), &call_rows[CALL_FCNTL_F_GETFL]);
	/* The kernel looks at 32 bits of a selector. */
	assert_ptr_equal(row_of(ISA_AARCH64, 25, 3, garbage | F_GETFL, 0),
			 &call_rows[CALL_FCNTL_F_GETFL]);
	assert_ptr_equal(row_of(ISA_X86_64, 72, 3, 4242, 0), &call_rows[CALL_FCNTL]);
	assert_ptr_equal(row_of(ISA_AARCH64, 29, 3, 0x5421, 0), &call_rows[CALL_IOCTL_FIONBIO]);
	assert_ptr_equal(row_of(ISA_X86_64, 54, 3, 1, 2), &call_rows[CALL_SETSOCKOPT_SO_REUSEADDR]);
	assert_ptr_equal(row_of(ISA_AARCH64, 208, 3, 6, 1), &call_rows[CALL_SETSOCKOPT_TCP_NODELAY]);
	assert_ptr_equal(row_of(ISA_X86_64, 54, 3, 2, 1), &call_rows[CALL_SETSOCKOPT]);
	/* Without sub-calls: the row itself. */
	assert_ptr_equal(row_of(ISA_X86_64, 0, 3, 1, 2), &call_rows[CALL_READ]);
}

static void test_every_sub_call_is_found(void **state)
{
	for (unsigned id = 0; id < _CALL_MAX; id++) {
		const struct call_row *row = &call_rows[id], *parent = &call_rows[row->parent];
		uint64_t args[CALL_ARGS_MAX] = { 1, 2 };
		const uint32_t values[2] = { row->sub_value, row->sub_value2 };
		unsigned n = 0;

		if (!row_is_sub(row))
			continue;
		assert_true(parent->flags & CALL_PARENT);
		for (unsigned i = 0; i < parent->n_args && n < 2; i++)
			if (parent->args[i].kind == ARG_CMD)
				args[i] = values[n++];
		if (row->flags & CALL_SUB_EQUAL)
			args[1] = args[0];
		assert_ptr_equal(call_row_sub(parent, args), row);
	}
}

static void test_dup2_of_equal_descriptors(void **state)
{
	const struct call_row *same = row_of(ISA_X86_64, 33, 5, 5, 0);

	assert_ptr_equal(row_of(ISA_X86_64, 33, 5, 6, 0), &call_rows[CALL_DUP2]);
	assert_int_equal(call_rows[CALL_DUP2].canonical, CALL_DUP3);
	assert_ptr_equal(same, &call_rows[CALL_DUP2_SAME]);
	assert_int_equal(same->canonical, CALL_FCNTL_F_GETFL);
	assert_int_equal(same->ret_arg, 2);
	assert_int_equal(same->conv[1].kind, CONV_CONST);
	assert_int_equal(same->conv[1].value, F_GETFL);
}

static void check_length(const struct call_row *row, const struct arg_spec *arg)
{
	assert_in_range(arg->len.cap_arg, 0, row->n_args);
	assert_true(arg->len.scale >= 1);
	if (arg->len.kind == LEN_ARG || arg->len.kind == LEN_DEREF)
		assert_true(arg->len.value < row->n_args);
	/* What the kernel reports may be more than the buffer (MSG_TRUNC, snapshots of lists). */
	if (arg->len.kind == LEN_RET && arg->kind != ARG_MSGHDR)
		assert_true(arg->len.cap_arg > 0);
}

static void test_rows_are_consistent(void **state)
{
	for (unsigned id = 0; id < _CALL_MAX; id++) {
		const struct call_row *row = &call_rows[id], *canon = &call_rows[row->canonical];

		assert_non_null(row->name);
		assert_true(row->class[0] == '@');
		assert_true(row->nr[ISA_X86_64] >= 0 || row->nr[ISA_AARCH64] >= 0);
		assert_int_equal(canon->canonical, row->canonical);
		assert_int_equal(row->disposition, canon->disposition);
		assert_int_equal(row->irregular != IRR_NONE, row->disposition == DISP_IRREGULAR);
		if (!row_works(row)) {
			assert_int_equal(row->disposition, DISP_REFUSED);
			assert_true(row->note[0] != '\0');
		}
		if (row->disposition == DISP_REFUSED)
			assert_false(row_works(row));
		for (unsigned i = 0; i < row->n_args; i++) {
			assert_non_null(row->args[i].name);
			check_length(row, &row->args[i]);
		}
	}
}

static void test_names_of_sub_calls_and_notes(void **state)
{
	for (unsigned id = 0; id < _CALL_MAX; id++) {
		const struct call_row *row = &call_rows[id];
		size_t n = strlen(row->note);

		if (row_is_sub(row))
			assert_int_equal(strncmp(row->name, call_rows[row->parent].name,
						 strlen(call_rows[row->parent].name)), 0);
		if (n)
			assert_int_equal(row->note[n - 1], '.');
	}
}

/* x86-64 has the old calls, arm64 only the new ones: no canonical row may be one-sided. */
static void test_calls_of_one_isa_are_aliases_or_refused(void **state)
{
	for (unsigned id = 0; id < _CALL_MAX; id++) {
		const struct call_row *row = &call_rows[id];

		if (row_is_alias(row) || row->disposition == DISP_REFUSED)
			continue;
		if (id == CALL_GETDENTS || row->parent == CALL_ARCH_PRCTL) /* no newer form of the same layout */
			continue;
		for (int isa = 0; isa < _ISA_MAX; isa++)
			if (row->nr[isa] < 0)
				fail_msg("%s does not exist on %s", row->name, isa_descs[isa].name);
	}
}

static void test_enough_calls_work(void **state)
{
	unsigned n = 0;

	for (unsigned id = 0; id < _CALL_MAX; id++)
		if (!row_is_sub(&call_rows[id]) && row_works(&call_rows[id]))
			n++;
	assert_true(n >= SUPPORTED_MIN);
}

/* Named by what lighttpd, busybox, curl, coreutils, sqlite3 and redis call at their main jobs. */
static void test_calls_of_the_common_programs_work(void **state)
{
	static const long x86[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
		25, 26, 28, 32, 33, 34, 35, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
		53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 72, 73, 74, 75, 76, 77, 79, 80, 81, 82, 83, 84,
		85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 102, 104, 105, 106, 107,
		108, 110, 111, 112, 115, 116, 131, 157, 158, 186, 201, 202, 204, 217, 218, 221, 228, 229,
		230, 231, 232, 233, 234, 257, 262, 264, 270, 271, 273, 280, 281, 285, 288, 290, 291, 292,
		293, 302, 316, 318, 326, 332,
	};

	for (size_t i = 0; i < sizeof(x86) / sizeof(x86[0]); i++) {
		const struct call_row *row = call_row_of_nr(ISA_X86_64, x86[i]);

		assert_non_null(row);
		if (!row_works(row) && !(row->flags & CALL_PARENT))
			fail_msg("%s does not work", row->name);
	}
}

static void check_conv(const struct call_row *row, unsigned i)
{
	const struct call_row *canon = &call_rows[row->canonical];
	const struct conv *conv = &row->conv[i];

	if (conv->kind == CONV_CONST || conv->kind == CONV_ALARM_OLD)
		return;
	assert_in_range(conv->value, 0, row->n_args - 1);
	if (conv->kind != CONV_ARG)
		return;
	assert_int_equal(row->args[conv->value].kind, canon->args[i].kind);
	assert_int_equal(row->args[conv->value].dir, canon->args[i].dir);
	assert_int_equal(row->args[conv->value].what, canon->args[i].what);
}

static void test_aliases_convert_like_to_like(void **state)
{
	for (unsigned id = 0; id < _CALL_MAX; id++) {
		const struct call_row *row = &call_rows[id];

		for (unsigned i = 0; row_is_alias(row) && i < call_rows[row->canonical].n_args; i++)
			check_conv(row, i);
	}
}

static void test_alias_values(void **state)
{
	const struct call_row *row = &call_rows[CALL_LSTAT];

	assert_int_equal(row->canonical, CALL_NEWFSTATAT);
	assert_int_equal(row->conv[0].value, AT_FDCWD);
	assert_int_equal(row->conv[3].value, AT_SYMLINK_NOFOLLOW);
	row = &call_rows[CALL_CREAT];
	assert_int_equal(row->canonical, CALL_OPENAT);
	assert_int_equal(row->conv[2].value, O_CREAT | O_WRONLY | O_TRUNC);
	row = &call_rows[CALL_RMDIR];
	assert_int_equal(row->conv[2].value, AT_REMOVEDIR);
	row = &call_rows[CALL_POLL];
	assert_int_equal(row->canonical, CALL_PPOLL);
	assert_int_equal(row->conv[2].kind, CONV_MS);
}

static void test_flags_both_ways(void **state)
{
	assert_true(flags_to_canon(FLAGS_OPEN, ISA_AARCH64, 040000) == 0200000); /* O_DIRECTORY */
	assert_true(flags_to_canon(FLAGS_OPEN, ISA_AARCH64, 0100000) == 0400000); /* O_NOFOLLOW */
	assert_true(flags_to_canon(FLAGS_OPEN, ISA_AARCH64, 0200000) == 040000); /* O_DIRECT */
	assert_true(flags_to_canon(FLAGS_OPEN, ISA_AARCH64, 0400000) == 0100000); /* O_LARGEFILE */
	assert_true(flags_to_canon(FLAGS_OPEN, ISA_X86_64, 0200000) == 0200000);
	assert_true(flags_to_canon(FLAGS_OPEN, ISA_AARCH64, 020000000 | 040000 | 2) ==
		    (020000000 | 0200000 | 2)); /* O_TMPFILE|O_RDWR */
	/* Each value of 20 bits comes back, and unknown bits stay where they are. */
	for (uint64_t v = 0; v < 1u << 20; v++)
		for (int isa = 0; isa < _ISA_MAX; isa++)
			if (flags_from_canon(FLAGS_OPEN, isa, flags_to_canon(FLAGS_OPEN, isa, v)) != v)
				fail_msg("%#lx changes on %s", (unsigned long)v, isa_descs[isa].name);
	assert_true(flags_to_canon(FLAGS_OPEN, ISA_AARCH64, 1ull << 40) == 1ull << 40);
}

static void test_structs(void **state)
{
	for (unsigned id = 0; id < _STRUCT_MAX; id++) {
		const struct struct_spec *s = &struct_specs[id];
		unsigned off = 0;

		assert_true(s->n_fields > 0);
		for (unsigned i = 0; i < s->n_fields; i++) {
			const struct field_spec *f = &s->fields[i];

			assert_int_equal(f->canon_off, off);
			off += f->canon_size;
			for (int isa = 0; isa < _ISA_MAX; isa++) {
				assert_true(f->off[isa] + f->size[isa] <= s->size[isa]);
				if (f->kind != FIELD_IGNORED)
					assert_true(f->size[isa] <= f->canon_size);
			}
		}
		assert_int_equal(off, s->canon_size);
	}
}

static void test_epoll_event_is_packed_on_x86_only(void **state)
{
	const struct struct_spec *s = &struct_specs[STRUCT_EPOLL_EVENT];

	assert_int_equal(s->size[ISA_X86_64], 12);
	assert_int_equal(s->size[ISA_AARCH64], 16);
	assert_int_equal(s->fields[1].kind, FIELD_COOKIE);
	assert_int_equal(s->fields[1].off[ISA_AARCH64], 8);
}

static void test_digest(void **state)
{
	assert_int_equal(strlen(CALLS_TABLE_DIGEST), 32);
	assert_int_equal(strspn(CALLS_TABLE_DIGEST, "0123456789abcdef"), 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_every_row_is_found_by_its_number),
		cmocka_unit_test(test_sub_calls),
		cmocka_unit_test(test_every_sub_call_is_found),
		cmocka_unit_test(test_dup2_of_equal_descriptors),
		cmocka_unit_test(test_rows_are_consistent),
		cmocka_unit_test(test_names_of_sub_calls_and_notes),
		cmocka_unit_test(test_calls_of_one_isa_are_aliases_or_refused),
		cmocka_unit_test(test_enough_calls_work),
		cmocka_unit_test(test_calls_of_the_common_programs_work),
		cmocka_unit_test(test_aliases_convert_like_to_like),
		cmocka_unit_test(test_alias_values),
		cmocka_unit_test(test_flags_both_ways),
		cmocka_unit_test(test_structs),
		cmocka_unit_test(test_epoll_event_is_packed_on_x86_only),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
