/* SPDX-License-Identifier: Apache-2.0 */
/* Points files, manifests, the numbers that decide when a program moves, cc's command line. */
#include "unit.h"

#include "mtd/cc/cc.h"
#include "mtd/config.h"
#include "mtd/manifest.h"
#include "mtd/points.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int parse(const char *text, struct mtd_points *ret, unsigned *line)
{
	const char *what;

	return mtd_points_parse(text, strlen(text), ret, line, &what);
}

static void test_points(void **state)
{
	const char text[] = "# comment\n\n  serve entry 12.5% 0.0001%\r\nflush\texit 100% # all\n"
			    "both entry,exit 50%\n* entry 1%";
	struct mtd_points p;
	unsigned line;

	assert_int_equal(parse(text, &p, &line), 0);
	assert_int_equal(p.n, 4);
	assert_string_equal(p.v[0].function, "serve");
	assert_true(p.v[0].entry && !p.v[0].exit);
	assert_int_equal(p.v[0].from_home, 125000);
	assert_int_equal(p.v[0].to_home, 1);
	assert_true(!p.v[1].entry && p.v[1].exit);
	assert_int_equal(p.v[1].from_home, MTD_MILLION);
	assert_true(p.v[2].entry && p.v[2].exit);
	assert_int_equal(p.v[2].to_home, 500000);
	assert_ptr_equal(mtd_points_find(&p, "both", true), &p.v[2]);
	assert_ptr_equal(mtd_points_find(&p, "other", false), &p.v[3]);
	assert_null(mtd_points_find(&p, "other", true));
	mtd_points_free(&p);
}

static void test_local_files(void **state)
{
	struct mtd_points p;
	unsigned line;

	assert_int_equal(parse("/etc/localtime\nserve\n /usr/share/zoneinfo/* # all\n/*", &p, &line), 0);
	assert_int_equal(p.n, 1);
	assert_memory_equal(p.local, "/etc/localtime\0/usr/share/zoneinfo/*\0/*\0", 42);
	mtd_points_free(&p);
	assert_int_equal(p.local_size, 0);
}

static void test_wrong_points(void **state)
{
	static const char *const wrong[] = {
		"f entry 101%", "f entry 5", "f entry %", "f entry .%", "f entry 1.00001%", "f entry -1%",
		"f sideways", "f entry 1% 2% 3%", "f/g", "f entry 1.2.3%", "f entry 99999999999%",
		"/", "//", "/a/", "/a//b", "/a/.", "/a/../b", "/./a", "/..", "/a/*b", "/*/a", "/a b", "/a**",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct mtd_points p = { 0 };
		unsigned line = 0;
		char text[64];

		snprintf(text, sizeof(text), "good\n%s\ngood\n", wrong[i]);
		assert_int_equal(parse(text, &p, &line), -EINVAL);
		assert_int_equal(line, 2);
		assert_null(p.v);
	}
}

static void test_manifest(void **state)
{
	const char text[] = "chiral-mtd 1\nbuild-id 0123456789abcdefFEDCBA9876543210\n"
			    "point 0 main entry\npoint 65535 serve entry,exit\n";
	struct mtd_manifest m;

	assert_int_equal(mtd_manifest_parse(text, strlen(text), &m), 0);
	assert_true(m.build_id[0] == 0x0123456789abcdef && m.build_id[1] == 0xfedcba9876543210);
	assert_int_equal(m.n, 2);
	assert_string_equal(m.points[1].function, "serve");
	assert_true(m.points[1].id == 65535 && m.points[1].entry && m.points[1].exit);
	mtd_manifest_free(&m);
	/* Every prefix that ends inside a line is wrong. */
	for (size_t n = 0; n < strlen(text); n++) {
		int r = mtd_manifest_parse(text, n, &m);

		if (r == 0)
			mtd_manifest_free(&m);
		assert_int_equal(r, n && text[n - 1] == '\n' && n > 13 ? 0 : -EINVAL);
	}
}

static void test_wrong_manifest(void **state)
{
	static const char *const wrong[] = {
		"point 65536 f entry", "point -1 f entry", "point 1 f", "point 1 f entry more", "point 1 f no",
		"points 1 f entry", "point  entry",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct mtd_manifest m;
		char text[128];

		snprintf(text, sizeof(text), "chiral-mtd 1\nbuild-id %032d\n%s\n", 7, wrong[i]);
		assert_int_equal(mtd_manifest_parse(text, strlen(text), &m), -EINVAL);
	}
}

/* The mean of a geometric number is (1 - p) / p; it is the sum of its digits' means. */
static void test_bits(void **state)
{
	static const uint32_t rates[] = { 1, 50, 2000, 100000, 500000, 999999 };

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		double p = rates[i] / 1e6, mean = 0;
		uint64_t bit[64];

		mtd_config_bits(rates[i], bit);
		for (int k = 0; k < 63; k++)
			mean += (double)bit[k] / 0x1p64 * (double)(1ull << k);
		assert_true(fabs(mean - (1 - p) / p) < 1e-6 * (1 - p) / p + 1e-9);
	}
}

static void test_certain(void **state)
{
	uint64_t bit[64];

	mtd_config_bits(MTD_MILLION, bit);
	for (int k = 0; k < 64; k++)
		assert_true(bit[k] == 0);
}

static void test_command_line(void **state)
{
	char *argv[] = { "cc", "-O2", "a.c", "-I", "inc", "-lm", "b.o", "-oprog", "-Wl,--a,b", "-L", "lib",
			 "--chiral-points=p", "-static", "-DX=1" };
	struct cc_request r;

	assert_int_equal(cc_parse(ARRAY_SIZE(argv), argv, &r), 0);
	assert_int_equal(r.mode, CC_LINK);
	assert_string_equal(r.output, "prog");
	assert_string_equal(r.points, "p");
	assert_int_equal(r.sources.n, 1);
	assert_int_equal(r.compile.n, 4);
	assert_int_equal(r.link.n, 7);
	assert_string_equal(r.link.v[0], "");
	assert_string_equal(r.link.v[2], "b.o");
	assert_string_equal(r.link.v[4], "b");
	assert_string_equal(r.link.v[6], "lib");
	cc_request_free(&r);
}

static void test_compile_line(void **state)
{
	char *compile[] = { "cc", "-c", "a.c" }, *shared[] = { "cc", "-shared", "a.o" };
	char *assembly[] = { "cc", "a.S" }, *missing[] = { "cc", "a.c", "-o" };
	struct cc_request r;

	assert_int_equal(cc_parse(3, compile, &r), 0);
	assert_int_equal(r.mode, CC_COMPILE);
	cc_request_free(&r);
	assert_int_equal(cc_parse(3, shared, &r), -EINVAL);
	assert_int_equal(cc_parse(2, assembly, &r), -EINVAL);
	assert_int_equal(cc_parse(3, missing, &r), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_points),	       cmocka_unit_test(test_local_files),
		       cmocka_unit_test(test_wrong_points),
		cmocka_unit_test(test_manifest),       cmocka_unit_test(test_wrong_manifest),
		cmocka_unit_test(test_bits),	       cmocka_unit_test(test_certain),
		cmocka_unit_test(test_command_line),   cmocka_unit_test(test_compile_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
