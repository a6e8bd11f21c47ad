/* SPDX-License-Identifier: Apache-2.0 */
/* dpkg's database, as a folder of this test's own. */
#include "unit.h"

#include "variant/packages.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static const char *const files[] = { "status", "info/lighttpd.list", "info/libc6:amd64.list",
				     "info/libc6:amd64.md5sums", "info/gone.list" };

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int make(void **state)
{
	char info[80];

	strcpy(dir, "/tmp/chiral-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(info, sizeof(info), "%s/info", dir);
	mkdir(info, 0755);
	write_file("status", "Package: libc6\nStatus: install ok installed\nDescription: has a\n"
			     " Version: of its own\nVersion: 2.36-9\n\n"
			     "Package: lighttpd\nVersion: 1.4.69-1\n\n"
			     "Package: lighttpd-doc\nVersion: 7");
	write_file("info/lighttpd.list", "/.\n/usr\n/usr/sbin\n/usr/sbin/lighttpd\n/etc/x");
	write_file("info/libc6:amd64.list", "/lib/x86_64-linux-gnu/libc.so.6\n/usr/bin/ldd\n");
	write_file("info/libc6:amd64.md5sums", "/usr/bin/other\n");
	write_file("info/gone.list", "/usr/bin/gone\n");
	return 0;
}

static int unmake(void **state)
{
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/info", dir);
	rmdir(path);
	return rmdir(dir);
}

static void package_is(const char *path, const char *package, const char *version)
{
	struct facts f = { 0 };

	assert_non_null(facts_add(&f, FACT_PROGRAM, "other", "/nowhere"));
	assert_non_null(facts_add(&f, FACT_LIBRARY, "name", path));
	assert_int_equal(packages_find(dir, &f), 0);
	assert_string_equal(f.v[0].package, "");
	assert_string_equal(f.v[1].package, package);
	assert_string_equal(f.v[1].version, version);
	facts_free(&f);
}

static void test_found(void **state)
{
	package_is("/usr/sbin/lighttpd", "lighttpd", "1.4.69-1");
	package_is("/etc/x", "lighttpd", "1.4.69-1"); /* the last line has no end */
	package_is("/usr/bin/ldd", "libc6", "2.36-9");
	/* /lib is a link to /usr/lib. */
	package_is("/usr/lib/x86_64-linux-gnu/libc.so.6", "libc6", "2.36-9");
}

static void test_not_found(void **state)
{
	package_is("", "", "");
	package_is("/usr/sbin/lighttp", "", "");
	package_is("/usr/sbin/lighttpd2", "", "");
	package_is("/usr/bin/other", "", "");	/* not in a list */
	package_is("/usr/bin/gone", "", "");	/* not in status */
}

static void test_no_database(void **state)
{
	struct facts f = { 0 };

	assert_non_null(facts_add(&f, FACT_PROGRAM, "a", "/usr/bin/ldd"));
	assert_int_equal(packages_find("/nowhere/at/all", &f), 0);
	assert_string_equal(f.v[0].package, "");
	facts_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_no_database),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
