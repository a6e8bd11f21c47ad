/* SPDX-License-Identifier: Apache-2.0 */
#include "event/emit.h"
#include "event/names.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void put_text(struct emit *e, const char *s)
{
	put_bytes(&e->w, s, strlen(s));
}

void emit_begin(struct emit *e, char bracket)
{
	if (e->json)
		(bracket == '{' ? json_begin_object : json_begin_array)(&e->w);
	else
		put_bytes(&e->w, &bracket, 1);
	e->comma = false;
}

void emit_end(struct emit *e, char bracket)
{
	if (e->json)
		(bracket == '}' ? json_end_object : json_end_array)(&e->w);
	else
		put_bytes(&e->w, &bracket, 1);
	e->comma = true;
}

void emit_item(struct emit *e)
{
	if (!e->json && e->comma)
		put_text(e, ", ");
	e->comma = true;
}

void emit_key(struct emit *e, const char *name)
{
	if (e->json) {
		json_key(&e->w, name);
		return;
	}
	emit_item(e);
	put_text(e, name);
	put_text(e, "=");
}

void emit_s64(struct emit *e, int64_t v)
{
	char text[32];

	if (e->json) {
		json_s64(&e->w, v);
		return;
	}
	snprintf(text, sizeof(text), "%" PRId64, v);
	put_text(e, text);
}

void emit_u64(struct emit *e, uint64_t v)
{
	char text[32];

	if (e->json) {
		json_u64(&e->w, v);
		return;
	}
	snprintf(text, sizeof(text), "%" PRIu64, v);
	put_text(e, text);
}

void emit_octal(struct emit *e, uint64_t v)
{
	if (e->json)
		json_u64(&e->w, v);
	else
		emit_word(e, v ? "0%" PRIo64 : "%" PRIo64, v);
}

void emit_word(struct emit *e, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (e->json)
		json_cstr(&e->w, text);
	else
		put_text(e, text);
}

void emit_null(struct emit *e)
{
	if (e->json)
		json_null(&e->w);
	else
		put_text(e, "NULL");
}

/* As strace does: C escapes, octal as short as the next character allows. */
static void put_escaped(struct emit *e, const uint8_t *p, size_t n)
{
	static const char letters[] = "abtnvfr"; /* from \a, 7, to \r, 13 */
	char text[8];

	for (size_t i = 0; i < n; i++) {
		bool digit_next = i + 1 < n && p[i + 1] >= '0' && p[i + 1] <= '9';

		if (p[i] == '"' || p[i] == '\\')
			snprintf(text, sizeof(text), "\\%c", p[i]);
		else if (p[i] >= 9 && p[i] <= 13)
			snprintf(text, sizeof(text), "\\%c", letters[p[i] - 7]);
		else if (p[i] < 0x20 || p[i] >= 0x7f)
			snprintf(text, sizeof(text), digit_next ? "\\%03o" : "\\%o", p[i]);
		else
			snprintf(text, sizeof(text), "%c", p[i]);
		put_text(e, text);
	}
}

static void emit_cut_string(struct emit *e, const uint8_t *data, size_t len, size_t limit)
{
	size_t n = len < limit ? len : limit;

	if (e->json) {
		json_str(&e->w, data, n);
		return;
	}
	put_text(e, "\"");
	put_escaped(e, data, n);
	put_text(e, n < len ? "\"..." : "\"");
}

void emit_string(struct emit *e, const void *data, size_t len)
{
	emit_cut_string(e, data, len, e->limit);
}

void emit_whole_string(struct emit *e, const void *data, size_t len)
{
	emit_cut_string(e, data, len, len);
}

static bool flag_is_set(const struct flag_spec *f, uint64_t v, uint64_t rest)
{
	if (f->mask)
		return (v & f->mask) == f->canon;
	return f->canon && (rest & f->canon) == f->canon;
}

void emit_flags(struct emit *e, unsigned set, uint64_t v)
{
	const struct flagset_spec *s = &flagset_specs[set];
	char text[480];
	size_t at = 0;
	uint64_t rest = v, masks = 0;

	text[0] = 0;
	for (unsigned i = 0; i < s->n_flags && at < sizeof(text) - 64; i++) {
		const struct flag_spec *f = &s->flags[i];

		/* Of the names for one value (EAGAIN-like twins) the first counts. */
		if ((f->mask && (masks & f->mask) == f->mask) || !flag_is_set(f, v, rest))
			continue;
		masks |= f->mask;
		rest &= ~(f->mask ? f->mask : f->canon);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", at ? "|" : "",
				       f->name);
	}
	if (at >= sizeof(text)) /* a name longer than any of the table's */
		at = sizeof(text) - 1;
	if (rest || !at)
		snprintf(text + at, sizeof(text) - at, rest ? "%s0x%" PRIx64 : "%s%" PRIu64,
			 at ? "|" : "", rest);
	emit_word(e, "%s", text);
}

void emit_signal(struct emit *e, int signal)
{
	const char *name = signal_name(signal);

	if (name && signal)
		emit_word(e, "SIG%s", name);
	else
		emit_s64(e, signal);
}
