/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int log_fd, saved_stderr;

static void begin(void)
{
	log_fd = memfd_create("log", MFD_CLOEXEC);
	saved_stderr = dup(STDERR_FILENO);
	assert_true(log_fd >= 0 && saved_stderr >= 0);
	dup2(log_fd, STDERR_FILENO);
}

static const char *end(void)
{
	static char text[8192];
	ssize_t n;

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	n = pread(log_fd, text, sizeof(text) - 1, 0);
	close(log_fd);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static void test_forms(void **state)
{
	begin();
	assert_int_equal(log_errno(ENOENT, "cannot open %s", "x"), -ENOENT);
	assert_int_equal(log_errno(0, "nothing"), 0);
	log_error("e %d", 1);
	log_warn("w");
	log_info("i");
	log_set_name("chiral[leader]");
	log_info("named");
	log_set_name("chiral");
	assert_string_equal(end(), "chiral: error: cannot open x: No such file or directory\n"
				   "chiral: error: nothing\n"
				   "chiral: error: e 1\n"
				   "chiral: warning: w\n"
				   "chiral: i\n"
				   "chiral[leader]: named\n");
}

/* Whatever a peer sent: one line that does nothing to a terminal. */
static void test_harmless(void **state)
{
	begin();
	log_error("peer says %s", "\x1b[2J\x07\x7f \xc2\x9b" "31m \xc3\xa4\ttab\xff");
	assert_string_equal(end(),
			    "chiral: error: peer says ?[2J?? \xc2?31m \xc3\xa4\ttab\xff\n");
}

static void test_long(void **state)
{
	char text[5000];
	const char *line;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	begin();
	log_errno(EIO, "%s", text);
	line = end();
	assert_in_range(strlen(line), 2000, 2048);
	assert_int_equal(line[strlen(line) - 1], '\n');
}

static void test_errno_stays(void **state)
{
	begin();
	errno = EXDEV;
	log_error("x");
	assert_int_equal(errno, EXDEV);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_harmless),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_errno_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
