/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/cleanup.h"
#include "match/report.h"
#include "match/report_view.h"

#include <errno.h>

static const char HOSTILE[] = "\033]0;owned\007\r\n\x80\xff\"\\";

/* Everything set, every list full. */
static void fill(struct report *r)
{
	report_init(r, REPORT_DIVERGENCE_PAYLOAD);
	r->time = (struct timespec){ 1790000000, 7 };
	memset(r->session, 0xab, sizeof(r->session));
	r->action = ACTION_KILL;
	r->tid = 3;
	r->position = 1203;
	r->threads = 4;
	r->has_mismatch = true;
	r->mismatch =
		(struct call_mismatch){.arg = 1,
				       .payload = true,
				       .exact = true,
				       .offset = 17,
				       .leader_value = 0x41,
				       .follower_value = 0x42,
				       .text = "argument 2 (buf) differs at byte 17: 0x41 / 0x42"};
	report_set_program(r, "/usr/sbin/lighttpd");
	report_set_node(r, SIDE_LEADER, "microvm:arm64", ISA_AARCH64);
	report_set_node(r, SIDE_FOLLOWER, "local", ISA_X86_64);
	report_set_call_text(r, SIDE_LEADER, "write(5, \"AAAA\", 18) = 18");
	report_set_call_text(r, SIDE_FOLLOWER, "write(5, \"AABA\", 18)");
	report_set_did(r, SIDE_FOLLOWER, "killed by %s at %#x", "SIGSEGV", 0x41414141);
	report_set_bytes(r, SIDE_LEADER, 16, (const uint8_t *)"xAyyyyyyyyyyyyyyy", 17);
	report_set_bytes(r, SIDE_FOLLOWER, 16, (const uint8_t *)"xByyyyyyyyyyyyyyyz", 18);
	for (int side = 0; side < _SIDE_MAX; side++) {
		for (unsigned i = 0; i < REPORT_CALLS_MAX + 5; i++)
			report_add_call(r, side, 1184 + i + (i > 15 ? (unsigned)side : 0),
					"read(5, \"GET / HTTP/1.1\", 4096) = 17");
		for (unsigned i = 0; i < REPORT_FRAMES_MAX + 5; i++)
			report_add_frame(r, side, "#0  0x00007f0000001234 write+0x14 (libc.so.6)");
	}
}

/* The encoded form stands for the report: two reports with equal forms are equal. */
static void assert_report_equal(const struct report *a, const struct report *b)
{
	struct writer w = { 0 }, v = { 0 };

	report_encode(&w, a);
	report_encode(&v, b);
	assert_false(w.failed || v.failed);
	assert_int_equal(w.len, v.len);
	assert_memory_equal(w.data, v.data, w.len);
	writer_free(&w);
	writer_free(&v);
}

static char *printed(const struct report *r, bool json)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	if (json)
		report_print_json(f, r);
	else
		report_print_text(f, r, false);
	fclose(f);
	return text;
}

static void test_round_trip(void **state)
{
	struct report r, again;
	struct writer w = { 0 };
	struct reader reader;

	fill(&r);
	report_encode(&w, &r);
	assert_true(w.len < REPORT_ENCODED_MAX);
	reader = reader_of(w.data, w.len);
	assert_int_equal(report_decode(&reader, &again), 0);
	assert_true(reader_done(&reader));
	assert_report_equal(&r, &again);
	assert_string_equal(again.variant[SIDE_FOLLOWER].did, "killed by SIGSEGV at 0x41414141");
	assert_int_equal(again.variant[SIDE_LEADER].n_calls, REPORT_CALLS_MAX);
	assert_int_equal(again.variant[SIDE_LEADER].stack.n, REPORT_FRAMES_MAX);
	assert_null(again.variant[SIDE_LEADER].did);
	report_free(&again);
	report_free(&r);
	writer_free(&w);
}

/* The largest report there can be stays under the bound that receivers rely on. */
static void test_bound(void **state)
{
	char *longest = malloc(2 * REPORT_TEXT_MAX);
	struct writer w = { 0 };
	struct report r;

	memset(longest, 'x', 2 * REPORT_TEXT_MAX - 1);
	longest[2 * REPORT_TEXT_MAX - 1] = 0;
	report_init(&r, REPORT_CRASH_ONE_VARIANT);
	report_set_program(&r, longest);
	for (int side = 0; side < _SIDE_MAX; side++) {
		report_set_node(&r, side, longest, ISA_X86_64);
		report_set_call_text(&r, side, longest);
		report_set_did(&r, side, "%s", longest);
		for (unsigned i = 0; i < REPORT_CALLS_MAX; i++)
			report_add_call(&r, side, i, longest);
		for (unsigned i = 0; i < REPORT_FRAMES_MAX; i++)
			report_add_frame(&r, side, longest);
	}
	report_encode(&w, &r);
	assert_true(w.len > 2 * (REPORT_CALLS_MAX + REPORT_FRAMES_MAX) * REPORT_TEXT_MAX);
	assert_true(w.len < REPORT_ENCODED_MAX);
	assert_int_equal(strlen(r.program), REPORT_TEXT_MAX);
	assert_string_equal(r.program + REPORT_TEXT_MAX - 4, "x...");
	report_free(&r);
	writer_free(&w);
	free(longest);
}

static void test_truncated(void **state)
{
	struct report r, out;
	struct writer w = { 0 };

	fill(&r);
	report_encode(&w, &r);
	for (size_t n = 0; n < w.len; n++) {
		uint8_t *exact = malloc(n + !n); /* so that a sanitizer sees every byte too many */
		struct reader reader;

		memcpy(exact, w.data, n);
		reader = reader_of(exact, n);
		assert_int_equal(report_decode(&reader, &out), -EPROTO);
		free(exact);
	}
	report_free(&r);
	writer_free(&w);
}

static void expect_refused(const uint8_t *data, size_t len, size_t at, uint8_t value)
{
	uint8_t *copy = malloc(len);
	struct report out;
	struct reader reader;

	memcpy(copy, data, len);
	copy[at] = value;
	reader = reader_of(copy, len);
	assert_int_equal(report_decode(&reader, &out), -EPROTO);
	free(copy);
}

static void test_out_of_range(void **state)
{
	struct report r;
	struct writer w = { 0 };

	fill(&r);
	report_encode(&w, &r);
	expect_refused(w.data, w.len, 0, _REPORT_RULE_MAX);
	expect_refused(w.data, w.len, 1, _PRIORITY_MAX);
	expect_refused(w.data, w.len, 2, _ACTION_MAX);
	expect_refused(w.data, w.len, 10, 0x80);     /* time before 1970 */
	expect_refused(w.data, w.len, 9, 0xff);	     /* beyond the year 9999 */
	expect_refused(w.data, w.len, 14, 0xff);     /* nanoseconds */
	expect_refused(w.data, w.len, 31 + 2, 0xff); /* length of the program's name */
	expect_refused(w.data, w.len, 31 + 4, 0);    /* NUL in it */
	report_free(&r);
	writer_free(&w);
}

/* Any bytes: decoded or refused, and what was decoded can be printed. */
static void test_mutated(void **state)
{
	struct report r;
	struct writer w = { 0 };
	unsigned accepted = 0;

	fill(&r);
	report_encode(&w, &r);
	srand(1);
	for (int i = 0; i < 5000; i++) {
		uint8_t *copy = malloc(w.len);
		struct reader reader = reader_of(copy, w.len);
		struct report out;

		memcpy(copy, w.data, w.len);
		for (int k = rand() % 4; k >= 0; k--)
			copy[rand() % (i & 1 ? 400 : (int)w.len)] = (uint8_t)rand();
		if (report_decode(&reader, &out) == 0) {
			char *text = printed(&out, false), *json = printed(&out, true);

			for (const char *p = text; *p; p++)
				assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
			assert_non_null(json);
			accepted++;
			free(text);
			free(json);
			report_free(&out);
		}
		free(copy);
	}
	assert_true(accepted > 100);
	report_free(&r);
	writer_free(&w);
}

static void test_merge(void **state)
{
	struct report r, half, other, expected;

	fill(&expected);
	fill(&r);
	fill(&half);
	/* The leader's monitor knows its own side only. */
	half.rule = REPORT_NONE;
	half.priority = PRIORITY_DEBUG;
	report_free(&r);
	fill(&r);
	for (unsigned i = 0; i < r.variant[SIDE_LEADER].n_calls; i++)
		free(r.variant[SIDE_LEADER].calls[i].text);
	r.variant[SIDE_LEADER].n_calls = 0;
	strv_free(&r.variant[SIDE_LEADER].stack);
	free(r.program);
	r.program = NULL;
	r.tid = 0;
	memset(r.session, 0, sizeof(r.session));
	report_set_did(&half, SIDE_FOLLOWER, "something else");
	report_set_call_text(&half, SIDE_LEADER, "something else");
	report_merge(&r, &half);
	assert_report_equal(&r, &expected);
	report_init(&other, REPORT_NONE);
	report_merge(&other, &expected);
	other.time = expected.time;
	assert_report_equal(&other, &expected);
	report_free(&r);
	report_free(&half);
	report_free(&other);
	report_free(&expected);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_text(void **state)
{
	char *text, *line, *caret;
	struct report r;

	fill(&r);
	text = printed(&r, false);
	assert_int_equal(
		strncmp(text, "ALARM divergence.payload (Critical): the variants passed", 55), 0);
	assert_true(count_lines(text) <= 90);
	assert_non_null(strstr(text, "2026-09-21T14:13:20.000000007Z"));
	assert_non_null(strstr(text, "abababababababababababababababab"));
	assert_non_null(strstr(text, "leader    aarch64, node microvm:arm64"));
	assert_non_null(strstr(text, "= "));
	assert_non_null(strstr(text, "... and 52 more"));
	assert_non_null(strstr(text, "; 4 threads were running ("));
	/* The caret stands under the first column that differs. */
	line = strstr(text, "  follower  write(5, \"AABA\"");
	assert_non_null(line);
	caret = strchr(strchr(line, '\n') + 1, '^');
	assert_non_null(caret);
	assert_int_equal(line[caret - (strchr(line, '\n') + 1)], 'B');
	free(text);
	report_free(&r);
}

/* A call that both made is shown once, also when one of them has no result yet. */
static void test_common_history(void **state)
{
	struct report r;
	char *text;

	report_init(&r, REPORT_DIVERGENCE_CALL);
	report_add_call(&r, SIDE_LEADER, 1, "read(3) = 4");
	report_add_call(&r, SIDE_FOLLOWER, 1, "read(3) = ?");
	report_add_call(&r, SIDE_LEADER, 2, "write(3) = 4");
	report_add_call(&r, SIDE_FOLLOWER, 2, "close(3)");
	report_add_call(&r, SIDE_LEADER, 4, "close(5)");
	text = printed(&r, false);
	assert_non_null(strstr(text, "  =      1  read(3) = 4\n"
				     "  L      2  write(3) = 4\n"
				     "  F      2  close(3)\n"
				     "  L      4  close(5)\n"));
	free(text);
	report_free(&r);
}

static void test_far_difference(void **state)
{
	char a[601], b[601], *text, *caret, *line;
	struct report r;

	memset(a, 'x', 600);
	a[600] = 0;
	memcpy(b, a, 601);
	a[500] = 'L';
	b[500] = 'F';
	report_init(&r, REPORT_DIVERGENCE_ARGUMENT);
	report_set_call_text(&r, SIDE_LEADER, a);
	report_set_call_text(&r, SIDE_FOLLOWER, b);
	text = printed(&r, false);
	line = strstr(text, "  follower  ...x");
	assert_non_null(line);
	caret = strchr(strchr(line, '\n') + 1, '^');
	assert_int_equal(line[caret - (strchr(line, '\n') + 1)], 'F');
	free(text);
	report_free(&r);
}

static void test_hostile_texts(void **state)
{
	struct report r;
	char *text, *json;

	report_init(&r, REPORT_DIVERGENCE_CALL);
	report_set_program(&r, HOSTILE);
	report_set_node(&r, SIDE_LEADER, HOSTILE, ISA_AARCH64);
	for (int side = 0; side < _SIDE_MAX; side++) {
		report_set_call_text(&r, side, HOSTILE);
		report_set_did(&r, side, "%s", HOSTILE);
		report_add_call(&r, side, 1, HOSTILE);
		report_add_frame(&r, side, HOSTILE);
	}
	text = printed(&r, false);
	json = printed(&r, true);
	for (const char *p = text; *p; p++)
		assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
	assert_int_equal(count_lines(json), 1);
	assert_int_equal(json[strlen(json) - 1], '\n');
	for (const char *p = json; p[1]; p++)
		assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
	free(text);
	free(json);
	report_free(&r);
}

static void test_json(void **state)
{
	static const char *const expected[] = {
		"{\"time\":\"2026-09-21T14:13:20.000000007Z\",\"rule\":\"divergence.payload\","
		"\"priority\":\"Critical\",",
		"\"output\":\"the variants passed different bytes to the same call: write: "
		"argument 2 (buf)",
		"\"output_fields\":{\"chiral.session\":\"abababababababababababababababab\"",
		"\"chiral.action\":\"kill\"",
		"\"chiral.thread\":3,\"chiral.position\":1203",
		"\"chiral.mismatch.argument\":2,\"chiral.mismatch.offset\":17",
		"\"chiral.mismatch.leader_value\":\"0x41\"",
		"\"chiral.leader.isa\":\"aarch64\"",
		"\"chiral.leader.call\":\"write(5, \\\"AAAA\\\", 18) = 18\"",
		"\"chiral.follower.did\":\"killed by SIGSEGV at 0x41414141\"",
		"\"chiral.leader.calls\":[\"1184 read(",
		"\"chiral.follower.stack\":[\"#0  0x",
	};
	struct report r;
	char *json;

	fill(&r);
	json = printed(&r, true);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_non_null(strstr(json, expected[i]));
	assert_null(strstr(json, "chiral.leader.did")); /* not known: absent */
	free(json);
	report_free(&r);
}

static void test_first_difference(void **state)
{
	assert_int_equal(report_first_difference("a(1) = 2", "a(1) = ?"), SIZE_MAX);
	assert_int_equal(report_first_difference("a(1)", "a(1) = 2"), SIZE_MAX);
	assert_int_equal(report_first_difference("a(1) = ?", "a(1) = ?"), SIZE_MAX);
	assert_int_equal(report_first_difference("a(1) = 2", "a(1) = 3"), 7);
	assert_int_equal(report_first_difference("a(1) = 2", "a(2) = ?"), 2);
	assert_int_equal(report_first_difference("a(1", "a(1) = 2"), 3);
	assert_int_equal(report_first_difference("", "x"), 0);
}

static void test_escape(void **state)
{
	char buf[8];

	report_escape(buf, sizeof(buf), "abcdefg");
	assert_string_equal(buf, "abcdefg");
	report_escape(buf, sizeof(buf), "abcdefgh");
	assert_string_equal(buf, "abcd...");
	report_escape(buf, sizeof(buf), "abc\n");
	assert_string_equal(buf, "abc\\x0a");
	report_escape(buf, sizeof(buf), "ab\n\n");
	assert_string_equal(buf, "ab...");
	report_escape(buf, 4, "\n");
	assert_string_equal(buf, "...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_out_of_range),
		cmocka_unit_test(test_mutated),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_common_history),
		cmocka_unit_test(test_far_difference),
		cmocka_unit_test(test_hostile_texts),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_first_difference),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
