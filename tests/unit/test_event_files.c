/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on files, between all pairs of ISAs. */
#include "event_fixture.h"

#include <sys/stat.h>

/* Values by the layouts of asm/stat.h, written down here once more. */
static void poke_stat(struct side *s, size_t off)
{
	memset(s->bytes + off, 0, s->isa == ISA_X86_64 ? 144 : 128);
	poke64(s, off, 0x801);
	poke64(s, off + 8, 123456789012);
	if (s->isa == ISA_X86_64) {
		poke64(s, off + 16, 3); /* st_nlink */
		poke32(s, off + 24, S_IFREG | 0640);
		poke32(s, off + 28, 1000);
		poke32(s, off + 32, 100);
		poke64(s, off + 40, 0);
	} else {
		poke32(s, off + 16, S_IFREG | 0640);
		poke32(s, off + 20, 3);
		poke32(s, off + 24, 1000);
		poke32(s, off + 28, 100);
		poke64(s, off + 32, 0);
	}
	poke64(s, off + 48, 1u << 30);
	if (s->isa == ISA_X86_64)
		poke64(s, off + 56, 4096);
	else
		poke32(s, off + 56, 4096);
	poke64(s, off + 64, 2097152);
	poke64(s, off + 72, 1700000000);
	poke64(s, off + 80, 999999999);
	poke64(s, off + 88, 1700000001);
	poke64(s, off + 104, 1700000002);
}

PAIR_TEST(fstat_fills_the_followers_layout)
{
	size_t size = f->isa == ISA_X86_64 ? 144 : 128;
	static struct side want;

	enter(l, "fstat", 3, at(l, 64));
	enter(f, "fstat", 3, at(f, 256));
	poke_stat(l, 64);
	assert_int_equal(replay(l, f, 0), 0);
	side_init(&want, f->isa, 0x7ff000230000);
	poke_stat(&want, 256);
	assert_memory_equal(f->bytes, want.bytes, sizeof(want.bytes));
	assert_int_equal(f->writes, size);
}

PAIR_TEST(a_failed_fstat_writes_nothing)
{
	enter(l, "fstat", 3, at(l, 64));
	enter(f, "fstat", 3, at(f, 256));
	assert_int_equal(replay(l, f, -EBADF), -EBADF);
	assert_int_equal(f->writes, 0);
	assert_int_equal(l->c.n_out, 0);
}

PAIR_TEST(openat_flags_agree)
{
	/* O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC, by the headers of each ISA */
	uint64_t flags[_ISA_MAX] = {0x10000 | 0x20000 | 0x80000, 0x4000 | 0x8000 | 0x80000};

	strcpy((char *)l->bytes + 100, "/var/www");
	strcpy((char *)f->bytes + 300, "/var/www");
	enter(l, "openat", (uint64_t)-100, at(l, 100), flags[l->isa], 0xdead);
	enter(f, "openat", 0xffffff9c, at(f, 300), flags[f->isa], 0xbeef);
	assert_int_equal(l->c.arg[2], 0x4000 * 4 + 0x8000 * 4 + 0x80000); /* asm-generic's */
	assert_int_equal(replay(l, f, 7), 7);
	enter(f, "openat", (uint64_t)-100, at(f, 300), flags[f->isa] | 1, 0);
	assert_int_equal(assert_differ(l, f).arg, 2);
}

PAIR_TEST(open_is_openat)
{
	struct call_new_fd fd;

	strcpy((char *)l->bytes + 100, "f");
	strcpy((char *)f->bytes + 100, "f");
	if (isa_has("open", l->isa))
		enter(l, "open", at(l, 100), 0x80041, 0644);
	else
		enter(l, "openat", (uint64_t)-100, at(l, 100), 0x80041, 0644);
	if (isa_has("open", f->isa))
		enter(f, "open", at(f, 100), 0x80041, 0644);
	else
		enter(f, "openat", (uint64_t)-100, at(f, 100), 0x80041, 0644);
	assert_int_equal(l->c.id, CALL_OPENAT);
	assert_int_equal(replay(l, f, 9), 9);
	assert_int_equal(call_new_fds(&l->c, &fd, 1), 1);
	assert_int_equal(fd.fd, 9);
	assert_true(fd.cloexec);
	/* With O_CREAT the mode counts. */
	enter(f, "openat", (uint64_t)-100, at(f, 100), 0x80041, 0600);
	assert_int_equal(assert_differ(l, f).arg, 3);
}

PAIR_TEST(fcntl_getfl_translates_its_result)
{
	/* O_RDWR|O_DIRECT|O_LARGEFILE */
	int64_t flags[_ISA_MAX] = {2 | 0x4000 | 0x8000, 2 | 0x10000 | 0x20000};

	enter(l, "fcntl$F_GETFL", 4, 3, 0x1234);
	enter(f, "fcntl$F_GETFL", 4, 3, 0x9999);
	assert_int_equal(replay(l, f, flags[l->isa]), flags[f->isa]);
}

PAIR_TEST(sub_calls_are_resolved)
{
	enter(l, "fcntl$F_SETFL", 4, 4, 0x800);
	enter(f, "fcntl$F_SETFL", 4, 4, 0x800);
	assert_same(l, f);
	enter(f, "fcntl$F_SETFD", 4, 2, 1);
	assert_int_equal(assert_differ(l, f).arg, -1);
}

static void poke_iov(struct side *s, size_t off, unsigned i, uint64_t base, uint64_t len)
{
	poke64(s, off + 16 * i, base);
	poke64(s, off + 16 * i + 8, len);
}

PAIR_TEST(readv_scatters_what_was_read)
{
	poke_iov(l, 64, 0, at(l, 1000), 5);
	poke_iov(l, 64, 1, at(l, 2000), 10);
	/* other pieces of the same size in all */
	poke_iov(f, 64, 0, at(f, 500), 4);
	poke_iov(f, 64, 1, at(f, 0), 0);
	poke_iov(f, 64, 2, at(f, 600), 11);
	enter(l, "readv", 3, at(l, 64), 2);
	enter(f, "readv", 3, at(f, 64), 2);
	assert_int_equal(assert_differ(l, f).arg, 1); /* room for 15 and 4 bytes */
	enter(f, "readv", 3, at(f, 64), 3);
	assert_int_equal(assert_differ(l, f).arg, 2);
	/* the count is compared; make it the same */
	poke_iov(f, 64, 1, at(f, 600), 11);
	enter(f, "readv", 3, at(f, 64), 2);
	poke(l, 1000, "hello", 5);
	poke(l, 2000, " world", 6);
	assert_int_equal(replay(l, f, 11), 11);
	assert_memory_equal(f->bytes + 500, "hell", 4);
	assert_memory_equal(f->bytes + 600, "o world", 7);
	assert_int_equal(f->writes, 11);
}

PAIR_TEST(writev_compares_bytes_not_pieces)
{
	struct call_mismatch m;

	poke_iov(l, 64, 0, at(l, 1000), 4);
	poke_iov(l, 64, 1, at(l, 2000), 3);
	poke(l, 1000, "HTTP", 4);
	poke(l, 2000, "/1.", 3);
	poke_iov(f, 64, 0, at(f, 1000), 1);
	poke_iov(f, 64, 1, at(f, 1001), 6);
	poke(f, 1000, "HTTP/1.", 7);
	enter(l, "writev", 1, at(l, 64), 2);
	enter(f, "writev", 1, at(f, 64), 2);
	assert_int_equal(replay(l, f, 7), 7);
	assert_int_equal(f->writes, 0);
	f->bytes[1005] = '2';
	enter(f, "writev", 1, at(f, 64), 2);
	m = assert_differ(l, f);
	assert_int_equal(m.arg, 1);
	assert_true(m.payload && m.exact);
	assert_int_equal(m.offset, 5);
	assert_int_equal(m.leader_value, '1');
	assert_int_equal(m.follower_value, '2');
}

PAIR_TEST(too_many_iovecs_are_a_fault)
{
	enter(l, "writev", 1, at(l, 64), 1025);
	enter(f, "writev", 1, at(f, 64), 1025);
	assert_int_equal(call_in_of(&l->c, 1)->form, PAYLOAD_FAULT);
	assert_int_equal(replay(l, f, -EINVAL), -EINVAL);
}

PAIR_TEST(read_gives_the_bytes_and_no_more)
{
	enter(l, "read", 3, at(l, 100), 64);
	enter(f, "read", 3, at(f, 200), 64);
	poke(l, 100, "data", 4);
	assert_int_equal(replay(l, f, 4), 4);
	assert_memory_equal(f->bytes + 200, "data", 4);
	assert_int_equal(f->writes, 4);
	/* end of file */
	assert_int_equal(replay(l, f, 0), 0);
	assert_int_equal(f->writes, 0);
}

PAIR_TEST(a_result_over_the_followers_buffer_is_refused)
{
	struct call_record c = {0};
	int64_t ret = 77;

	enter(l, "read", 3, at(l, 100), 64);
	side_exit(l, 64);
	pass_on(&l->c, &c);
	enter(f, "read", 3, at(f, 200), 16);
	assert_int_equal(call_apply_out(&f->cx, &f->n, &c, &ret), -EPROTO);
	assert_int_equal(f->writes, 0);
	assert_int_equal(ret, 77);
	/* another call's record */
	enter(f, "pread64", 3, at(f, 200), 64, 0);
	assert_int_equal(call_apply_out(&f->cx, &f->n, &c, &ret), -EPROTO);
	/* a follower that cannot take the bytes */
	enter(f, "read", 3, at(f, UNMAPPED_FROM * PAGE - 8), 64);
	assert_int_equal(call_apply_out(&f->cx, &f->n, &c, &ret), -EFAULT);
	/* a success without its bytes */
	c.n_out = 0;
	enter(f, "read", 3, at(f, 200), 64);
	assert_int_equal(call_apply_out(&f->cx, &f->n, &c, &ret), -EPROTO);
	call_record_free(&c);
}

PAIR_TEST(paths_end_at_page_borders)
{
	size_t border = UNMAPPED_FROM * PAGE;
	const struct payload *p;

	/* the NUL is the last accessible byte */
	strcpy((char *)l->bytes + border - 5, "/etc");
	strcpy((char *)f->bytes + 2 * PAGE - 2, "/etc");
	enter(l, "chdir", at(l, border - 5));
	enter(f, "chdir", at(f, 2 * PAGE - 2));
	assert_same(l, f);
	p = call_in_of(&l->c, 0);
	assert_int_equal(p->form, PAYLOAD_BYTES);
	assert_int_equal(p->len, 4);
	/* no NUL before the border: what could be read is there */
	memcpy(l->bytes + border - 4, "/etc", 4);
	enter(l, "chdir", at(l, border - 4));
	p = call_in_of(&l->c, 0);
	assert_int_equal(p->form, PAYLOAD_FAULT);
	assert_int_equal(p->len, 4);
	assert_int_equal(assert_differ(l, f).arg, 0);
	/* nothing readable at all */
	enter(f, "chdir", at(f, border));
	assert_int_equal(call_in_of(&f->c, 0)->form, PAYLOAD_FAULT);
	assert_differ(l, f);
	enter(l, "chdir", 8);
	assert_same(l, f);
	assert_int_equal(replay(l, f, -EFAULT), -EFAULT);
}

PAIR_TEST(long_paths_are_cut)
{
	memset(l->bytes + PAGE + 10, 'a', 2 * PAGE);
	memset(f->bytes + PAGE + 99, 'a', 2 * PAGE);
	enter(l, "chdir", at(l, PAGE + 10));
	enter(f, "chdir", at(f, PAGE + 99));
	assert_int_equal(call_in_of(&l->c, 0)->len, 4096);
	assert_same(l, f);
}

PAIR_TEST(buffers_end_at_page_borders)
{
	size_t border = UNMAPPED_FROM * PAGE;

	enter(l, "write", 1, at(l, border - 100), 200);
	assert_int_equal(call_in_of(&l->c, 1)->form, PAYLOAD_FAULT);
	assert_int_equal(call_in_of(&l->c, 1)->len, 100);
	enter(l, "write", 1, at(l, border - 9000), 10000);
	assert_int_equal(call_in_of(&l->c, 1)->form, PAYLOAD_FAULT);
	assert_int_equal(call_in_of(&l->c, 1)->len, 9000);
	assert_int_equal(call_in_of(&l->c, 1)->size, 3 * PAYLOAD_DIGEST_SIZE);
	memcpy(f->bytes, l->bytes, sizeof(f->bytes));
	enter(f, "write", 1, at(f, border - 9000), 10000);
	assert_same(l, f);
	f->bytes[border - 100] ^= 1;
	enter(f, "write", 1, at(f, border - 9000), 10000);
	assert_int_equal(assert_differ(l, f).offset, 8192);
}

PAIR_TEST(absurd_sizes_are_bounded)
{
	struct side *s = l;

	/* nothing can be there: the kernel says EFAULT or EINVAL, and so may it */
	enter(s, "write", 1, at(s, 0), UINT64_MAX);
	assert_int_equal(call_in_of(&s->c, 1)->form, PAYLOAD_FAULT);
	side_resolve(s, "write", (const uint64_t[CALL_ARGS_MAX]){1, at(s, 0), PAYLOAD_MAX + 1});
	assert_int_equal(call_capture_in(&s->cx, &s->n, &s->c), -E2BIG);
}

PAIR_TEST(openat2_tells_the_size_of_its_struct)
{
	strcpy((char *)l->bytes + 100, "f");
	strcpy((char *)f->bytes + 100, "f");
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = i ? f : l;

		poke64(s, 64, s->isa == ISA_X86_64 ? 0x10000 : 0x4000); /* O_DIRECTORY */
		poke64(s, 72, 0);
		poke64(s, 80, s->base); /* beyond the size of the first two calls */
		enter(s, "openat2", (uint64_t)-100, at(s, 100), at(s, 64), 16);
	}
	assert_same(l, f);
	enter(l, "openat2", (uint64_t)-100, at(l, 100), at(l, 64), 24);
	enter(f, "openat2", (uint64_t)-100, at(f, 100), at(f, 64), 24);
	assert_int_equal(assert_differ(l, f).arg, 2);
}

/* A longer struct than the table's: zeros mean nothing, all else counts. */
PAIR_TEST(openat2_of_a_later_kernel)
{
	strcpy((char *)l->bytes + 100, "f");
	strcpy((char *)f->bytes + 100, "f");
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = i ? f : l;

		memset(s->bytes + 200, 0, 64);
		enter(s, "openat2", (uint64_t)-100, at(s, 100), at(s, 200), 64);
	}
	assert_same(l, f);
	f->bytes[200 + 50] = 1;
	enter(f, "openat2", (uint64_t)-100, at(f, 100), at(f, 200), 64);
	assert_int_equal(assert_differ(l, f).arg, 2);
	l->bytes[200 + 50] = 1;
	enter(l, "openat2", (uint64_t)-100, at(l, 100), at(l, 200), 64);
	assert_same(l, f);
	enter(f, "openat2", (uint64_t)-100, at(f, 100), at(f, 200), 40);
	assert_int_equal(assert_differ(l, f).arg, 2);
}

PAIR_TEST(sched_setattr_holds_its_size)
{
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = i ? f : l;

		memset(s->bytes + 64, 0, 48);
		poke32(s, 64, 48); /* its first version; what follows is not part of it */
		enter(s, "sched_setattr", 0, at(s, 64), 0);
	}
	assert_same(l, f);
	poke32(f, 64 + 16, 7);
	enter(f, "sched_setattr", 0, at(f, 64), 0);
	assert_int_equal(assert_differ(l, f).arg, 1);
}

/* A message of System V is a long and as many bytes as counted. */
PAIR_TEST(messages_have_a_type)
{
	poke64(l, 64, 7);
	poke64(f, 96, 7);
	poke(l, 72, "text", 4);
	poke(f, 104, "text", 4);
	enter(l, "msgsnd", 3, at(l, 64), 4, 0);
	enter(f, "msgsnd", 3, at(f, 96), 4, 0);
	assert_same(l, f);
	poke64(f, 96, 8);
	enter(f, "msgsnd", 3, at(f, 96), 4, 0);
	assert_int_equal(assert_differ(l, f).offset, 0);
	enter(l, "msgrcv", 3, at(l, 64), 100, 0, 0);
	enter(f, "msgrcv", 3, at(f, 96), 100, 0, 0);
	poke64(f, 96, 0);
	memset(f->bytes + 104, '#', 8);
	assert_int_equal(replay(l, f, 4), 4);
	assert_int_equal(peek64(f, 96), 7);
	assert_memory_equal(f->bytes + 104, "text####", 8);
}

/* The value of a signal: an integer is compared, without the half of the union that it leaves as it
 * was; an address is the variant's own. */
PAIR_TEST(values_of_signals)
{
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = i ? f : l;

		memset(s->bytes + 64, 0, 128);
		poke64(s, 64 + 24, 77 | (uint64_t)(i + 1) << 32);
		enter(s, "rt_sigqueueinfo", 5, 34, at(s, 64));
	}
	assert_same(l, f);
	poke64(f, 64 + 24, 78);
	enter(f, "rt_sigqueueinfo", 5, 34, at(f, 64));
	assert_int_equal(assert_differ(l, f).arg, 2);
	poke64(f, 64 + 24, at(f, 4096));
	enter(f, "rt_sigqueueinfo", 5, 34, at(f, 64));
	assert_int_equal(assert_differ(l, f).arg, 2);
	poke64(l, 64 + 24, at(l, 512));
	enter(l, "rt_sigqueueinfo", 5, 34, at(l, 64));
	assert_same(l, f);
}

PAIR_TEST(new_pipe_ends_are_named)
{
	struct call_new_fd fds[2];

	enter(l, "pipe2", at(l, 64), 0x80000);
	enter(f, "pipe2", at(f, 96), 0x80000);
	poke32(l, 64, 11);
	poke32(l, 68, 12);
	assert_int_equal(replay(l, f, 0), 0);
	assert_int_equal(peek32(f, 96), 11);
	assert_int_equal(peek32(f, 100), 12);
	assert_int_equal(call_new_fds(&l->c, fds, 2), 2);
	assert_int_equal(fds[1].fd, 12);
	assert_true(fds[0].cloexec);
}

PAIR_TEST(scalars_are_32_bits_where_the_kernel_looks_at_32)
{
	enter(l, "ftruncate", 0xabc00000003, 77);
	enter(f, "ftruncate", 3, 77);
	assert_same(l, f);
	enter(f, "ftruncate", 3, 77 | 1ull << 40);
	assert_int_equal(assert_differ(l, f).arg, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fstat_fills_the_followers_layout),
		cmocka_unit_test(a_failed_fstat_writes_nothing),
		cmocka_unit_test(openat_flags_agree),
		cmocka_unit_test(open_is_openat),
		cmocka_unit_test(fcntl_getfl_translates_its_result),
		cmocka_unit_test(sub_calls_are_resolved),
		cmocka_unit_test(readv_scatters_what_was_read),
		cmocka_unit_test(writev_compares_bytes_not_pieces),
		cmocka_unit_test(too_many_iovecs_are_a_fault),
		cmocka_unit_test(read_gives_the_bytes_and_no_more),
		cmocka_unit_test(a_result_over_the_followers_buffer_is_refused),
		cmocka_unit_test(paths_end_at_page_borders),
		cmocka_unit_test(long_paths_are_cut),
		cmocka_unit_test(buffers_end_at_page_borders),
		cmocka_unit_test(absurd_sizes_are_bounded),
		cmocka_unit_test(openat2_tells_the_size_of_its_struct),
		cmocka_unit_test(openat2_of_a_later_kernel),
		cmocka_unit_test(sched_setattr_holds_its_size),
		cmocka_unit_test(messages_have_a_type),
		cmocka_unit_test(values_of_signals),
		cmocka_unit_test(new_pipe_ends_are_named),
		cmocka_unit_test(scalars_are_32_bits_where_the_kernel_looks_at_32),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
