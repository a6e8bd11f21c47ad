/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/json.h"

static void check(struct writer *w, const char *expected)
{
	put_u8(w, 0);
	assert_false(w->failed);
	assert_string_equal((char *)w->data, expected);
	writer_free(w);
}

static void test_commas(void **state)
{
	struct writer w = { 0 };

	json_begin_object(&w);
	json_key(&w, "a");
	json_u64(&w, UINT64_MAX);
	json_key(&w, "b");
	json_begin_array(&w);
	json_s64(&w, INT64_MIN);
	json_cstr(&w, "x{");
	json_cstr(&w, ",");
	json_cstr(&w, NULL);
	json_begin_object(&w);
	json_end_object(&w);
	json_begin_array(&w);
	json_end_array(&w);
	json_bool(&w, true);
	json_bool(&w, false);
	json_end_array(&w);
	json_key(&w, "c");
	json_hex(&w, "\x00\xab\xff", 3);
	json_key(&w, "d");
	json_hex(&w, "", 0);
	json_end_object(&w);
	check(&w, "{\"a\":18446744073709551615,\"b\":[-9223372036854775808,\"x{\",\",\",null,{},[],"
		  "true,false],\"c\":\"00abff\",\"d\":\"\"}");
}

static void test_lines(void **state)
{
	struct writer w = { 0 };

	for (int i = 0; i < 2; i++) {
		json_begin_object(&w);
		json_key(&w, "i");
		json_fmt(&w, "0x%x", i);
		json_end_object(&w);
		put_u8(&w, '\n');
	}
	check(&w, "{\"i\":\"0x0\"}\n{\"i\":\"0x1\"}\n");
}

static void check_str(const char *bytes, size_t n, const char *expected)
{
	struct writer w = { 0 };

	json_str(&w, bytes, n);
	check(&w, expected);
}

static void test_escapes(void **state)
{
	check_str(NULL, 0, "\"\"");
	check_str("a\"b\\c\n\t\r/", 9, "\"a\\\"b\\\\c\\n\\t\\r/\"");
	check_str("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"");
	check_str("\x1b[31m", 5, "\"\\u001b[31m\"");
}

static void test_utf8(void **state)
{
	check_str("\xc3\xa4", 2, "\"\xc3\xa4\"");
	check_str("\xe2\x82\xac", 3, "\"\xe2\x82\xac\"");
	check_str("\xf0\x9f\x8f\xb4", 4, "\"\xf0\x9f\x8f\xb4\"");
	/* cut at the end */
	check_str("x\xe2\x82", 3, "\"x\\u00e2\\u0082\"");
	/* overlong '/', surrogate, above U+10FFFF, lone continuation, 0xff */
	check_str("\xc0\xaf", 2, "\"\\u00c0\\u00af\"");
	check_str("\xe0\x80\xaf", 3, "\"\\u00e0\\u0080\\u00af\"");
	check_str("\xed\xa0\x80", 3, "\"\\u00ed\\u00a0\\u0080\"");
	check_str("\xf4\x90\x80\x80", 4, "\"\\u00f4\\u0090\\u0080\\u0080\"");
	check_str("\x80\xff", 2, "\"\\u0080\\u00ff\"");
	/* C1 control: CSI */
	check_str("\xc2\x9b", 2, "\"\\u00c2\\u009b\"");
	check_str("\xc2\xa0", 2, "\"\xc2\xa0\"");
}

static void test_failed_writer(void **state)
{
	struct writer w = { .failed = true };

	json_begin_object(&w);
	json_key(&w, "k");
	json_hex(&w, "x", 1);
	json_end_object(&w);
	assert_true(w.failed);
	assert_int_equal(w.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commas),	     cmocka_unit_test(test_lines),
		cmocka_unit_test(test_escapes),	     cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_failed_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
