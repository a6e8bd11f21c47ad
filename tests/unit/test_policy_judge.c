/* SPDX-License-Identifier: Apache-2.0 */
/* What rules say about calls of this very process: kinds of descriptors, names, and which rule wins. */
#include "unit.h"

#include "policy/policy.h"
#include "policy/judge.h"
#include "policy/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct policy policy;
static struct policy_index indexed;

static void use(const char *rules)
{
	char text[1024];

	policy_free(&policy);
	snprintf(text, sizeof(text), "rules:\n%s", rules);
	assert_int_equal(policy_read("test", text, strlen(text), &policy), 0);
	policy_index_init(&indexed, &policy.rules);
}

static struct policy_judgement judge_fd(enum call_id id, int fd)
{
	struct call_record c = { .id = (uint16_t)id, .arg = { (uint64_t)(int64_t)fd } };

	return policy_judge(&indexed, getpid(), &c);
}

static struct policy_judgement judge_path(int dirfd, const char *path)
{
	struct call_record c = { .id = CALL_OPENAT, .arg = { (uint64_t)(int64_t)dirfd, 1 } };
	struct policy_judgement j;

	c.n_in = 1;
	c.in[0] = (struct payload){ .arg = 1, .form = PAYLOAD_BYTES, .len = (uint32_t)strlen(path),
				    .size = (uint32_t)strlen(path) };
	put_bytes(&c.bytes, path, strlen(path));
	j = policy_judge(&indexed, getpid(), &c);
	call_record_free(&c);
	return j;
}

static void is_of_kind(int fd, enum descriptor_kind kind)
{
	assert_true(fd >= 0);
	for (int i = 0; i < _DESCRIPTOR_KIND_MAX; i++) {
		char rule[128];

		snprintf(rule, sizeof(rule), "  - {descriptors: [%s], level: lockstep}\n",
			 descriptor_kind_name(i));
		use(rule);
		assert_int_equal(judge_fd(CALL_WRITE, fd).level == RULE_LEVEL_LOCKSTEP, (int)kind == i);
	}
	close(fd);
}

static void test_kinds(void **state)
{
	int ends[2];

	is_of_kind(socket(AF_UNIX, SOCK_STREAM, 0), DESCRIPTOR_SOCKET);
	assert_int_equal(pipe(ends), 0);
	is_of_kind(ends[0], DESCRIPTOR_PIPE);
	close(ends[1]);
	is_of_kind(posix_openpt(O_RDWR | O_NOCTTY), DESCRIPTOR_TTY);
	is_of_kind(open("/proc/self/exe", O_RDONLY), DESCRIPTOR_FILE);
	is_of_kind(memfd_create("x", 0), DESCRIPTOR_FILE);
	is_of_kind(open("/", O_RDONLY | O_DIRECTORY), DESCRIPTOR_DIRECTORY);
	is_of_kind(open("/dev/null", O_RDONLY), DESCRIPTOR_DEVICE);
	is_of_kind(epoll_create1(0), DESCRIPTOR_EVENT);
	is_of_kind(eventfd(0, 0), DESCRIPTOR_EVENT);
}

static void test_no_descriptor(void **state)
{
	use("  - {descriptors: [socket, pipe, tty, file, directory, device, event], refuse: EPERM}\n");
	assert_int_equal(judge_fd(CALL_WRITE, 9999).verdict, RULE_ALLOW);
	assert_int_equal(judge_fd(CALL_WRITE, -1).verdict, RULE_ALLOW);
	assert_int_equal(judge_fd(CALL_GETPID, 0).verdict, RULE_ALLOW);
}

/* Another process's table that cannot be read: the strict answer. */
static void test_unknown_is_strict(void **state)
{
	struct subject s = { .tid = 1, .call = &(struct call_record){ .id = CALL_WRITE } };

	if (geteuid() == 0)
		skip();
	assert_int_equal(subject_kinds(&s), UINT8_MAX);
}

static void test_names(void **state)
{
	char folder[] = "/tmp/chiral-judge-XXXXXX", path[256];
	int fd;

	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(mkdir("real", 0700), 0);
	assert_int_equal(symlink("real", "link"), 0);
	snprintf(path, sizeof(path), "  - {paths: ['%s/real', /etc/*.conf], refuse: EACCES}\n", folder);
	use(path);
	assert_int_equal(judge_path(AT_FDCWD, "real").verdict, RULE_REFUSE);
	assert_int_equal(judge_path(AT_FDCWD, "real/new").err, EACCES);
	assert_int_equal(judge_path(AT_FDCWD, "./x/..//real/new").verdict, RULE_REFUSE);
	assert_int_equal(judge_path(AT_FDCWD, "link/new").verdict, RULE_REFUSE);
	assert_int_equal(judge_path(AT_FDCWD, "really").verdict, RULE_ALLOW);
	assert_int_equal(judge_path(AT_FDCWD, "").verdict, RULE_ALLOW);
	assert_int_equal(judge_path(AT_FDCWD, "/etc/host.conf").verdict, RULE_REFUSE);
	assert_int_equal(judge_path(AT_FDCWD, "/etc/../etc//host.conf").verdict, RULE_REFUSE);
	assert_int_equal(judge_path(AT_FDCWD, "/proc/self/cwd/real/x").verdict, RULE_REFUSE);
	assert_int_equal(judge_path(AT_FDCWD, "/etc/apt/sources.conf").verdict, RULE_ALLOW);
	fd = open("real", O_RDONLY | O_DIRECTORY);
	assert_int_equal(judge_path(fd, "new").verdict, RULE_REFUSE);
	assert_int_equal(judge_path(fd, "../other").verdict, RULE_ALLOW);
	assert_int_equal(judge_path(fd, "/other").verdict, RULE_ALLOW);
	close(fd);
	fd = open("real/file", O_RDWR | O_CREAT, 0600);
	assert_int_equal(judge_fd(CALL_WRITE, fd).verdict, RULE_REFUSE);
	close(fd);
	unlink("real/file");
	rmdir("real");
	unlink("link");
	assert_int_equal(chdir("/"), 0);
	rmdir(folder);
}

static void test_strictest_wins(void **state)
{
	use("  - {calls: [write, read, lseek], level: async}\n"
	    "  - {calls: [write, read], level: lockstep}\n"
	    "  - {calls: [write], refuse: EPERM}\n"
	    "  - {calls: [write], refuse: EIO}\n"
	    "  - {calls: [getrusage], refuse: end}\n"
	    "  - {calls: [getrusage], refuse: EPERM}\n");
	assert_int_equal(judge_fd(CALL_LSEEK, 0).level, RULE_LEVEL_ASYNC);
	assert_int_equal(judge_fd(CALL_READ, 0).level, RULE_LEVEL_LOCKSTEP);
	assert_int_equal(judge_fd(CALL_READ, 0).verdict, RULE_ALLOW);
	assert_int_equal(judge_fd(CALL_WRITE, 0).verdict, RULE_REFUSE);
	assert_int_equal(judge_fd(CALL_WRITE, 0).err, EPERM);
	assert_int_equal(judge_fd(CALL_GETRUSAGE, 0).verdict, RULE_END);
	assert_int_equal(judge_fd(CALL_FSTAT, 0).level, RULE_LEVEL_NONE);
}

static void normalises(const char *from, const char *to)
{
	char path[64];

	strcpy(path, from);
	path_normalise(path);
	assert_string_equal(path, to);
}

static void test_normalise(void **state)
{
	normalises("/", "/");
	normalises("//", "/");
	normalises("/a/./b//c/", "/a/b/c");
	normalises("/a/../../b", "/b");
	normalises("/a/b/..", "/a");
	normalises("/..a/.b", "/..a/.b");
}

static void test_patterns(void **state)
{
	assert_true(pattern_matches("/a", "/a"));
	assert_true(pattern_matches("/a", "/a/b/c"));
	assert_false(pattern_matches("/a", "/ab"));
	assert_true(pattern_matches("/a/*", "/a/b/c"));
	assert_false(pattern_matches("/a/*", "/a"));
	assert_false(pattern_matches("/*.x", "/a/b.x"));
	assert_true(pattern_matches("/*/b.x", "/a/b.x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_no_descriptor),
		cmocka_unit_test(test_unknown_is_strict),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_strictest_wins),
		cmocka_unit_test(test_normalise),
		cmocka_unit_test(test_patterns),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	policy_free(&policy);
	return r;
}
