/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The alarm for people. Texts are shown with every byte outside printable ASCII escaped: a variant
 * that was taken over could otherwise send control sequences to the terminal of whoever reads its
 * alarm.
 */
#include "match/report.h"

#include "match/report_view.h"

#include <string.h>

#define WIDTH 150	/* columns of a line that shows a text */
#define FRAMES_SHOWN 12u

static const char *const side_names[_SIDE_MAX] = { "leader", "follower" };

#define X(name, rule, priority, headline) headline,
static const char *const headlines[_REPORT_RULE_MAX] = { REPORT_RULES(X) };
#undef X

struct style {
	const char *alarm, *differs, *same, *off;
};

static const struct style styles[2] = {
	{ "", "", "", "" },
	{ "\033[1;31m", "\033[31m", "\033[2m", "\033[0m" },
};

/* ": write: argument 1 (buf) differs at ...", the name being that of the call both made. */
static void print_mismatch(FILE *f, const struct report *r)
{
	const char *call = r->variant[SIDE_FOLLOWER].call;
	char line[sizeof(r->mismatch.text) * 4];

	if (r->mismatch.arg >= 0 && call) {
		report_escape(line, sizeof(line), call);
		fprintf(f, ": %.*s", (int)strcspn(line, "("), line);
	}
	report_escape(line, sizeof(line), r->mismatch.text);
	fprintf(f, ": %s", line);
}

void report_print_headline(FILE *f, const struct report *r)
{
	char line[REPORT_TEXT_MAX * 4 + 1];
	const char *separator = ": ";

	fputs(headlines[r->rule], f);
	if (r->has_mismatch)
		print_mismatch(f, r);
	for (int i = 0; i < _SIDE_MAX; i++) {
		if (!r->variant[i].did)
			continue;
		report_escape(line, sizeof(line), r->variant[i].did);
		fprintf(f, "%s%s: %s", r->has_mismatch ? "; " : separator, side_names[i], line);
		separator = "; ";
	}
	/* Their order is not replicated: the reader has to know before suspecting an attack. */
	if (r->threads > 1)
		fprintf(f, "; %u threads were running", r->threads);
	if (r->program) {
		report_escape(line, sizeof(line), r->program);
		fprintf(f, " (%s", line);
		if (r->tid)
			fprintf(f, ", thread %u, call %llu", r->tid,
				(unsigned long long)r->position);
		fputc(')', f);
	}
}

static void print_place(FILE *f, const struct report *r)
{
	char text[WIDTH + 1], session[33];
	static const char *const actions[_ACTION_MAX] = {
		"not known", "killed all variants", "stopped all variants and kept them",
		"none, the session goes on",
	};

	report_print_time(text, sizeof(text), &r->time);
	report_print_session(session, r->session);
	fprintf(f, "  time      %s\n", text);
	fprintf(f, "  session   %s\n", session);
	if (r->policy)
		fprintf(f, "  policy    %s\n", r->policy);
	if (r->program) {
		report_escape(text, sizeof(text), r->program);
		fprintf(f, "  program   %s\n", text);
	}
	if (r->tid)
		fprintf(f, "  where     thread %u, call %llu of its stream\n", r->tid,
			(unsigned long long)r->position);
	for (int i = 0; i < _SIDE_MAX; i++) {
		const struct report_variant *v = &r->variant[i];

		report_escape(text, sizeof(text), v->node ? v->node : "not known");
		fprintf(f, "  %-9s %s, node %s\n", side_names[i],
			v->isa < _ISA_MAX ? isa_descs[v->isa].name : "unknown ISA", text);
	}
	fprintf(f, "  action    %s\n", actions[r->action]);
}

/*
 * Both calls under one another, moved to the left when they first differ beyond the width, and a
 * caret under that column.
 */
static void print_calls(FILE *f, const struct report *r, const struct style *s)
{
	char text[_SIDE_MAX][REPORT_TEXT_MAX * 4 + 1];
	size_t at, skip = 0;
	bool both = r->variant[SIDE_LEADER].call && r->variant[SIDE_FOLLOWER].call;

	if (!r->variant[SIDE_LEADER].call && !r->variant[SIDE_FOLLOWER].call)
		return;
	for (int i = 0; i < _SIDE_MAX; i++) {
		const char *call = r->variant[i].call;

		report_escape(text[i], sizeof(text[i]), call ? call : "(no call)");
	}
	at = report_first_difference(text[SIDE_LEADER], text[SIDE_FOLLOWER]);
	if (both && at != SIZE_MAX && at >= WIDTH - 20)
		skip = at - WIDTH / 2;
	fputs("\ncalls\n", f);
	for (int i = 0; i < _SIDE_MAX; i++)
		fprintf(f, "  %-9s %s%.*s%s\n", side_names[i], skip ? "..." : "", WIDTH,
			text[i] + skip, strlen(text[i] + skip) > WIDTH ? "..." : "");
	if (both && at != SIZE_MAX)
		fprintf(f, "  %9s %s%*s%s^%s\n", "", skip ? "   " : "", (int)(at - skip), "",
			s->alarm, s->off);
}

static bool byte_differs(const struct report *r, unsigned i)
{
	const struct report_variant *l = &r->variant[SIDE_LEADER], *w = &r->variant[SIDE_FOLLOWER];

	return i >= l->n_bytes || i >= w->n_bytes || l->bytes[i] != w->bytes[i];
}

static void print_byte_row(FILE *f, const struct report *r, int side, unsigned row,
			   const struct style *s)
{
	const struct report_variant *v = &r->variant[side];

	fprintf(f, "  %-9s %06llx ", side_names[side], (unsigned long long)(v->bytes_offset + row));
	for (unsigned i = row; i < row + 16; i++) {
		bool differs = byte_differs(r, i);

		if (i >= v->n_bytes)
			fputs("   ", f);
		else
			fprintf(f, "%s%s%02x%s", differs ? s->differs : "", differs ? "*" : " ",
				v->bytes[i], differs ? s->off : "");
	}
	fputs("  |", f);
	for (unsigned i = row; i < row + 16 && i < v->n_bytes; i++)
		fputc(v->bytes[i] >= ' ' && v->bytes[i] < 0x7f ? v->bytes[i] : '.', f);
	fputs("|\n", f);
}

static void print_bytes(FILE *f, const struct report *r, const struct style *s)
{
	unsigned n = r->variant[SIDE_LEADER].n_bytes, m = r->variant[SIDE_FOLLOWER].n_bytes;

	if (n == 0 && m == 0)
		return;
	fputs("\nbytes around the first difference (* differs)\n", f);
	for (unsigned row = 0; row < n || row < m; row += 16)
		for (int side = 0; side < _SIDE_MAX; side++)
			print_byte_row(f, r, side, row, s);
}

static void print_call_line(FILE *f, char mark, const struct report_call *c, const char *colour,
			    const struct style *s)
{
	char text[WIDTH + 1];

	report_escape(text, sizeof(text), c->text);
	fprintf(f, "  %s%c %6llu  %s%s\n", colour, mark, (unsigned long long)c->position, text,
		*colour ? s->off : "");
}

/* The two histories as one list: a call that both made at the same position is shown once. */
static void print_history(FILE *f, const struct report *r, const struct style *s)
{
	const struct report_variant *l = &r->variant[SIDE_LEADER], *w = &r->variant[SIDE_FOLLOWER];
	unsigned i = 0, j = 0;

	if (l->n_calls == 0 && w->n_calls == 0)
		return;
	fputs("\nlast calls (= both, L leader, F follower)\n", f);
	while (i < l->n_calls || j < w->n_calls) {
		const struct report_call *a = i < l->n_calls ? &l->calls[i] : NULL;
		const struct report_call *b = j < w->n_calls ? &w->calls[j] : NULL;

		if (a && b && a->position == b->position && report_same_call(a->text, b->text)) {
			print_call_line(f, '=', a, s->same, s);
			i++, j++;
		} else if (a && (!b || a->position <= b->position)) {
			print_call_line(f, 'L', a, s->differs, s);
			i++;
		} else {
			print_call_line(f, 'F', b, s->differs, s);
			j++;
		}
	}
}

static void print_stack(FILE *f, const struct report *r, int side)
{
	const struct strv *stack = &r->variant[side].stack;
	char text[WIDTH + 1];

	if (stack->n == 0)
		return;
	fprintf(f, "\n%s's call stack\n", side_names[side]);
	for (size_t i = 0; i < stack->n && i < FRAMES_SHOWN; i++) {
		report_escape(text, sizeof(text), stack->v[i]);
		fprintf(f, "  %s\n", text);
	}
	if (stack->n > FRAMES_SHOWN)
		fprintf(f, "  ... and %zu more, see the JSON line\n", stack->n - FRAMES_SHOWN);
}

void report_print_text(FILE *f, const struct report *r, bool colour)
{
	const struct style *s = &styles[colour];

	fprintf(f, "%sALARM %s (%s): ", s->alarm, report_rule_name(r->rule),
		report_priority_name(r->priority));
	report_print_headline(f, r);
	fprintf(f, "%s\n", s->off);
	print_place(f, r);
	print_calls(f, r, s);
	print_bytes(f, r, s);
	print_history(f, r, s);
	for (int i = 0; i < _SIDE_MAX; i++)
		print_stack(f, r, i);
	fflush(f);
}
