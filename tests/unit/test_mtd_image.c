/* SPDX-License-Identifier: Apache-2.0 */
/* The check of linked files: it finds each kind of difference that would break a program that moves. */
#include "unit.h"

#include "base/cleanup.h"
#include "mtd/image/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/chiral-image-XXXXXX";

/* Links a source with .data at MTD_DATA, .text at MTD_TEXT. */
static void make(const char *name, const char *source)
{
	cleanup_free char *command = NULL;
	FILE *f;

	assert_true(asprintf(&command,
			     "gcc -x c -O1 -fno-toplevel-reorder -fno-pic -no-pie -nostdlib -static "
			     "-fno-asynchronous-unwind-tables -Wl,--build-id=none -Wl,-z,noseparate-code "
			     "-Wl,-Ttext=0x10000000 -Wl,-Tdata=0x20000000 -Wl,-Tbss=0x20001000 -w "
			     "-o %s/%s -",
			     folder, name) > 0);
	f = popen(command, "w");
	assert_non_null(f);
	fputs(source, f);
	assert_int_equal(pclose(f), 0);
}

static int check(const char *a, const char *b)
{
	char path[2][64];
	const char *files[] = { path[0], path[1] };

	snprintf(path[0], sizeof(path[0]), "%s/%s", folder, a);
	snprintf(path[1], sizeof(path[1]), "%s/%s", folder, b);
	return image_check(files);
}

#define START "void _start(void) { }\n"

static int setup(void **state)
{
	assert_non_null(mkdtemp(folder));
	make("good", "int a = 1, b = 2; int zero[10];" START);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "good", "bytes", "place", "size", "more", "thunk", "data" };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

static void test_equal(void **state)
{
	assert_int_equal(check("good", "good"), 0);
}

static void test_different(void **state)
{
	make("bytes", "int a = 1, b = 3; int zero[10];" START);
	assert_int_equal(check("good", "bytes"), -EINVAL);
	make("place", "int b = 2, a = 1; int zero[10];" START);
	assert_int_equal(check("good", "place"), -EINVAL);
	make("size", "int a = 1, b = 2; int zero[11];" START);
	assert_int_equal(check("good", "size"), -EINVAL);
	make("more", "int a = 1, b = 2; int zero[10]; int more;" START);
	assert_int_equal(check("good", "more"), -EINVAL);
	assert_int_equal(check("more", "good"), -EINVAL);
	make("thunk", "int a = 1, b = 2; int zero[10];" START "void __AArch64ADRPThunk_a(void) { }");
	assert_int_equal(check("thunk", "thunk"), -EINVAL);
	/* Bytes without a symbol. */
	make("data", "int a = 1, b = 2; int zero[10];" START
		     "__asm__(\".data\\n.long 7\\n.text\\n\");");
	assert_int_equal(check("good", "data"), -EINVAL);
}

static void test_no_program(void **state)
{
	assert_true(check("good", "none") < 0);
	assert_true(image_check((const char *const[]){ "/etc/passwd", "/etc/passwd" }) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_different),
		cmocka_unit_test(test_no_program),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
