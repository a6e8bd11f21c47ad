/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/yaml_scan.h"

#include "base/log.h"
#include "policy/yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 16

static bool is_begin(const yaml_event_t *e)
{
	return e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT;
}

static bool is_end(const yaml_event_t *e)
{
	return e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT;
}

static bool has_anchor_or_tag(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return e->data.scalar.anchor || e->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return e->data.sequence_start.anchor || e->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return e->data.mapping_start.anchor || e->data.mapping_start.tag;
	default:
		return false;
	}
}

struct scan {
	unsigned documents, depth;
	bool ended;
};

/* What is wrong with the event; NULL: nothing. */
static const char *look(struct scan *s, const yaml_event_t *e)
{
	if (e->type == YAML_DOCUMENT_START_EVENT && ++s->documents > 1)
		return "a policy is one document";
	if (has_anchor_or_tag(e))
		return "a policy has neither anchors nor tags";
	if (e->type == YAML_SCALAR_EVENT &&
	    strlen((const char *)e->data.scalar.value) != e->data.scalar.length)
		return "a value has a NUL byte";
	if (is_begin(e) && ++s->depth > DEPTH_MAX)
		return "this is nested too deeply";
	if (is_end(e))
		s->depth--;
	s->ended = e->type == YAML_STREAM_END_EVENT;
	return NULL;
}

static int next(const char *name, yaml_parser_t *parser, struct scan *s)
{
	const char *wrong;
	yaml_event_t e;

	if (!yaml_parser_parse(parser, &e)) {
		log_error("%s:%zu: this is not YAML: %s", name, parser->problem_mark.line + 1,
			  parser->problem ? parser->problem : "it cannot be read");
		return -EINVAL;
	}
	wrong = look(s, &e);
	if (wrong)
		log_error("%s:%zu: %s", name, e.start_mark.line + 1, wrong);
	yaml_event_delete(&e);
	return wrong ? -EINVAL : 0;
}

int policy_yaml_scan(const char *name, const char *text, size_t len)
{
	struct scan s = { 0 };
	yaml_parser_t parser;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return log_errno(ENOMEM, "cannot read the policy %s", name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (r == 0 && !s.ended)
		r = next(name, &parser, &s);
	yaml_parser_delete(&parser);
	return r < 0 ? r : s.documents > 0;
}

/* ---- lines ------------------------------------------------------------------------------------ */

/* Calls step for every event until it has found a line. The text was scanned before. */
static void walk(const char *text, size_t len, void (*step)(void *arg, const yaml_event_t *e),
		 void *arg, const unsigned *line)
{
	yaml_parser_t parser;
	bool ended = false;

	if (!yaml_parser_initialize(&parser))
		return;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (!ended && *line == 0) {
		yaml_event_t e;

		if (!yaml_parser_parse(&parser, &e))
			break;
		step(arg, &e);
		ended = e.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&parser);
}

static unsigned line_of(const yaml_event_t *e)
{
	return (unsigned)e->start_mark.line + 1;
}

struct search {
	const char *key, *value;
	int item;		/* wanted */
	int at_item;		/* -1: before the first */
	unsigned depth;		/* 1: in the top mapping */
	bool in_value;		/* of the top mapping: a key was read */
	bool in_key;		/* below the wanted key */
	unsigned line;
};

static bool is_here(const struct search *s)
{
	return s->in_key && (s->item < 0 || s->at_item == s->item);
}

static void at_scalar(struct search *s, const char *value, unsigned line)
{
	if (s->depth == 1 && !s->in_value) {
		s->in_key = !strcmp(value, s->key);
		s->at_item = -1;
		s->in_value = true;
		if (s->in_key && s->item < 0 && !s->value)
			s->line = line;
		return;
	}
	if (s->depth == 2)
		s->at_item++;
	if (s->value && is_here(s) && !strcmp(value, s->value))
		s->line = line;
	if (s->depth == 1)
		s->in_value = false;
}

static void search_step(void *arg, const yaml_event_t *e)
{
	struct search *s = arg;

	if (e->type == YAML_SCALAR_EVENT) {
		at_scalar(s, (const char *)e->data.scalar.value, line_of(e));
	} else if (is_begin(e)) {
		if (s->depth == 2)
			s->at_item++;
		s->depth++;
		if (s->depth == 3 && !s->value && s->item >= 0 && is_here(s))
			s->line = line_of(e);
	} else if (is_end(e) && s->depth-- == 2) {
		s->in_value = false;
	}
}

unsigned policy_yaml_line_of(const char *text, size_t len, const char *key, int item,
			     const char *value)
{
	struct search s = { .key = key, .value = value, .item = item };

	walk(text, len, search_step, &s, &s.line);
	return s.line;
}

struct key_search {
	const char *key;
	unsigned from, depth, line;
	unsigned found_at;	/* depth of the first place; 0: none yet */
	bool again;
	bool mapping[DEPTH_MAX + 1], in_value[DEPTH_MAX + 1]; /* by depth */
};

static void at_key(struct key_search *s, const yaml_event_t *e)
{
	if (line_of(e) < s->from || strcmp((const char *)e->data.scalar.value, s->key))
		return;
	if (!s->again || s->found_at == s->depth)
		s->line = line_of(e);
	else if (s->found_at == 0)
		s->found_at = s->depth;
}

static void key_step(void *arg, const yaml_event_t *e)
{
	struct key_search *s = arg;

	if (e->type == YAML_SCALAR_EVENT) {
		if (s->mapping[s->depth] && !s->in_value[s->depth])
			at_key(s, e);
		s->in_value[s->depth] = !s->in_value[s->depth];
	} else if (is_begin(e)) {
		s->depth++;
		s->mapping[s->depth] = e->type == YAML_MAPPING_START_EVENT;
		s->in_value[s->depth] = false;
	} else if (is_end(e)) {
		s->depth--;
		s->in_value[s->depth] = false;
	}
}

unsigned policy_yaml_line_of_key(const char *text, size_t len, unsigned from, const char *key,
				 bool again)
{
	struct key_search s = { .key = key, .from = from, .again = again };

	walk(text, len, key_step, &s, &s.line);
	return s.line ? s.line : from;
}
