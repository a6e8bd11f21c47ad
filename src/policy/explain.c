/* SPDX-License-Identifier: Apache-2.0 */
/* A policy in words: everything that is in force, the defaults too. */
#include "policy/policy.h"

#include "base/json.h"
#include "policy/cover.h"

#include <stdarg.h>
#include <string.h>

#define WIDTH 96 /* columns of a paragraph */

static const char *const level_words[_LEVEL_MAX] = {
	[LEVEL_ASYNC] = "The leader runs ahead of its followers up to the window. What it does between a "
			"difference and its detection has happened.",
	[LEVEL_LOCKSTEP] = "No compared call takes effect before every follower has come to it and agreed.",
	[LEVEL_OBSERVE] = "As async, but the first difference is reported only: the program goes on "
			  "without that follower.",
};

static const char *const divergence_words[_ON_DIVERGENCE_MAX] = {
	[ON_KILL] = "A difference ends all variants.",
	[ON_FREEZE] = "A difference stops all variants, and keeps them for a debugger until SIGINT or "
		      "SIGTERM.",
	[ON_REPORT] = "A difference is reported; the leader goes on without the follower that differed, "
		      "unprotected when it was the only one.",
};

static const char *const lost_words[_ON_LOST_PEER_MAX] = {
	[LOST_KILL] = "When a node is lost, all variants are ended.",
	[LOST_CONTINUE] = "When a follower's node is lost, the leader goes on without it, unprotected "
			  "when it was the only one. When the leader's node is lost, all ends.",
};

/* ---- paragraphs ------------------------------------------------------------------------------- */

/* Words of text, broken at WIDTH, each line behind indent spaces. */
static void print_paragraph(FILE *f, unsigned indent, const char *text)
{
	unsigned column = 0;

	while (*text) {
		unsigned n = (unsigned)strcspn(text, " ");

		if (column == 0 || column + 1 + n > WIDTH) {
			fprintf(f, "%s%*s", column ? "\n" : "", indent, "");
			column = indent;
		} else {
			fputc(' ', f);
			column++;
		}
		fwrite(text, 1, n, f);
		column += n;
		text += n + strspn(text + n, " ");
	}
	fputc('\n', f);
}

static void print_setting(FILE *f, const struct policy *p, unsigned bit, const char *key,
			  const char *value, const char *meaning)
{
	fprintf(f, "\n%s: %s%s\n", key, value, p->given & bit ? "" : " (default)");
	print_paragraph(f, 4, meaning);
}

static void print_number(FILE *f, const struct policy *p, unsigned bit, const char *key, uint64_t n,
			 const char *meaning)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	print_setting(f, p, bit, key, text, meaning);
}

/* ---- rules ------------------------------------------------------------------------------------ */

static void put(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct writer *w, const char *fmt, ...)
{
	char text[RULE_PATH_MAX + 64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_bytes(w, text, strlen(text));
}

static const char *separator(size_t i, size_t n)
{
	return i == 0 ? "" : i + 1 == n ? " or " : ", ";
}

static void put_calls(struct writer *w, const struct policy_rule *r)
{
	size_t n = r->classes.n + r->calls.n, at = 0;

	if (n == 0)
		put(w, "every compared call");
	for (size_t i = 0; i < r->calls.n; i++, at++)
		put(w, "%s%s", separator(at, n), r->calls.v[i]);
	for (size_t i = 0; i < r->classes.n; i++, at++) {
		if (!strcmp(r->classes.v[i], CLASS_OUTPUT))
			put(w, "%sany call by which bytes or effects leave the program",
			    separator(at, n));
		else
			put(w, "%sany call of class @%s", separator(at, n), r->classes.v[i]);
	}
}

static void put_conditions(struct writer *w, const struct policy_rule *r)
{
	size_t n = (size_t)__builtin_popcount(r->kinds), at = 0;

	for (int i = 0; i < _DESCRIPTOR_KIND_MAX; i++)
		if (r->kinds & (1u << i)) {
			put(w, "%s%s", at ? separator(at, n) : " on a descriptor that is a ",
			    descriptor_kind_name(i));
			at++;
		}
	for (size_t i = 0; i < r->paths.n; i++)
		put(w, "%s%s", i ? separator(i, r->paths.n) : " on a file that is, or is below, ",
		    r->paths.v[i]);
}

static void put_consequence(struct writer *w, const struct policy_rule *r)
{
	if (r->verdict == RULE_END)
		put(w, " is not executed: an alarm is raised and the session ends.");
	else if (r->verdict == RULE_REFUSE)
		put(w, " is compared, but not executed: it fails with %s (%s) in every variant.",
		    strerrorname_np(r->err), strerrordesc_np(r->err));
	else if (r->level == RULE_LEVEL_OBSERVE)
		put(w, ": bytes that differ in what it sends are reported once and let pass (observe). "
		       "Its arguments, how many bytes, and all else are compared as always.");
	else if (r->level == RULE_LEVEL_LOCKSTEP)
		put(w, " takes effect only when every follower has come to it and agreed (lockstep).");
	else
		put(w, " does not wait for the followers (async).");
}

static void print_cover(FILE *f, const struct policy_rule *r)
{
	struct writer w = { 0 };
	bool cover[_CALL_MAX];
	unsigned n = rule_cover(r, cover), at = 0;

	put(&w, "%u of the call table's rows:", n);
	for (unsigned id = 0; id < _CALL_MAX; id++)
		if (cover[id])
			put(&w, " %s%s", call_rows[id].name, ++at < n ? "," : "");
	put_u8(&w, 0);
	if (!w.failed)
		print_paragraph(f, 8, (const char *)w.data);
	writer_free(&w);
}

static void print_rule(FILE *f, const struct policy_rule *r, bool whole)
{
	struct writer w = { 0 };

	put_calls(&w, r);
	put_conditions(&w, r);
	put_consequence(&w, r);
	put_u8(&w, 0);
	if (!w.failed)
		print_paragraph(f, 4, (const char *)w.data);
	writer_free(&w);
	if (whole && (r->classes.n || r->calls.n))
		print_cover(f, r);
}

static void print_rules(FILE *f, const struct policy *p)
{
	fprintf(f, "\nrules: %zu\n", p->rules.n);
	if (p->rules.n == 0)
		print_paragraph(f, 4, "Every compared call is treated alike.");
	else
		print_paragraph(f, 4, "Of all that a call meets the strictest counts; their order means "
				      "nothing.");
	for (size_t i = 0; i < p->rules.n; i++) {
		fputc('\n', f);
		print_rule(f, &p->rules.rule[i], true);
	}
}

static void print_local(FILE *f, const struct policy *p)
{
	fprintf(f, "\nlocal: %zu\n", p->local.n);
	print_paragraph(f, 4, "What each variant opens for reading on its own node, not compared: always "
			      "what the dynamic loader asks for and the C library's character set "
			      "modules.");
	for (size_t i = 0; i < p->local.n; i++)
		fprintf(f, "    %s and everything below it\n", p->local.v[i]);
}

void policy_explain(FILE *f, const struct policy *p, const char *file)
{
	char digest[POLICY_DIGEST_HEX + 1] = "not known (out of memory)";

	policy_digest(p, digest);
	fprintf(f, "policy: %s\ndigest: %s\n", file ? file : "none, the defaults are in force", digest);
	print_setting(f, p, POLICY_HAS_LEVEL, "level", level_name(p->level), level_words[p->level]);
	print_number(f, p, POLICY_HAS_WINDOW_EVENTS, "window.events", p->window_events,
		     "So many events a leader may be ahead of its slowest follower.");
	print_number(f, p, POLICY_HAS_WINDOW_BYTES, "window.bytes", p->window_bytes,
		     "And so many bytes of events.");
	print_setting(f, p, POLICY_HAS_ON_DIVERGENCE, "on-divergence", action_name(p->on_divergence),
		      divergence_words[p->on_divergence]);
	print_setting(f, p, POLICY_HAS_ON_LOST_PEER, "on-lost-peer", lost_name(p->on_lost_peer),
		      lost_words[p->on_lost_peer]);
	print_local(f, p);
	print_rules(f, p);
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static void json_word(struct writer *w, const char *key, const char *value)
{
	json_key(w, key);
	json_cstr(w, value);
}

static void json_list(struct writer *w, const char *key, const struct strv *list)
{
	json_key(w, key);
	json_begin_array(w);
	for (size_t i = 0; i < list->n; i++)
		json_cstr(w, list->v[i]);
	json_end_array(w);
}

static void json_cover(struct writer *w, const struct policy_rule *r)
{
	bool cover[_CALL_MAX];

	rule_cover(r, cover);
	json_key(w, "covers");
	json_begin_array(w);
	for (unsigned id = 0; id < _CALL_MAX; id++)
		if (cover[id])
			json_cstr(w, call_rows[id].name);
	json_end_array(w);
}

static void json_rule(struct writer *w, const struct policy_rule *r)
{
	json_begin_object(w);
	if (r->level != RULE_LEVEL_NONE)
		json_word(w, "level", rule_level_name(r->level));
	if (r->verdict != RULE_ALLOW)
		json_word(w, "refuse", r->verdict == RULE_END ? "end" : strerrorname_np(r->err));
	json_list(w, "classes", &r->classes);
	json_list(w, "calls", &r->calls);
	json_list(w, "paths", &r->paths);
	json_key(w, "descriptors");
	json_begin_array(w);
	for (int i = 0; i < _DESCRIPTOR_KIND_MAX; i++)
		if (r->kinds & (1u << i))
			json_cstr(w, descriptor_kind_name(i));
	json_end_array(w);
	json_cover(w, r);
	json_end_object(w);
}

static void json_defaults(struct writer *w, const struct policy *p)
{
	static const struct {
		unsigned bit;
		const char *key;
	} settings[] = {
		{ POLICY_HAS_LEVEL, "level" },
		{ POLICY_HAS_ON_DIVERGENCE, "on-divergence" },
		{ POLICY_HAS_ON_LOST_PEER, "on-lost-peer" },
		{ POLICY_HAS_WINDOW_EVENTS, "window.events" },
		{ POLICY_HAS_WINDOW_BYTES, "window.bytes" },
	};

	json_key(w, "defaults");
	json_begin_array(w);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!(p->given & settings[i].bit))
			json_cstr(w, settings[i].key);
	json_end_array(w);
}

void policy_explain_json(FILE *f, const struct policy *p, const char *file)
{
	char digest[POLICY_DIGEST_HEX + 1] = "";
	struct writer w = { 0 };

	policy_digest(p, digest);
	json_begin_object(&w);
	json_word(&w, "file", file);
	json_word(&w, "digest", digest);
	json_word(&w, "level", level_name(p->level));
	json_key(&w, "window");
	json_begin_object(&w);
	json_key(&w, "events");
	json_u64(&w, p->window_events);
	json_key(&w, "bytes");
	json_u64(&w, p->window_bytes);
	json_end_object(&w);
	json_word(&w, "on-divergence", action_name(p->on_divergence));
	json_word(&w, "on-lost-peer", lost_name(p->on_lost_peer));
	json_list(&w, "local", &p->local);
	json_key(&w, "rules");
	json_begin_array(&w);
	for (size_t i = 0; i < p->rules.n; i++)
		json_rule(&w, &p->rules.rule[i]);
	json_end_array(&w);
	json_defaults(&w, p);
	json_end_object(&w);
	put_u8(&w, '\n');
	if (!w.failed)
		fwrite(w.data, 1, w.len, f);
	writer_free(&w);
}
