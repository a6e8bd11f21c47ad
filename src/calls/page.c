/* SPDX-License-Identifier: Apache-2.0 */
#include "calls/page.h"

#include "base/json.h"
#include "calls/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_SIZE 1024

struct page_sums {
	unsigned status[STATUS_REFUSED + 1];	     /* system calls */
	unsigned sub_status[STATUS_REFUSED + 1];     /* sub-calls */
	unsigned calls, subs;
};

static void put_fmt(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put_fmt(struct writer *w, const char *fmt, ...)
{
	char line[LINE_MAX_SIZE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		put_bytes(w, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static bool row_is_wanted(const struct call_row *row, const char *name)
{
	return !name || strstr(row->name, name);
}

/* A call with sub-calls works when they do: the parent row only answers unknown selectors. */
static unsigned row_shown_status(const struct call_row *row)
{
	if ((row->flags & CALL_PARENT) && row->status == STATUS_UNSUPPORTED)
		return STATUS_PARTIAL;
	return row->status;
}

static void sums_add(struct page_sums *s, const struct call_row *row)
{
	if (row_is_sub(row)) {
		s->subs++;
		s->sub_status[row->status]++;
	} else {
		s->calls++;
		s->status[row_shown_status(row)]++;
	}
}

static const char *nr_word(const struct call_row *row, enum isa isa, char buf[8])
{
	if (row_is_sub(row))
		return "";
	if (row->nr[isa] < 0)
		return "-";
	snprintf(buf, 8, "%d", row->nr[isa]);
	return buf;
}

/* What a reader should know: the row's sentence, and for aliases the form that appears in events. */
static void put_note(struct writer *w, const struct call_row *row)
{
	if (row_is_alias(row))
		put_fmt(w, "Seen as %s.%s", call_rows[row->canonical].name, row->note[0] ? " " : "");
	put_bytes(w, row->note, strlen(row->note));
}

static void put_row_text(struct writer *w, const struct call_row *row)
{
	char nr[_ISA_MAX][8];

	put_fmt(w, "%-32s %6s %7s  %-16s %-11s %-12s ", row->name, nr_word(row, ISA_X86_64, nr[0]),
		nr_word(row, ISA_AARCH64, nr[1]), row->class, call_status_word(row_shown_status(row)),
		row_disposition_word(row));
	put_note(w, row);
	put_fmt(w, "\n");
}

static void put_row_markdown(struct writer *w, const struct call_row *row)
{
	char nr[_ISA_MAX][8];

	put_fmt(w, "| `%s` | %s | %s | %s | %s | %s | ", row->name, nr_word(row, ISA_X86_64, nr[0]),
		nr_word(row, ISA_AARCH64, nr[1]), row->class, call_status_word(row_shown_status(row)),
		row_disposition_word(row));
	put_note(w, row);
	put_fmt(w, " |\n");
}

static void put_row_json(struct writer *w, const struct call_row *row)
{
	json_begin_object(w);
	json_key(w, "name");
	json_cstr(w, row->name);
	json_key(w, "number");
	json_begin_object(w);
	for (int isa = 0; isa < _ISA_MAX; isa++) {
		if (row->nr[isa] < 0)
			continue;
		json_key(w, isa_descs[isa].name);
		json_s64(w, row->nr[isa]);
	}
	json_end_object(w);
	json_key(w, "class");
	json_cstr(w, row->class);
	json_key(w, "status");
	json_cstr(w, call_status_word(row_shown_status(row)));
	json_key(w, "disposition");
	json_cstr(w, row_disposition_word(row));
	json_key(w, "canonical");
	json_cstr(w, call_rows[row->canonical].name);
	json_key(w, "parent");
	json_cstr(w, row_is_sub(row) ? call_rows[row->parent].name : NULL);
	json_key(w, "note");
	json_cstr(w, row->note);
	json_end_object(w);
}

static void put_sums_json(struct writer *w, const struct page_sums *s)
{
	json_key(w, "totals");
	json_begin_object(w);
	json_key(w, "calls");
	json_u64(w, s->calls);
	json_key(w, "sub_calls");
	json_u64(w, s->subs);
	for (unsigned i = 0; i <= STATUS_REFUSED; i++) {
		json_key(w, call_status_word(i));
		json_u64(w, s->status[i]);
	}
	json_end_object(w);
}

static void put_sums(struct writer *w, const struct page_sums *s)
{
	put_fmt(w, "%u system calls: %u supported, %u in part, %u unsupported, %u refused; "
		"%u sub-calls: %u supported, %u refused.\n",
		s->calls, s->status[STATUS_SUPPORTED], s->status[STATUS_PARTIAL],
		s->status[STATUS_UNSUPPORTED], s->status[STATUS_REFUSED], s->subs,
		s->sub_status[STATUS_SUPPORTED] + s->sub_status[STATUS_PARTIAL],
		s->sub_status[STATUS_REFUSED]);
}

static const char markdown_head[] =
	"# Supported calls\n"
	"\n"
	"Made by `chiral calls --markdown` from the call table (src/calls/); do not edit.\n"
	"\n"
	"* **supported** works; **partial** works with the limit named; **unsupported** answers an error\n"
	"  in every variant and is named once in a warning; **refused** answers an error by design.\n"
	"* **replayed**: the leader executes, the others get its outcome. **local**: each variant for\n"
	"  itself, not compared. **mirrored**: each variant, compared. **by descriptor**, **by path**:\n"
	"  local when the descriptor or path is (libraries, the program), else replayed.\n"
	"* A row without numbers is a sub-call, selected by an argument of the call before it.\n"
	"\n";

static void put_head(struct writer *w, enum page_format format)
{
	if (format == PAGE_TEXT)
		put_fmt(w, "%-32s %6s %7s  %-16s %-11s %-12s %s\n", "CALL", "X86_64", "AARCH64", "CLASS",
			"STATUS", "DISPOSITION", "NOTE");
	if (format == PAGE_MARKDOWN)
		put_fmt(w, "| call | x86_64 | aarch64 | class | status | disposition | note |\n"
			   "|---|---:|---:|---|---|---|---|\n");
	if (format == PAGE_JSON) {
		json_begin_object(w);
		json_key(w, "table");
		json_cstr(w, CALLS_TABLE_DIGEST);
		json_key(w, "calls");
		json_begin_array(w);
	}
}

static struct page_sums sums_of(const char *name, unsigned *ret_rows)
{
	struct page_sums sums = { 0 };

	*ret_rows = 0;
	for (unsigned id = 0; id < _CALL_MAX; id++) {
		if (!row_is_wanted(&call_rows[id], name))
			continue;
		(*ret_rows)++;
		sums_add(&sums, &call_rows[id]);
	}
	return sums;
}

unsigned page_print(struct writer *w, enum page_format format, const char *name)
{
	static void (*const put_row[])(struct writer *, const struct call_row *) = {
		[PAGE_TEXT] = put_row_text,
		[PAGE_MARKDOWN] = put_row_markdown,
		[PAGE_JSON] = put_row_json,
	};
	unsigned n;
	struct page_sums sums = sums_of(name, &n);

	if (format == PAGE_MARKDOWN) {
		put_bytes(w, markdown_head, strlen(markdown_head));
		put_sums(w, &sums);
		put_fmt(w, "\n");
	}
	put_head(w, format);
	for (unsigned id = 0; id < _CALL_MAX; id++)
		if (row_is_wanted(&call_rows[id], name))
			put_row[format](w, &call_rows[id]);
	if (format == PAGE_JSON) {
		json_end_array(w);
		put_sums_json(w, &sums);
		json_end_object(w);
		put_fmt(w, "\n");
	} else if (format == PAGE_TEXT) {
		put_fmt(w, "\n");
		put_sums(w, &sums);
	}
	return n;
}
