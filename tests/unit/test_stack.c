/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of live processes: healthy, smashed, endless, and of a program whose ELF file lies. With
 * an argument this program is the one that is looked at.
 */
#include "unit.h"

#include "base/cleanup.h"
#include "variant/proc.h"
#include "variant/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define KEEP_FRAME __asm__ volatile("" ::: "memory") /* no tail call */

/* ---- what is looked at ---- */

void inner_wait(void);
void middle_step(void);
void outer_start(void);
int recurse(int n);

__attribute__((noipa)) void inner_wait(void)
{
	for (;;)
		pause();
}

__attribute__((noipa)) void middle_step(void)
{
	inner_wait();
	KEEP_FRAME;
}

__attribute__((noipa)) void outer_start(void)
{
	middle_step();
	KEEP_FRAME;
}

__attribute__((noipa)) int recurse(int n)
{
	if (n == 0)
		inner_wait();
	else
		n += recurse(n - 1);
	KEEP_FRAME;
	return n;
}

/* Overwrites everything from here to the stack's end, then waits: pause() itself still has its
 * frame. Its caller's return address is gone on x86-64; on arm64 it lies below the array, its
 * caller's is. */
__attribute__((noipa, no_sanitize("address"))) static void smash(int fill)
{
	volatile char here[16];
	struct proc_maps maps = { 0 };
	const struct proc_map *m;
	volatile char *p = here, *end;

	if (proc_maps_read(getpid(), &maps) < 0)
		_exit(1);
	m = proc_maps_find(&maps, (uint64_t)(uintptr_t)here);
	end = (volatile char *)(uintptr_t)m->end;
	while (p < end)
		*p++ = (char)(fill < 0 ? rand() : fill);
	for (;;)
		pause();
}

static void a_signal(int sig)
{
	inner_wait();
	KEEP_FRAME;
}

static void be(const char *what)
{
	if (!strcmp(what, "smash"))
		smash(0x41);
	if (!strcmp(what, "random"))
		smash(-1);
	if (!strcmp(what, "deep"))
		recurse(5000);
	if (!strcmp(what, "signal")) {
		signal(SIGUSR1, a_signal);
		raise(SIGUSR1);
	}
	if (!strcmp(what, "spin"))
		for (;;)
			KEEP_FRAME;
	outer_start();
}

/* ---- helpers ---- */

static char *self;

/* Starts path as that program and waits until it sleeps (or, for "spin", runs). */
static pid_t start(const char *path, const char *what)
{
	pid_t pid = fork();
	char state = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		execl(path, path, what, NULL);
		_exit(127);
	}
	for (int i = 0; i < 2000; i++) {
		usleep(2000);
		assert_int_equal(proc_state(pid, &state), 0);
		if (state == 'S' && i > 20)
			return pid;
		if (!strcmp(what, "spin") && i > 50)
			return pid;
	}
	fail_msg("%s does not settle", what);
	return -1;
}

static void stop(pid_t pid)
{
	int status;

	assert_int_equal(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	assert_true(WIFSTOPPED(status));
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) == pid)
		;
}

/* Unwinds and checks what holds for any stack: time, number of lines, their form. */
static int unwind(pid_t pid, bool stopped, struct strv *s)
{
	struct timespec a, b;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &a);
	r = stack_unwind(pid, stopped, s);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 1000);
	if (r < 0)
		return r;
	assert_in_range(s->n, 1, STACK_FRAMES_MAX + 1);
	assert_int_equal(strncmp(s->v[0], "#0  0x", 6), 0);
	return 0;
}

/* Index of the first frame at or behind from that names function, or -1. */
static int frame_of(const struct strv *s, size_t from, const char *function)
{
	for (size_t i = from; i < s->n; i++) {
		char *at = strstr(s->v[i], function);

		if (at && at[strlen(function)] == '+')
			return (int)i;
	}
	return -1;
}

static void assert_nested(const struct strv *s)
{
	int inner = frame_of(s, 0, "inner_wait");

	assert_true(inner > 0);
	assert_int_equal(frame_of(s, 0, "middle_step"), inner + 1);
	assert_int_equal(frame_of(s, 0, "outer_start"), inner + 2);
	assert_true(frame_of(s, (size_t)inner, "main") > inner + 2);
	assert_non_null(strstr(s->v[0], "(libc.so.6)"));
	assert_non_null(strstr(s->v[inner], strrchr(self, '/') + 1));
}

/* ---- tests ---- */

static void test_nested(void **state)
{
	struct strv s cleanup(strv_free) = { 0 };
	pid_t pid = start(self, "nested");

	stop(pid);
	assert_int_equal(unwind(pid, true, &s), 0);
	assert_nested(&s);
	end(pid);
}

static void test_not_stopped(void **state)
{
	struct strv s cleanup(strv_free) = { 0 };
	pid_t pid = start(self, "nested");

	assert_int_equal(unwind(pid, false, &s), 0);
	assert_non_null(strstr(s.v[0], "(libc.so.6)"));
	assert_true(frame_of(&s, 0, "inner_wait") > 0);
	end(pid);
	assert_int_equal(stack_unwind(pid, false, &s), -ESRCH);
	assert_int_equal(stack_unwind(pid, true, &s), -ESRCH);
}

static void test_running(void **state)
{
	struct strv s cleanup(strv_free) = { 0 };
	pid_t pid = start(self, "spin");

	assert_int_equal(stack_unwind(pid, false, &s), -EBUSY);
	assert_int_equal(s.n, 0);
	stop(pid);
	assert_int_equal(unwind(pid, true, &s), 0);
	assert_true(frame_of(&s, 0, "main") >= 0);
	end(pid);
}

/* Through a handler's frame to what the signal interrupted. */
static void test_signal(void **state)
{
	struct strv s cleanup(strv_free) = { 0 };
	pid_t pid = start(self, "signal");
	int handler;

	stop(pid);
	assert_int_equal(unwind(pid, true, &s), 0);
	handler = frame_of(&s, 0, "a_signal");
	assert_true(handler > 0);
	assert_true(frame_of(&s, (size_t)handler, "raise") > handler);
	assert_true(frame_of(&s, (size_t)handler, "main") > handler);
	end(pid);
}

static void test_deep(void **state)
{
	struct strv s cleanup(strv_free) = { 0 };
	pid_t pid = start(self, "deep");

	stop(pid);
	assert_int_equal(unwind(pid, true, &s), 0);
	assert_int_equal(s.n, STACK_FRAMES_MAX + 1);
	assert_non_null(strstr(s.v[STACK_FRAMES_MAX - 1], "recurse+"));
	assert_non_null(strstr(s.v[STACK_FRAMES_MAX], "more frames"));
	end(pid);
}

static void check_smashed(const char *how)
{
	struct strv s cleanup(strv_free) = { 0 };
	pid_t pid = start(self, how);
	bool seen = false;

	stop(pid);
	assert_int_equal(unwind(pid, true, &s), 0);
	/* What is still known is told, what the attacker wrote is not taken for a function. */
	assert_true(frame_of(&s, 0, "smash") > 0);
	assert_int_equal(frame_of(&s, 0, "__libc_start_main"), -1);
	for (size_t i = 0; i < s.n; i++)
		seen |= strstr(s.v[i], "0x4141414141414141 ? (in no file)") != NULL;
	assert_int_equal(seen, !strcmp(how, "smash"));
	end(pid);
}

static void test_smashed(void **state)
{
	check_smashed("smash");
	for (int i = 0; i < 3; i++)
		check_smashed("random");
}

static size_t read_self(uint8_t **ret)
{
	cleanup_close int fd = open(self, O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	*ret = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, *ret, (size_t)st.st_size), st.st_size);
	return (size_t)st.st_size;
}

/* e_shoff: what the kernel loads ends before the section headers; symbols and debug information are
 * between the two, so that the last 40 % of the file can say anything and the program still runs.
 */
static void test_lying_file(void **state)
{
	char path[] = "/tmp/test_stack.XXXXXX";
	uint8_t *image;
	size_t n = read_self(&image);
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	srand(7);
	for (int round = 0; round < 12; round++) {
		struct strv s cleanup(strv_free) = { 0 };
		cleanup_free uint8_t *copy = malloc(n);
		cleanup_close int out = -1;
		pid_t pid;

		memcpy(copy, image, n);
		for (int k = 0; k < 1 << round; k++)
			copy[n - 1 - (size_t)rand() % (round & 1 ? n * 4 / 10 : 64 * 38)] =
				(uint8_t)rand();
		unlink(path);
		out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
		assert_int_equal(write(out, copy, n), n);
		close(take_fd(&out));
		pid = start(path, "nested");
		stop(pid);
		assert_int_equal(unwind(pid, true, &s), 0);
		end(pid);
	}
	unlink(path);
	free(image);
}

/* The file is gone, or another one has its name. */
static void test_removed_file(void **state)
{
	char path[] = "/tmp/test_stack.XXXXXX";
	struct strv s cleanup(strv_free) = { 0 };
	uint8_t *image;
	size_t n = read_self(&image);
	int fd = mkostemp(path, O_CLOEXEC);
	pid_t pid;

	assert_int_equal(write(fd, image, n), n);
	fchmod(fd, 0700);
	close(fd);
	free(image);
	pid = start(path, "nested");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	stop(pid);
	assert_int_equal(unwind(pid, true, &s), 0);
	assert_non_null(strstr(s.v[0], "libc.so.6"));
	end(pid);
	unlink(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_not_stopped),
		cmocka_unit_test(test_running),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_smashed),
		cmocka_unit_test(test_lying_file),
		cmocka_unit_test(test_removed_file),
	};

	if (argc > 1) {
		be(argv[1]);
		return 1;
	}
	self = realpath("/proc/self/exe", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
