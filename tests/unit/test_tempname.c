/* SPDX-License-Identifier: Apache-2.0 */
/* Which differing names are the C library's own, and that the follower's memory gets the leader's. */
#include "unit.h"

#include "replay/tempname.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define EXCL (O_RDWR | O_CREAT | O_EXCL)

static const uint8_t key[SESSION_KEY_SIZE];

static void capture(struct fthread *f, enum call_id id, const char *path, int flags,
		    struct call_record *ret)
{
	f->native = (struct native_call){
		.isa = isa_native,
		.nr = call_rows[id].nr[isa_native],
		.arg = { (uint64_t)AT_FDCWD, (uintptr_t)path, (uint64_t)flags, 0600 },
	};
	assert_int_equal(call_resolve(&f->native), 0);
	assert_int_equal(call_capture_in(&f->cx, &f->native, ret), 0);
}

static struct fthread *thread_of(bool read_clock)
{
	static struct fthread f;

	f.read_clock = read_clock;
	mem_process_init(&f.mem, getpid());
	f.cx = (struct call_ctx){ .isa = isa_native, .mem = &f.mem.mem, .key = key };
	return &f;
}

static bool adopts(bool read_clock, enum call_id id, int flags, const char *leader, const char *follower)
{
	struct fthread *f = thread_of(read_clock);
	struct call_mismatch m;
	char path[64];
	bool adopted;

	strcpy(path, follower);
	capture(f, id, leader, flags, &f->leader);
	capture(f, id, path, flags, &f->call);
	assert_false(call_equal(&f->leader, &f->call, &m));
	adopted = tempname_adopt(f, &m);
	assert_string_equal(path, adopted ? leader : follower);
	assert_int_equal(call_equal(&f->leader, &f->call, &m), adopted);
	return adopted;
}

static void test_names(void **state)
{
	static const struct {
		const char *leader, *follower;
		bool adopted;
	} expected[] = {
		{ "/tmp/tmp.a1b2c3", "/tmp/tmp.X9Y8Z7", true },
		{ "/tmp/tmp.aaaaaa", "/tmp/tmp.aaaaab", true },
		{ "sedAbCdEf", "sed012345", true },
		{ "x.abcdef.c", "x.ABCDEF.c", true },
		{ "/tmp/tmp.abcdefghij", "/tmp/tmp.ABCDEFGHIJ", true },
		{ "/tmp/tmp.abcdefghijk", "/tmp/tmp.ABCDEFGHIJK", false }, /* too many */
		{ "/tmp/tmp.abcdef", "/tmp/tmp.abcde", false },
		{ "/tmp/tmp.abcde.", "/tmp/tmp.ABCDE_", false },
		{ "/tmp/abcdef/x", "/tmp/ABCDEF/x", false }, /* not the last component */
		{ "/tmp/abc/def", "/tmp/abcXdef", false },
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const char *l = expected[i].leader, *f = expected[i].follower;

		assert_int_equal(adopts(true, CALL_OPENAT, EXCL, l, f), expected[i].adopted);
		assert_int_equal(adopts(true, CALL_MKDIRAT, 0700, l, f), expected[i].adopted);
		assert_false(adopts(false, CALL_OPENAT, EXCL, l, f));
		assert_false(adopts(true, CALL_OPENAT, O_RDWR | O_CREAT, l, f));
		assert_false(adopts(true, CALL_OPENAT, O_RDONLY, l, f));
		assert_false(adopts(true, CALL_UNLINKAT, 0, l, f));
	}
}

static void test_retry(void **state)
{
	struct fthread *f = thread_of(true);
	struct call_record random = { .id = CALL_GETRANDOM, .arg = { 1, 8, GRND_NONBLOCK } };

	capture(f, CALL_OPENAT, "x", EXCL, &f->call);
	assert_true(tempname_is_retry(f, &random, &f->call));
	f->read_clock = false;
	assert_false(tempname_is_retry(f, &random, &f->call));
	f->read_clock = true;
	random.arg[1] = 16;
	assert_false(tempname_is_retry(f, &random, &f->call));
	random.arg[1] = 8;
	capture(f, CALL_OPENAT, "x", O_RDONLY, &f->call);
	assert_false(tempname_is_retry(f, &random, &f->call));
	assert_false(tempname_is_retry(f, &f->call, &random));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_retry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
