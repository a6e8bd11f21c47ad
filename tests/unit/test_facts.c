/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes know of their files: on the wire, and compared. */
#include "unit.h"

#include "isa/isa.h"
#include "session/facts.h"

#include <stdio.h>
#include <string.h>

/* Strings are "" for what is not known. */
static void add(struct facts *f, enum fact_role role, const char *name, const char *package,
		const char *version, const char *id)
{
	struct fact *v = facts_add(f, role, name, name);

	assert_non_null(v);
	assert_int_equal(fact_set_package(v, package, version), 0);
	v->id_size = (uint8_t)strlen(id);
	v->id_kind = !*id ? FACT_ID_NONE : role == FACT_SCRIPT ? FACT_ID_DIGEST : FACT_ID_BUILD;
	memcpy(v->id, id, v->id_size);
}

static struct facts lighttpd(enum isa isa, const char *version, const char *libc, const char *id)
{
	struct facts f = { .isa = (uint8_t)isa };

	add(&f, FACT_PROGRAM, "/usr/sbin/lighttpd", "lighttpd", version, id);
	add(&f, FACT_LOADER, isa == ISA_X86_64 ? "/lib64/ld" : "/lib/ld", "libc6", libc, "");
	add(&f, FACT_LIBRARY, "libc.so.6", "libc6", libc, "");
	return f;
}

struct said {
	unsigned refused, warned;
	char text[4096];
};

static void hear(void *arg, bool refuse, const char *text)
{
	struct said *s = arg;

	s->refused += refuse;
	s->warned += !refuse;
	strncat(s->text, text, sizeof(s->text) - strlen(s->text) - 1);
}

/* Frees both. */
static struct said compare(struct facts a, struct facts b)
{
	struct said s = { 0 };

	facts_compare(&a, "here", &b, "there", hear, &s);
	facts_free(&a);
	facts_free(&b);
	return s;
}

static void finds(struct facts a, struct facts b, unsigned refused, unsigned warned,
		  const char *contains)
{
	struct said s = compare(a, b);

	assert_int_equal(s.refused, refused);
	assert_int_equal(s.warned, warned);
	assert_non_null(strstr(s.text, contains));
}

static void test_versions(void **state)
{
	finds(lighttpd(ISA_X86_64, "1-1", "2", "a"), lighttpd(ISA_AARCH64, "1-1", "2", "b"), 0, 0, "");
	finds(lighttpd(ISA_X86_64, "1-1+b2", "2", "a"), lighttpd(ISA_AARCH64, "1-1", "2", "b"), 0, 0,
	      "");
	finds(lighttpd(ISA_X86_64, "1-1", "2", "a"), lighttpd(ISA_AARCH64, "1-2", "2", "b"), 1, 0,
	      "'/usr/sbin/lighttpd' is lighttpd 1-1 on here, but lighttpd 1-2 on there");
	finds(lighttpd(ISA_X86_64, "1-1+bpo2", "2", "a"), lighttpd(ISA_AARCH64, "1-1", "2", "b"), 1,
	      0, "1-1+bpo2");
	finds(lighttpd(ISA_X86_64, "1-1+b", "2", "a"), lighttpd(ISA_AARCH64, "1-1", "2", "b"), 1, 0,
	      "1-1+b");
	/* A node that has not been updated lately can go on. */
	finds(lighttpd(ISA_X86_64, "1-1", "2", "a"), lighttpd(ISA_AARCH64, "1-1+deb12u1", "2", "b"), 0,
	      1, "lighttpd 1-1+deb12u1 on there");
	finds(lighttpd(ISA_X86_64, "1-1~deb12u2+b1", "2", "a"),
	      lighttpd(ISA_AARCH64, "1-1~deb12u10", "2", "b"), 0, 1, "1-1~deb12u10 on there");
	finds(lighttpd(ISA_X86_64, "1-2+deb12u1", "2", "a"),
	      lighttpd(ISA_AARCH64, "1-1+deb12u1", "2", "b"), 1, 0, "1-2+deb12u1 on here");
	finds(lighttpd(ISA_X86_64, "1-1+deb12", "2", "a"), lighttpd(ISA_AARCH64, "1-1", "2", "b"), 1,
	      0, "1-1+deb12");
	finds(lighttpd(ISA_X86_64, "1", "2", "a"), lighttpd(ISA_AARCH64, "", "2", "b"), 1, 0, "");
	/* One warning for all that comes from one package. */
	finds(lighttpd(ISA_X86_64, "1-1", "2.36", "a"), lighttpd(ISA_AARCH64, "1-1", "2.41", "b"), 0,
	      1, "libraries on here and there differ");
	finds(lighttpd(ISA_X86_64, "1-1", "2.36", "a"), lighttpd(ISA_AARCH64, "1-1", "2.41", "b"), 0,
	      1, "attack: /lib64/ld of libc6 2.36 and libc6 2.41");
}

static void test_builds(void **state)
{
	/* Of one ISA the build id says it, whatever the versions. */
	finds(lighttpd(ISA_X86_64, "1-1", "2", "a"), lighttpd(ISA_X86_64, "1-1", "2", "a"), 0, 0, "");
	finds(lighttpd(ISA_X86_64, "1-1", "2", "a"), lighttpd(ISA_X86_64, "1-2", "2", "a"), 0, 0, "");
	finds(lighttpd(ISA_X86_64, "1-1", "2", "a"), lighttpd(ISA_X86_64, "1-1", "2", "b"), 1, 0,
	      "build ids");
	finds(lighttpd(ISA_X86_64, "1-1", "2", ""), lighttpd(ISA_X86_64, "1-1", "2", "b"), 0, 0, "");
}

static void test_no_package(void **state)
{
	struct facts a = { .isa = ISA_X86_64 }, b = { .isa = ISA_AARCH64 };

	add(&a, FACT_PROGRAM, "/opt/x", "", "", "a");
	add(&b, FACT_PROGRAM, "/opt/x", "", "", "b");
	finds(a, b, 0, 0, "");
	a = b = (struct facts){ 0 };
	b.isa = ISA_AARCH64;
	add(&a, FACT_PROGRAM, "/opt/x", "", "", "a");
	add(&b, FACT_PROGRAM, "/opt/x", "x", "7", "b");
	finds(a, b, 0, 1, "x 7 on there, and of no package on here");
}

static void test_scripts(void **state)
{
	struct facts a = { .isa = ISA_X86_64 }, b = { .isa = ISA_AARCH64 };

	add(&a, FACT_SCRIPT, "/srv/s", "", "", "one");
	add(&a, FACT_PROGRAM, "/bin/sh", "dash", "1", "a");
	add(&b, FACT_SCRIPT, "/srv/s", "", "", "two");
	add(&b, FACT_PROGRAM, "/bin/sh", "dash", "1", "b");
	finds(a, b, 1, 0, "the script '/srv/s' has other bytes on here than on there");
	a = b = (struct facts){ 0 };
	add(&a, FACT_SCRIPT, "/srv/s", "", "", "one");
	add(&b, FACT_PROGRAM, "/srv/s", "", "", "b");
	finds(a, b, 1, 0, "'/srv/s' is a script on here and an ELF program on there");
}

static void test_missing_library(void **state)
{
	struct facts a = lighttpd(ISA_X86_64, "1", "2", "a"), b = lighttpd(ISA_AARCH64, "1", "2", "b");

	add(&a, FACT_LIBRARY, "libonly.so.1", "", "", ""); /* that ISA needs it alone */
	add(&a, FACT_LIBRARY, "libx.so.1", "", "", "");
	assert_non_null(facts_add(&b, FACT_LIBRARY, "libx.so.1", ""));
	finds(a, b, 1, 0, "needs libx.so.1, which is on here, but not on there");
}

static void test_many_libraries(void **state)
{
	struct facts a = { .isa = ISA_X86_64 }, b = { .isa = ISA_AARCH64 };

	add(&a, FACT_PROGRAM, "/x", "", "", "");
	add(&b, FACT_PROGRAM, "/x", "", "", "");
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "lib%d", i);
		add(&a, FACT_LIBRARY, name, name, "1", "");
		add(&b, FACT_LIBRARY, name, name, "2", "");
	}
	finds(a, b, 0, 1, "lib7 of lib7 1 and lib7 2, and 12 more");
}

static void test_wire(void **state)
{
	struct facts f = lighttpd(ISA_AARCH64, "1", "2", "id"), got, copy;
	struct writer w = { 0 };
	struct reader r;

	facts_encode(&w, &f);
	r = reader_of(w.data, w.len);
	facts_decode(&r, &got);
	assert_true(reader_done(&r));
	assert_int_equal(got.isa, ISA_AARCH64);
	assert_int_equal(got.n, 3);
	assert_string_equal(got.v[0].version, "1");
	assert_memory_equal(got.v[0].id, "id", 3);
	assert_int_equal(facts_copy(&got, &copy), 0);
	finds(got, copy, 0, 0, "");
	for (size_t n = 0; n < w.len; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, w.data, n);
		r = reader_of(exact, n);
		facts_decode(&r, &got);
		assert_false(reader_done(&r));
		assert_int_equal(got.n, 0);
		free(exact);
	}
	memset(w.data + 1, 0xff, 4); /* 2^32 - 1 files */
	r = reader_of(w.data, w.len);
	facts_decode(&r, &got);
	assert_true(r.failed);
	facts_free(&f);
	writer_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_builds),
		cmocka_unit_test(test_no_package),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_missing_library),
		cmocka_unit_test(test_many_libraries),
		cmocka_unit_test(test_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
