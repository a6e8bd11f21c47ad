/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void put_text(struct writer *w, const char *s)
{
	put_bytes(w, s, strlen(s));
}

/* No state is needed: the last byte tells whether an element precedes in the same object or array
 * (a string ends in a quote, so its content is never mistaken). */
static void separate(struct writer *w)
{
	if (!w->failed && w->len && !strchr("{[:,\n", w->data[w->len - 1]))
		put_u8(w, ',');
}

void json_begin_object(struct writer *w)
{
	separate(w);
	put_u8(w, '{');
}

void json_end_object(struct writer *w)
{
	put_u8(w, '}');
}

void json_begin_array(struct writer *w)
{
	separate(w);
	put_u8(w, '[');
}

void json_end_array(struct writer *w)
{
	put_u8(w, ']');
}

void json_key(struct writer *w, const char *key)
{
	json_str(w, key, strlen(key));
	put_u8(w, ':');
}

/* Bytes of the UTF-8 sequence at p that can be shown as it is (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF; no C1 controls, which terminals obey), or 0. */
static size_t utf8_printable(const uint8_t *p, size_t n)
{
	static const uint32_t least[5] = { 0, 0, 0xa0, 0x800, 0x10000 };
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 1;
	uint32_t c;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f && p[0] != '"' && p[0] != '\\';
	if (len == 1 || len > n || p[0] > 0xf4)
		return 0;
	c = p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c >= least[len] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? len : 0;
}

static void put_escaped(struct writer *w, uint8_t byte)
{
	static const char letters[] = "\"\"\\\\\nn\tt\rr";
	char text[8];

	for (const char *l = letters; *l; l += 2)
		if (byte == (uint8_t)l[0]) {
			put_u8(w, '\\');
			put_u8(w, (uint8_t)l[1]);
			return;
		}
	snprintf(text, sizeof(text), "\\u%04x", byte);
	put_text(w, text);
}

void json_str(struct writer *w, const void *s, size_t n)
{
	const uint8_t *p = s;
	size_t plain = 0, i = 0;

	separate(w);
	put_u8(w, '"');
	while (i < n) {
		size_t len = utf8_printable(p + i, n - i);

		if (len) {
			i += len;
			continue;
		}
		put_bytes(w, p + plain, i - plain);
		put_escaped(w, p[i++]);
		plain = i;
	}
	if (n)
		put_bytes(w, p + plain, n - plain);
	put_u8(w, '"');
}

void json_cstr(struct writer *w, const char *s)
{
	if (s)
		json_str(w, s, strlen(s));
	else
		json_null(w);
}

void json_fmt(struct writer *w, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_cstr(w, text);
}

void json_hex(struct writer *w, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to;

	separate(w);
	put_u8(w, '"');
	to = n <= SIZE_MAX / 2 ? writer_reserve(w, 2 * n) : NULL;
	for (size_t i = 0; to && i < n; i++) {
		to[2 * i] = (uint8_t)digits[((const uint8_t *)p)[i] >> 4];
		to[2 * i + 1] = (uint8_t)digits[((const uint8_t *)p)[i] & 15];
	}
	if (to)
		w->len += 2 * n;
	put_u8(w, '"');
}

void json_u64(struct writer *w, uint64_t v)
{
	char text[24];

	separate(w);
	snprintf(text, sizeof(text), "%" PRIu64, v);
	put_text(w, text);
}

void json_s64(struct writer *w, int64_t v)
{
	char text[24];

	separate(w);
	snprintf(text, sizeof(text), "%" PRId64, v);
	put_text(w, text);
}

void json_bool(struct writer *w, bool v)
{
	separate(w);
	put_text(w, v ? "true" : "false");
}

void json_null(struct writer *w)
{
	separate(w);
	put_text(w, "null");
}
