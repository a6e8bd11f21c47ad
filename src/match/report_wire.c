/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire form of a report. The other half of an alarm comes from a node whose variant may have
 * been taken over, so every number is checked against its range and every length against its bound;
 * what a text says is not trusted either, see report_text.c.
 */
#include "match/report.h"

#include <errno.h>
#include <string.h>

static void put_text(struct writer *w, const char *text)
{
	put_blob(w, text, text ? strnlen(text, REPORT_TEXT_MAX) : 0);
}

/* An empty string stands for an absent one. */
static char *get_text(struct reader *r)
{
	char *text = get_str(r, REPORT_TEXT_MAX);

	if (text && !*text) {
		free(text);
		return NULL;
	}
	return text;
}

/* A number below limit; anything else fails the reader. */
static unsigned get_below(struct reader *r, unsigned limit)
{
	unsigned v = get_u8(r);

	if (v >= limit)
		r->failed = true;
	return r->failed ? 0 : v;
}

static void put_mismatch(struct writer *w, const struct call_mismatch *m)
{
	put_u8(w, (uint8_t)(m->arg + 1));
	put_u8(w, m->payload);
	put_u8(w, m->exact);
	put_u64(w, m->offset);
	put_u64(w, m->leader_value);
	put_u64(w, m->follower_value);
	put_blob(w, m->text, strnlen(m->text, sizeof(m->text) - 1));
}

static void get_mismatch(struct reader *r, struct call_mismatch *m)
{
	const uint8_t *text;
	size_t n;

	m->arg = (int)get_below(r, CALL_ARGS_MAX + 1) - 1;
	m->payload = get_below(r, 2);
	m->exact = get_below(r, 2);
	m->offset = get_u64(r);
	m->leader_value = get_u64(r);
	m->follower_value = get_u64(r);
	text = get_blob(r, sizeof(m->text) - 1, &n);
	if (!text || memchr(text, 0, n)) {
		r->failed = true;
		return;
	}
	memcpy(m->text, text, n);
	m->text[n] = 0;
}

static void put_variant(struct writer *w, const struct report_variant *v)
{
	put_u8(w, (uint8_t)v->isa);
	put_text(w, v->node);
	put_text(w, v->call);
	put_text(w, v->did);
	put_u64(w, v->bytes_offset);
	put_u8(w, v->n_bytes);
	put_bytes(w, v->bytes, v->n_bytes);
	put_u8(w, (uint8_t)v->n_calls);
	for (unsigned i = 0; i < v->n_calls; i++) {
		put_u64(w, v->calls[i].position);
		put_text(w, v->calls[i].text);
	}
	put_u8(w, (uint8_t)v->stack.n);
	for (size_t i = 0; i < v->stack.n; i++)
		put_text(w, v->stack.v[i]);
}

static void get_calls(struct reader *r, struct report_variant *v)
{
	unsigned n = get_below(r, REPORT_CALLS_MAX + 1);

	for (unsigned i = 0; i < n && !r->failed; i++) {
		uint64_t position = get_u64(r);
		char *text = get_str(r, REPORT_TEXT_MAX);

		if (text)
			v->calls[v->n_calls++] = (struct report_call){ position, text };
	}
}

static void get_stack(struct reader *r, struct report_variant *v)
{
	unsigned n = get_below(r, REPORT_FRAMES_MAX + 1);

	for (unsigned i = 0; i < n && !r->failed; i++) {
		char *text = get_str(r, REPORT_TEXT_MAX);

		if (text && strv_add(&v->stack, text) < 0)
			r->failed = true;
		free(text);
	}
}

static void get_variant(struct reader *r, struct report_variant *v)
{
	const uint8_t *bytes;

	v->isa = get_below(r, _ISA_MAX + 1);
	v->node = get_text(r);
	v->call = get_text(r);
	v->did = get_text(r);
	v->bytes_offset = get_u64(r);
	v->n_bytes = (uint8_t)get_below(r, REPORT_BYTES_MAX + 1);
	bytes = get_bytes(r, v->n_bytes);
	if (bytes)
		memcpy(v->bytes, bytes, v->n_bytes);
	get_calls(r, v);
	get_stack(r, v);
}

void report_encode(struct writer *w, const struct report *r)
{
	put_u8(w, (uint8_t)r->rule);
	put_u8(w, (uint8_t)r->priority);
	put_u8(w, (uint8_t)r->action);
	put_s64(w, r->time.tv_sec);
	put_u32(w, (uint32_t)r->time.tv_nsec);
	put_bytes(w, r->session, sizeof(r->session));
	put_text(w, r->program);
	put_u32(w, r->tid);
	put_u64(w, r->position);
	put_u32(w, r->threads);
	put_u8(w, r->has_mismatch);
	if (r->has_mismatch)
		put_mismatch(w, &r->mismatch);
	for (int i = 0; i < _SIDE_MAX; i++)
		put_variant(w, &r->variant[i]);
}

/* Years 1970 to 9999: what a date can be printed for. */
#define TIME_MAX INT64_C(253402300799)

static void get_time(struct reader *r, struct timespec *ret)
{
	int64_t sec = get_s64(r);
	uint32_t nsec = get_u32(r);

	if (sec < 0 || sec > TIME_MAX || nsec >= 1000000000)
		r->failed = true;
	else
		*ret = (struct timespec){ .tv_sec = sec, .tv_nsec = (long)nsec };
}

int report_decode(struct reader *r, struct report *ret)
{
	struct report report = { 0 };
	const uint8_t *session;

	report.rule = get_below(r, _REPORT_RULE_MAX);
	report.priority = get_below(r, _PRIORITY_MAX);
	report.action = get_below(r, _ACTION_MAX);
	get_time(r, &report.time);
	session = get_bytes(r, sizeof(report.session));
	if (session)
		memcpy(report.session, session, sizeof(report.session));
	report.program = get_text(r);
	report.tid = get_u32(r);
	report.position = get_u64(r);
	report.threads = get_u32(r);
	report.has_mismatch = get_below(r, 2);
	if (report.has_mismatch)
		get_mismatch(r, &report.mismatch);
	for (int i = 0; i < _SIDE_MAX; i++)
		get_variant(r, &report.variant[i]);
	if (r->failed) {
		report_free(&report);
		return -EPROTO;
	}
	*ret = report;
	return 0;
}
