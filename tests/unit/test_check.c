/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chiral check believes the kernel: the same machine, with one call refused by a filter, lacks what
 * that call gives, and only that. What is there natively depends on the machine, so that each case
 * is compared with the run without a filter.
 */
#include "unit.h"

#include "base/cleanup.h"
#include "cli/cli.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void refuse(int nr, int err)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(filter), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		_exit(99);
}

/* What the command prints, and its exit status. nr: a call that fails with err, -1 for none. */
static char *run(int nr, int err, char *option, int *ret_status)
{
	char *argv[] = { (char *)"check", option, NULL }, *text = calloc(1, 1 << 16);
	size_t n = 0;
	int fd[2], status;
	ssize_t r;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		if (nr >= 0)
			refuse(nr, err);
		r = cmd_check(option ? 2 : 1, argv);
		fflush(stdout);
		_exit((int)r);
	}
	close(fd[1]);
	while ((r = read(fd[0], text + n, (1 << 16) - 1 - n)) > 0)
		n += (size_t)r;
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	*ret_status = WEXITSTATUS(status);
	return text;
}

/* Whether the line of a check says "ok"; the line must be there once. */
static bool is_ok(const char *text, const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "ok       %s ", name);
	at = strstr(text, key);
	if (at)
		return true;
	snprintf(key, sizeof(key), "missing  %s ", name);
	assert_non_null(strstr(text, key));
	return false;
}

static void check_without(int nr, int err, const char *name, const char *other, bool must)
{
	int before, after;
	cleanup_free char *with = run(-1, 0, NULL, &before);
	cleanup_free char *without = run(nr, err, NULL, &after);

	assert_false(is_ok(without, name));
	assert_non_null(strstr(without, strerror(err)));
	assert_non_null(strstr(strstr(without, name), "-> "));
	assert_int_equal(is_ok(without, other), is_ok(with, other));
	assert_int_equal(after, must ? 1 : before);
}

static void test_refused_calls(void **state)
{
	check_without(SYS_ptrace, EPERM, "ptrace", "notify", true);
	check_without(SYS_process_vm_writev, ENOSYS, "process-vm", "ptrace", true);
	check_without(SYS_pidfd_getfd, EPERM, "pidfd-getfd", "process-vm", true);
	check_without(SYS_close_range, ENOSYS, "close-range", "ptrace", true);
	check_without(SYS_bpf, EPERM, "bpf", "ptrace", false);
	check_without(SYS_userfaultfd, EPERM, "userfaultfd", "ptrace", false);
}

static void test_exit_status(void **state)
{
	int status;
	cleanup_free char *text = run(-1, 0, NULL, &status);
	const char *should = strstr(text, "should have");
	const char *missing = strstr(text, "missing  ");

	assert_non_null(should);
	assert_int_equal(status, missing && missing < should ? 1 : 0);
}

static void test_json(void **state)
{
	int status, text_status;
	cleanup_free char *json = run(-1, 0, (char *)"--json", &status);
	cleanup_free char *text = run(-1, 0, NULL, &text_status);
	cleanup_free char *lacking = NULL;

	assert_int_equal(status, text_status);
	assert_non_null(
		strstr(json, "{\"checks\":[{\"name\":\"ptrace\",\"grade\":\"must\",\"ok\":"));
	assert_non_null(strstr(json, status ? "],\"ok\":false}\n" : "],\"ok\":true}\n"));
	lacking = run(SYS_ptrace, EPERM, (char *)"--json", &status);
	assert_int_equal(status, 1);
	assert_non_null(strstr(lacking, "{\"name\":\"ptrace\",\"grade\":\"must\",\"ok\":false,"));
	assert_non_null(strstr(lacking, "\"error\":\"Operation not permitted\",\"remedy\":\""));
}

static void test_wrong_use(void **state)
{
	int status;

	free(run(-1, 0, (char *)"--no-such-option", &status));
	assert_int_equal(status, EXIT_OWN_FAILURE);
	free(run(-1, 0, (char *)"argument", &status));
	assert_int_equal(status, EXIT_OWN_FAILURE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_calls),
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_wrong_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
