/* SPDX-License-Identifier: Apache-2.0 */
/* JSON strings made of any bytes: printable, valid UTF-8, one token, and no two inputs of valid text
 * look the same. */
#include "fuzz.h"

#include "base/json.h"

#include <locale.h>
#include <stdbool.h>
#include <wchar.h>

/* Undoes the escapes in place; false when the text is no JSON string. */
static bool unescape(const uint8_t *p, size_t n, struct writer *w)
{
	if (n < 2 || p[0] != '"' || p[n - 1] != '"')
		return false;
	for (size_t i = 1; i < n - 1; i++) {
		static const char letters[] = "nrt\"\\", values[] = "\n\r\t\"\\";
		const char *l;
		unsigned v;

		if (p[i] == '"' || p[i] < 0x20 || p[i] == 0x7f)
			return false;
		if (p[i] != '\\') {
			put_u8(w, p[i]);
			continue;
		}
		if (++i >= n - 1)
			return false;
		l = strchr(letters, p[i]);
		if (l && *l) {
			put_u8(w, (uint8_t)values[l - letters]);
			continue;
		}
		if (p[i] != 'u' || i + 4 >= n - 1 || sscanf((const char *)p + i + 1, "%4x", &v) != 1)
			return false;
		put_u8(w, (uint8_t)v); /* \u00XX stands for the byte XX */
		i += 4;
	}
	return true;
}

static bool is_utf8(const uint8_t *p, size_t n)
{
	mbstate_t state = { 0 };

	while (n) {
		wchar_t c;
		size_t len = mbrtowc(&c, (const char *)p, n, &state);

		if (len == 0 || len > n)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *locale; /* for mbrtowc() */
	struct writer w = { 0 }, back = { 0 };

	if (!locale) {
		locale = setlocale(LC_CTYPE, "C.UTF-8");
		fuzz_check(locale);
	}
	json_str(&w, data, size);
	fuzz_check(!w.failed);
	fuzz_check(is_utf8(w.data, w.len));
	put_u8(&w, 0);
	fuzz_check(unescape(w.data, w.len - 1, &back));
	fuzz_check(back.len == size && (size == 0 || !memcmp(back.data, data, size)));
	writer_free(&w);
	writer_free(&back);
	return 0;
}

void fuzz_seeds(void)
{
	static const char plain[] = "plain \"quoted\" \\ \n\t\x1b[0m\x7f";
	static const char wide[] = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8f\xb4\xc2\x9b\xed\xa0\x80";

	fuzz_seed(plain, sizeof(plain) - 1);
	fuzz_seed(wide, sizeof(wide) - 1);
}
