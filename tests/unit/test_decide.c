/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls are compared, and what they do to the table of local descriptors. */
#include "unit.h"

#include "event/event.h"
#include "variant/decide.h"
#include "variant/localpath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static char *extra[] = { "/srv/data", "/opt/tool/", NULL };
static const struct loader loader = { 0x1000, 0x2000 };

struct call {
	struct native_call n;
	struct call_record c;
};

static struct call call_of(enum call_id id)
{
	struct call k = { .n = { .isa = ISA_X86_64, .row = &call_rows[id], .canon = &call_rows[id] } };

	k.c.id = (uint16_t)id;
	return k;
}

static struct call call_on_path(enum call_id id, unsigned arg, const char *path)
{
	struct call k = call_of(id);

	k.c.in[k.c.n_in++] = (struct payload){
		.arg = (uint8_t)arg,
		.form = PAYLOAD_BYTES,
		.len = (uint32_t)strlen(path),
		.size = (uint32_t)strlen(path),
	};
	put_bytes(&k.c.bytes, path, strlen(path));
	return k;
}

static enum decision decide(struct call *k, const struct vdt *t, bool by_loader)
{
	enum decision d;

	k->n.pc = by_loader ? loader.start : loader.end;
	d = call_decide(&k->n, &k->c, t, &loader, extra).decision;
	call_record_free(&k->c);
	return d;
}

static enum decision decide_open(const char *path, int flags, bool by_loader)
{
	struct call k = call_on_path(CALL_OPENAT, 1, path);
	struct vdt *t = vdt_new();
	enum decision d;

	k.c.arg[0] = (uint64_t)AT_FDCWD;
	k.c.arg[2] = (uint64_t)flags;
	d = decide(&k, t, by_loader);
	vdt_free(t);
	return d;
}

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		bool by_loader, by_program;
	} expected[] = {
		{ "/etc/ld.so.cache", true, false },
		{ "/etc/ld.so.cache/", false, false },
		{ "/etc/ld-musl-x86_64.path", true, false },
		{ "/lib/x86_64-linux-gnu/libc.so.6", true, false },
		{ "/usr/lib/aarch64-linux-gnu/libc.so.6", true, false },
		{ "/lib/x86_64-linux-gnu/../../etc/passwd", false, false },
		{ "/lib/x86_64-linux-gnu/..", false, false },
		{ "/opt/program/bin/../lib/libown.so.1", true, false },
		{ "/opt/program/bin/../lib/libown.so.1/../secret", false, false },
		{ "lib/x86_64-linux-gnu/libc.so.6", false, false },
		{ "", false, false },
		{ "/etc/passwd", false, false },
		{ "/srv/data", true, true },
		{ "/srv/data/a/b", true, true },
		{ "/srv/database", false, false },
		{ "/srv/data/../other", false, false },
		{ "/opt/tool/x", true, true },
		{ "/opt/toolbox", false, false },
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_int_equal(decide_open(expected[i].path, O_RDONLY, true) == DECIDE_LOCAL,
				 expected[i].by_loader);
		assert_int_equal(decide_open(expected[i].path, O_RDONLY, false) == DECIDE_LOCAL,
				 expected[i].by_program);
	}
}

/* The loader asks whether there is a folder below a program's DT_RUNPATH. */
static void test_folders_of_libraries(void **state)
{
	static const char *const paths[] = { "/usr/lib/man-db/tls/x86_64", "/opt/own", "relative" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct vdt *t = vdt_new();
		struct call k = call_on_path(CALL_NEWFSTATAT, 1, paths[i]);

		assert_int_equal(decide(&k, t, true) == DECIDE_LOCAL, paths[i][0] == '/');
		k = call_on_path(CALL_NEWFSTATAT, 1, paths[i]);
		assert_int_equal(decide(&k, t, false), DECIDE_COMPARE);
		assert_int_equal(decide_open(paths[i], O_RDONLY, true), DECIDE_COMPARE);
		vdt_free(t);
	}
}

/* The C library's malloc in any thread; a program that prints it asks in another way. */
static void test_setting_of_malloc(void **state)
{
	static const char path[] = "/proc/sys/vm/overcommit_memory";

	assert_int_equal(decide_open(path, O_RDONLY | O_CLOEXEC, false), DECIDE_LOCAL);
	assert_int_equal(decide_open(path, O_RDONLY, false), DECIDE_COMPARE);
	assert_int_equal(decide_open(path, O_WRONLY | O_CLOEXEC, false), DECIDE_COMPARE);
	assert_int_equal(decide_open("/proc/sys/vm/overcommit_ratio", O_RDONLY | O_CLOEXEC, false),
			 DECIDE_COMPARE);
}

static void test_python_modules(void **state)
{
	static const struct {
		const char *path;
		bool python, other;
	} expected[] = {
		{ "/usr/lib/python3.11/lib-dynload", true, false },
		{ "/usr/lib/python3.11/lib-dynload/_json.so", true, false },
		{ "/usr/lib/python3.11/lib-dynload/../x", false, false },
		{ "/usr/lib/python3.11/lib-dynloads", false, false },
		{ "/usr/lib/python3.11/json", false, false },
		{ "/usr/lib/python3", false, false },
		{ "/home/lib-dynload/x", false, false },
	};
	struct vdt *t = vdt_new();

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		struct loader python = { .python = true };
		struct call k = call_on_path(CALL_OPENAT, 1, expected[i].path);

		k.c.arg[0] = (uint64_t)AT_FDCWD;
		assert_int_equal(call_decide(&k.n, &k.c, t, &python, NULL).decision == DECIDE_LOCAL,
				 expected[i].python);
		call_record_free(&k.c);
		assert_int_equal(decide_open(expected[i].path, O_RDONLY, false) == DECIDE_LOCAL,
				 expected[i].other);
	}
	vdt_free(t);
}

static void test_writing_is_compared(void **state)
{
	static const int flags[] = { O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_RDWR | O_CREAT | O_TRUNC };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		assert_int_equal(decide_open("/srv/data/x", flags[i], true), DECIDE_COMPARE);
	assert_int_equal(decide_open("/srv/data/x", O_RDONLY | O_CLOEXEC, true), DECIDE_LOCAL);
}

/* A name below a local directory may be looked at, not opened, and not left. */
static void test_relative_names(void **state)
{
	struct vdt *t = vdt_new();
	struct call k;

	vdt_set_local(t, 5, false);
	k = call_on_path(CALL_OPENAT, 1, "file");
	k.c.arg[0] = 5;
	assert_int_equal(decide(&k, t, true), DECIDE_COMPARE);
	k = call_on_path(CALL_NEWFSTATAT, 1, "file");
	k.c.arg[0] = 5;
	assert_int_equal(decide(&k, t, false), DECIDE_LOCAL);
	k = call_on_path(CALL_NEWFSTATAT, 1, "");
	k.c.arg[0] = 5;
	assert_int_equal(decide(&k, t, false), DECIDE_LOCAL);
	k = call_on_path(CALL_NEWFSTATAT, 1, "../../etc/shadow");
	k.c.arg[0] = 5;
	assert_int_equal(decide(&k, t, false), DECIDE_COMPARE);
	k = call_on_path(CALL_NEWFSTATAT, 1, "file");
	k.c.arg[0] = 6;
	assert_int_equal(decide(&k, t, false), DECIDE_COMPARE);
	vdt_free(t);
}

static void test_changes_by_descriptor(void **state)
{
	static const enum call_id changes[] = { CALL_WRITE, CALL_FCHMOD, CALL_FCHOWN, CALL_FTRUNCATE,
						CALL_FSETXATTR, CALL_IOCTL_FS_IOC_SETFLAGS };
	struct vdt *t = vdt_new();
	struct call k = call_of(CALL_READ);

	vdt_set_local(t, 3, false);
	k.c.arg[0] = 3;
	assert_int_equal(decide(&k, t, false), DECIDE_LOCAL);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		k = call_of(changes[i]);
		k.c.arg[0] = 3;
		assert_int_equal(decide(&k, t, false), DECIDE_COMPARE);
	}
	vdt_free(t);
}

static void test_clone_flags(void **state)
{
	static const uint64_t refused[] = { CLONE_UNTRACED, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET,
					    CLONE_PIDFD };
	struct vdt *t = vdt_new();
	struct call k = call_of(CALL_CLONE);

	k.c.arg[0] = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
	assert_int_equal(decide(&k, t, false), DECIDE_COMPARE);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		k = call_of(CALL_CLONE);
		k.c.arg[0] = refused[i] | 17;
		assert_int_equal(decide(&k, t, false), DECIDE_REFUSE);
	}
	vdt_free(t);
}

static void test_memory(void **state)
{
	struct vdt *t = vdt_new();
	struct call k = call_of(CALL_MMAP);

	vdt_set_local(t, 3, false);
	k.c.arg[3] = MAP_PRIVATE | MAP_ANONYMOUS;
	assert_int_equal(decide(&k, t, false), DECIDE_LOCAL);
	k.c.arg[2] = PROT_EXEC;
	assert_int_equal(decide(&k, t, false), DECIDE_COMPARE);
	k.c.arg[3] = MAP_PRIVATE;
	k.c.arg[4] = 3;
	assert_int_equal(decide(&k, t, false), DECIDE_LOCAL);
	k.c.arg[4] = 4;
	assert_int_equal(decide(&k, t, false), DECIDE_COMPARE);
	vdt_free(t);
}

static void local_effect(struct vdt *t, enum call_id id, uint64_t arg0, uint64_t arg2, int64_t ret)
{
	struct call k = call_of(id);

	k.c.arg[0] = arg0;
	k.c.arg[2] = arg2;
	call_local_effects(&k.n, &k.c, ret, t);
}

static void test_local_descriptors(void **state)
{
	struct vdt *t = vdt_new();

	local_effect(t, CALL_OPENAT, 0, 0, 3);
	local_effect(t, CALL_OPENAT, 0, O_CLOEXEC, 4);
	local_effect(t, CALL_OPENAT, 0, 0, -ENOENT);
	local_effect(t, CALL_FCNTL_F_DUPFD, 3, 10, 10);
	local_effect(t, CALL_FCNTL_F_DUPFD_CLOEXEC, 3, 10, 11);
	local_effect(t, CALL_OPENAT, 0, 0, 5);
	local_effect(t, CALL_FCNTL_F_SETFD, 5, FD_CLOEXEC, 0);
	local_effect(t, CALL_OPENAT, 0, 0, 6);
	local_effect(t, CALL_IOCTL_FIOCLEX, 6, 0, 0);
	local_effect(t, CALL_OPENAT, 0, O_CLOEXEC, 7);
	local_effect(t, CALL_IOCTL_FIONCLEX, 7, 0, 0);
	for (int fd = 3; fd <= 7; fd++)
		assert_true(vdt_is_local(t, fd));
	assert_true(vdt_is_local(t, 10) && vdt_is_local(t, 11));
	assert_false(vdt_is_local(t, 8) || vdt_is_local(t, -1) || vdt_is_local(t, 1 << 30));
	vdt_exec(t);
	assert_true(vdt_is_local(t, 3) && vdt_is_local(t, 7) && vdt_is_local(t, 10));
	for (int fd = 4; fd <= 6; fd++)
		assert_false(vdt_is_local(t, fd));
	assert_false(vdt_is_local(t, 11));
	local_effect(t, CALL_CLOSE, 3, 0, 0);
	assert_false(vdt_is_local(t, 3));
	vdt_free(t);
}

/* A virtual descriptor takes the number of a local one: from then on its calls are compared. */
static void test_replaced_descriptors(void **state)
{
	struct vdt *t = vdt_new(), *copy;
	const int32_t pair[2] = { 5, 6 };
	struct call k = call_of(CALL_DUP3);

	for (int fd = 3; fd < 40; fd++)
		vdt_set_local(t, fd, false);
	k.c.has_exit = true;
	k.c.ret = 4;
	call_virtual_effects(&k.c, t);
	assert_false(vdt_is_local(t, 4));

	k = call_of(CALL_PIPE2);
	k.c.has_exit = true;
	k.c.out[k.c.n_out++] = (struct payload){ 0, PAYLOAD_BYTES, sizeof(pair), 0, sizeof(pair) };
	put_bytes(&k.c.bytes, pair, sizeof(pair));
	call_virtual_effects(&k.c, t);
	call_record_free(&k.c);
	assert_false(vdt_is_local(t, 5) || vdt_is_local(t, 6));

	k = call_of(CALL_CLOSE_RANGE);
	k.c.has_exit = true;
	k.c.arg[0] = 10;
	k.c.arg[1] = 20;
	k.c.arg[2] = CLOSE_RANGE_CLOEXEC;
	call_virtual_effects(&k.c, t);
	assert_true(vdt_is_local(t, 10));
	copy = vdt_copy(t);
	vdt_exec(copy);
	assert_false(vdt_is_local(copy, 10) || vdt_is_local(copy, 20));
	assert_true(vdt_is_local(copy, 9) && vdt_is_local(copy, 21));
	k.c.arg[1] = UINT32_MAX;
	k.c.arg[2] = 0;
	call_virtual_effects(&k.c, t);
	assert_true(vdt_is_local(t, 9));
	assert_false(vdt_is_local(t, 10) || vdt_is_local(t, 39));
	vdt_free(copy);
	vdt_free(t);
}

static void test_cookies(void **state)
{
	struct vdt *t = vdt_new(), *copy;

	assert_int_equal(vdt_epoll_object(t, 3, 77), -1);
	assert_int_equal(vdt_epoll_register(t, 3, 5, 77), 0);
	assert_int_equal(vdt_epoll_register(t, 4, 5, 78), 0);
	assert_int_equal(vdt_epoll_object(t, 3, 77), 5);
	assert_int_equal(vdt_epoll_object(t, 4, 77), -1);
	assert_int_equal(vdt_epoll_cookie(t, 4, 5), 78);
	/* the newest registration owns a cookie that two share */
	assert_int_equal(vdt_epoll_register(t, 3, 6, 77), 0);
	assert_int_equal(vdt_epoll_object(t, 3, 77), 6);
	assert_int_equal(vdt_epoll_cookie(t, 3, 5), 77);
	copy = vdt_copy(t);
	assert_int_equal(vdt_epoll_register(t, 3, 6, 80), 0);
	assert_int_equal(vdt_epoll_object(t, 3, 77), -1);
	assert_int_equal(vdt_epoll_cookie(copy, 3, 6), 77);
	vdt_free(copy);
	vdt_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_folders_of_libraries),
		cmocka_unit_test(test_setting_of_malloc),
		cmocka_unit_test(test_python_modules),
		cmocka_unit_test(test_writing_is_compared),
		cmocka_unit_test(test_relative_names),
		cmocka_unit_test(test_changes_by_descriptor),
		cmocka_unit_test(test_clone_flags),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_local_descriptors),
		cmocka_unit_test(test_replaced_descriptors),
		cmocka_unit_test(test_cookies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
