/* SPDX-License-Identifier: Apache-2.0 */
/* The other half of an alarm, as a node sends it: refused or understood to the byte, and harmless
 * to the terminal and to readers of JSON whatever it says. */
#include "fuzz.h"

#include "match/report.h"

#include <errno.h>

static void check_text(const struct report *r)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	report_print_text(f, r, false);
	fclose(f);
	fuzz_check(n > 0 && text[n - 1] == '\n');
	for (size_t i = 0; i < n; i++)
		fuzz_check(text[i] == '\n' || (text[i] >= ' ' && text[i] < 0x7f));
	free(text);
}

static void check_json(const struct report *r)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	report_print_json(f, r);
	fclose(f);
	fuzz_check(n > 3 && text[n - 1] == '\n' && text[n - 2] == '}' && text[0] == '{');
	for (size_t i = 0; i < n - 1; i++)
		fuzz_check((unsigned char)text[i] >= ' ');
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size);
	struct writer w = { 0 };
	struct report report, merged;
	int res = report_decode(&r, &report);

	fuzz_check(res == 0 || res == -EPROTO);
	if (res < 0)
		return 0;
	report_encode(&w, &report);
	fuzz_check(w.len == size - r.left && w.len <= REPORT_ENCODED_MAX);
	fuzz_check(!memcmp(w.data, data, w.len));
	check_text(&report);
	check_json(&report);
	report_init(&merged, REPORT_NONE);
	report_merge(&merged, &report);
	check_text(&merged);
	report_free(&merged);
	report_free(&report);
	writer_free(&w);
	return 0;
}

static void seed(struct report *r)
{
	struct writer w = { 0 };

	r->time = (struct timespec){ 1790000000, 7 }; /* seeds are the same every time */
	report_encode(&w, r);
	fuzz_seed(w.data, w.len);
	writer_free(&w);
	report_free(r);
}

void fuzz_seeds(void)
{
	struct report r;

	report_init(&r, REPORT_NONE);
	seed(&r);
	for (unsigned rule = 0; rule < _REPORT_RULE_MAX; rule++) {
		report_init(&r, rule);
		r.tid = 3;
		r.threads = rule;
		r.has_mismatch = rule & 1;
		r.mismatch = (struct call_mismatch){ .arg = (int)rule - 1, .payload = true,
			.exact = rule & 2, .offset = 17, .text = "argument 2 (buf) differs" };
		if (r.mismatch.arg >= CALL_ARGS_MAX)
			r.mismatch.arg = 0;
		report_set_program(&r, "/bin/true");
		for (int side = 0; side < _SIDE_MAX; side++) {
			report_set_node(&r, side, "local", side ? ISA_X86_64 : ISA_AARCH64);
			report_set_call_text(&r, side, side ? "read(3, 1) = ?" : "read(3, 2) = 1");
			report_set_did(&r, side, "killed by SIGSEGV");
			report_set_bytes(&r, side, 16, (const uint8_t *)"0123456789abcdefghij", 20);
			report_add_call(&r, side, 1, "close(3) = 0");
			report_add_call(&r, side, 2, side ? "close(4) = ?" : "close(4) = 0");
			report_add_frame(&r, side, "#0  0x00007f0000001234 write+0x14 (libc.so.6)");
		}
		seed(&r);
	}
}
