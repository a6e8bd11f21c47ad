/* SPDX-License-Identifier: Apache-2.0 */
#include "match/report.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <string.h>

#define X(name, rule, priority, headline) rule,
static const char *const rule_names[_REPORT_RULE_MAX] = { REPORT_RULES(X) };
#undef X
#define X(name, rule, priority, headline) PRIORITY_##priority,
static const uint8_t rule_priorities[_REPORT_RULE_MAX] = { REPORT_RULES(X) };
#undef X
#define X(name, text) text,
static const char *const priority_names[_PRIORITY_MAX] = { REPORT_PRIORITIES(X) };
#undef X
static const char *const action_names[_ACTION_MAX] = { "none", "kill", "freeze", "report" };

const char *report_rule_name(enum report_rule rule)
{
	return rule_names[rule];
}

const char *report_priority_name(enum report_priority priority)
{
	return priority_names[priority];
}

const char *report_action_name(enum report_action action)
{
	return action_names[action];
}

void report_init(struct report *r, enum report_rule rule)
{
	*r = (struct report){ .rule = rule, .priority = rule_priorities[rule] };
	clock_gettime(CLOCK_REALTIME, &r->time);
	for (int i = 0; i < _SIDE_MAX; i++)
		r->variant[i].isa = _ISA_MAX;
}

static void variant_free(struct report_variant *v)
{
	free(v->node);
	free(v->call);
	free(v->did);
	for (unsigned i = 0; i < v->n_calls; i++)
		free(v->calls[i].text);
	strv_free(&v->stack);
}

void report_free(struct report *r)
{
	free(r->policy);
	free(r->program);
	for (int i = 0; i < _SIDE_MAX; i++)
		variant_free(&r->variant[i]);
	*r = (struct report){ 0 };
}

/* A copy of at most REPORT_TEXT_MAX bytes; "..." ends one that was cut. */
static char *copy_text(const char *text)
{
	size_t len = strlen(text);
	char *copy = strndup(text, len < REPORT_TEXT_MAX ? len : REPORT_TEXT_MAX);

	if (copy && len > REPORT_TEXT_MAX)
		memcpy(copy + REPORT_TEXT_MAX - 3, "...", 3);
	return copy;
}

static void set_text(char **field, const char *text)
{
	free(*field);
	*field = text && *text ? copy_text(text) : NULL;
}

void report_set_policy(struct report *r, const char *digest)
{
	set_text(&r->policy, digest);
}

void report_set_program(struct report *r, const char *program)
{
	set_text(&r->program, program);
}

void report_set_node(struct report *r, enum report_side side, const char *node, enum isa isa)
{
	set_text(&r->variant[side].node, node);
	r->variant[side].isa = isa;
}

void report_set_call_text(struct report *r, enum report_side side, const char *text)
{
	set_text(&r->variant[side].call, text);
}

void report_set_did(struct report *r, enum report_side side, const char *fmt, ...)
{
	cleanup_free char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	set_text(&r->variant[side].did, text);
}

void report_set_bytes(struct report *r, enum report_side side, uint64_t offset,
		      const uint8_t *bytes, size_t n)
{
	struct report_variant *v = &r->variant[side];

	v->n_bytes = (uint8_t)(n < REPORT_BYTES_MAX ? n : REPORT_BYTES_MAX);
	v->bytes_offset = offset;
	if (v->n_bytes)
		memcpy(v->bytes, bytes, v->n_bytes);
}

void report_add_call(struct report *r, enum report_side side, uint64_t position, const char *text)
{
	struct report_variant *v = &r->variant[side];
	char *copy;

	if (v->n_calls == REPORT_CALLS_MAX)
		return;
	copy = copy_text(text);
	if (copy)
		v->calls[v->n_calls++] = (struct report_call){ position, copy };
}

void report_add_frame(struct report *r, enum report_side side, const char *text)
{
	struct strv *stack = &r->variant[side].stack;
	cleanup_free char *copy = copy_text(text);

	if (copy && stack->n < REPORT_FRAMES_MAX)
		(void)strv_add(stack, copy);
}

void report_set_stack(struct report *r, enum report_side side, const struct strv *frames)
{
	strv_free(&r->variant[side].stack);
	for (size_t i = 0; i < frames->n; i++)
		report_add_frame(r, side, frames->v[i]);
}

static void merge_text(char **into, const char *from)
{
	if (!*into && from)
		set_text(into, from);
}

static void merge_variant(struct report *into, const struct report *from, enum report_side side)
{
	struct report_variant *v = &into->variant[side];
	const struct report_variant *w = &from->variant[side];

	merge_text(&v->node, w->node);
	merge_text(&v->call, w->call);
	merge_text(&v->did, w->did);
	if (v->isa == _ISA_MAX)
		v->isa = w->isa;
	if (v->n_bytes == 0)
		report_set_bytes(into, side, w->bytes_offset, w->bytes, w->n_bytes);
	if (v->n_calls == 0)
		for (unsigned i = 0; i < w->n_calls; i++)
			report_add_call(into, side, w->calls[i].position, w->calls[i].text);
	if (v->stack.n == 0)
		report_set_stack(into, side, &w->stack);
}

void report_merge(struct report *into, const struct report *from)
{
	static const uint8_t none[sizeof(into->session)];

	if (into->rule == REPORT_NONE) {
		into->rule = from->rule;
		into->priority = from->priority;
	}
	if (into->action == ACTION_NONE)
		into->action = from->action;
	if (!memcmp(into->session, none, sizeof(none)))
		memcpy(into->session, from->session, sizeof(none));
	merge_text(&into->program, from->program);
	/* The position belongs to the thread: both or neither. */
	if (into->tid == 0) {
		into->tid = from->tid;
		into->position = from->position;
	}
	if (into->threads < from->threads)
		into->threads = from->threads;
	if (!into->has_mismatch && from->has_mismatch) {
		into->has_mismatch = true;
		into->mismatch = from->mismatch;
	}
	for (int i = 0; i < _SIDE_MAX; i++)
		merge_variant(into, from, i);
}
