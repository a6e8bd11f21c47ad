/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of JSON in Falco's form, so that what reads Falco's alarms reads ours: the members of
 * output_fields are flat and carry the prefix "chiral.". doc/alarms.md lists them. A member is
 * absent when nothing is known; readers must ignore members that they do not understand.
 */
#include "match/report.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "match/report_view.h"

static void put_text(struct writer *w, const char *key, const char *text)
{
	if (!text)
		return;
	json_key(w, key);
	json_cstr(w, text);
}

static void put_number(struct writer *w, const char *key, uint64_t v)
{
	json_key(w, key);
	json_u64(w, v);
}

static void put_variant_key(struct writer *w, int side, const char *member)
{
	char key[64];

	snprintf(key, sizeof(key), "chiral.%s.%s", side == SIDE_LEADER ? "leader" : "follower",
		 member);
	json_key(w, key);
}

static void put_variant_text(struct writer *w, int side, const char *member, const char *text)
{
	if (!text)
		return;
	put_variant_key(w, side, member);
	json_cstr(w, text);
}

static void put_variant(struct writer *w, int side, const struct report_variant *v)
{
	put_variant_text(w, side, "node", v->node);
	put_variant_text(w, side, "isa", v->isa < _ISA_MAX ? isa_descs[v->isa].name : NULL);
	put_variant_text(w, side, "call", v->call);
	put_variant_text(w, side, "did", v->did);
	if (v->n_bytes) {
		put_variant_key(w, side, "bytes_offset");
		json_u64(w, v->bytes_offset);
		put_variant_key(w, side, "bytes");
		json_hex(w, v->bytes, v->n_bytes);
	}
	put_variant_key(w, side, "calls");
	json_begin_array(w);
	for (unsigned i = 0; i < v->n_calls; i++)
		json_fmt(w, "%llu %s", (unsigned long long)v->calls[i].position, v->calls[i].text);
	json_end_array(w);
	put_variant_key(w, side, "stack");
	json_begin_array(w);
	for (size_t i = 0; i < v->stack.n; i++)
		json_cstr(w, v->stack.v[i]);
	json_end_array(w);
}

static void put_mismatch(struct writer *w, const struct call_mismatch *m)
{
	put_text(w, "chiral.mismatch", m->text);
	if (m->arg < 0)
		return;
	put_number(w, "chiral.mismatch.argument", (uint64_t)m->arg + 1); /* as its text counts */
	if (m->payload) {
		put_number(w, "chiral.mismatch.offset", m->offset);
		json_key(w, "chiral.mismatch.exact");
		json_bool(w, m->exact);
		if (!m->exact)
			return;
	}
	/* As text: many readers of JSON keep numbers in a double. */
	json_key(w, "chiral.mismatch.leader_value");
	json_fmt(w, "0x%llx", (unsigned long long)m->leader_value);
	json_key(w, "chiral.mismatch.follower_value");
	json_fmt(w, "0x%llx", (unsigned long long)m->follower_value);
}

static void put_fields(struct writer *w, const struct report *r)
{
	char session[33];

	report_print_session(session, r->session);
	put_text(w, "chiral.session", session);
	put_text(w, "chiral.policy", r->policy);
	put_text(w, "chiral.program", r->program);
	put_text(w, "chiral.action", report_action_name(r->action));
	if (r->tid) {
		put_number(w, "chiral.thread", r->tid);
		put_number(w, "chiral.position", r->position);
	}
	if (r->threads)
		put_number(w, "chiral.threads", r->threads);
	if (r->has_mismatch)
		put_mismatch(w, &r->mismatch);
	for (int i = 0; i < _SIDE_MAX; i++)
		put_variant(w, i, &r->variant[i]);
}

static void put_output(struct writer *w, const struct report *r)
{
	cleanup_free char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (f) {
		report_print_headline(f, r);
		if (fclose(f) != 0)
			cleanup_free_fn(&text);
	}
	put_text(w, "output", text ? text : report_rule_name(r->rule));
}

void report_print_json(FILE *f, const struct report *r)
{
	struct writer w = { 0 };
	char when[64];

	report_print_time(when, sizeof(when), &r->time);
	json_begin_object(&w);
	put_text(&w, "time", when);
	put_text(&w, "rule", report_rule_name(r->rule));
	put_text(&w, "priority", report_priority_name(r->priority));
	put_text(&w, "source", "chiral");
	put_output(&w, r);
	json_key(&w, "output_fields");
	json_begin_object(&w);
	put_fields(&w, r);
	json_end_object(&w);
	json_end_object(&w);
	put_u8(&w, '\n');
	if (!w.failed) {
		fwrite(w.data, 1, w.len, f);
		fflush(f);
	}
	writer_free(&w);
}
