/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical text of rules: one line a fact, in a fixed order.
 *
 *	rule
 *	level lockstep
 *	refuse EPERM			or: refuse end
 *	class network-io
 *	call sendto
 *	descriptor socket
 *	path /srv
 *
 * No value has a newline, so that two different policies never have the same text.
 */
#include "policy/rules.h"

#include <errno.h>
#include <string.h>

/* ---- text and order --------------------------------------------------------------------------- */

static void render_line(struct writer *w, const char *key, const char *value)
{
	put_bytes(w, key, strlen(key));
	put_u8(w, ' ');
	put_bytes(w, value, strlen(value));
	put_u8(w, '\n');
}

static void render_list(struct writer *w, const char *key, const struct strv *list)
{
	for (size_t i = 0; i < list->n; i++)
		render_line(w, key, list->v[i]);
}

static void render_rule(struct writer *w, const struct policy_rule *r)
{
	put_bytes(w, "rule\n", 5);
	if (r->level != RULE_LEVEL_NONE)
		render_line(w, "level", rule_level_name(r->level));
	if (r->verdict == RULE_END)
		render_line(w, "refuse", "end");
	else if (r->verdict == RULE_REFUSE)
		render_line(w, "refuse", strerrorname_np(r->err));
	render_list(w, "class", &r->classes);
	render_list(w, "call", &r->calls);
	for (int i = 0; i < _DESCRIPTOR_KIND_MAX; i++)
		if (r->kinds & (1u << i))
			render_line(w, "descriptor", descriptor_kind_name(i));
	render_list(w, "path", &r->paths);
}

struct rendered {
	struct writer text;
	struct policy_rule rule;
};

static int compare_rendered(const void *a, const void *b)
{
	const struct writer *x = &((const struct rendered *)a)->text;
	const struct writer *y = &((const struct rendered *)b)->text;
	int r = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);

	return r ? r : (x->len > y->len) - (x->len < y->len);
}

/* Sorted; of equal ones the first stays. */
static void sort_rules(struct policy_rules *rules, struct rendered *all)
{
	size_t n = rules->n;

	qsort(all, n, sizeof(*all), compare_rendered);
	rules->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (i && compare_rendered(&all[i - 1], &all[i]) == 0)
			rule_free(&all[i].rule);
		else
			rules->rule[rules->n++] = all[i].rule;
	}
}

int rules_canonicalise(struct policy_rules *rules)
{
	struct rendered *all = calloc(rules->n + 1, sizeof(*all));
	size_t n = rules->n;
	bool failed = !all;

	for (size_t i = 0; i < n && !failed; i++) {
		struct policy_rule *r = &rules->rule[i];

		strv_sort_unique(&r->classes);
		strv_sort_unique(&r->calls);
		strv_sort_unique(&r->paths);
		all[i].rule = *r;
		render_rule(&all[i].text, r);
		failed = all[i].text.failed;
	}
	if (!failed)
		sort_rules(rules, all);
	for (size_t i = 0; all && i < n; i++)
		writer_free(&all[i].text);
	free(all);
	return failed ? -ENOMEM : 0;
}

void rules_render(struct writer *w, const struct policy_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		render_rule(w, &rules->rule[i]);
}

/* ---- parsing ---------------------------------------------------------------------------------- */

static int set_refuse(struct policy_rule *r, const char *value)
{
	int err;

	if (!strcmp(value, "end")) {
		r->verdict = RULE_END;
		return 0;
	}
	err = errno_from_name(value);
	if (err <= 0 || err > UINT8_MAX)
		return -EPROTO;
	r->verdict = RULE_REFUSE;
	r->err = (uint8_t)err;
	return 0;
}

static int add_name(struct strv *list, const char *value)
{
	return list->n < RULE_NAMES_MAX ? strv_add(list, value) : -EPROTO;
}

static int take_line(struct policy_rule *r, const char *key, const char *value)
{
	int v;

	if (!strcmp(key, "level")) {
		v = rule_level_from_name(value);
		r->level = v < 0 ? r->level : (uint8_t)v;
		return v < 0 ? -EPROTO : 0;
	}
	if (!strcmp(key, "descriptor")) {
		v = descriptor_kind_from_name(value);
		r->kinds |= v < 0 ? 0 : (uint8_t)(1u << v);
		return v < 0 ? -EPROTO : 0;
	}
	if (!strcmp(key, "refuse"))
		return set_refuse(r, value);
	if (!strcmp(key, "class"))
		return add_name(&r->classes, value);
	if (!strcmp(key, "call"))
		return add_name(&r->calls, value);
	if (!strcmp(key, "path"))
		return add_name(&r->paths, value);
	return -EPROTO;
}

static int parse_line(struct policy_rules *rules, char *line)
{
	char *value = strchr(line, ' ');

	if (!value) {
		struct policy_rule empty = { 0 };

		return strcmp(line, "rule") ? -EPROTO : rules_add(rules, &empty);
	}
	*value++ = 0;
	return rules->n ? take_line(&rules->rule[rules->n - 1], line, value) : -EPROTO;
}

static bool is_canonical(const struct policy_rules *rules, const uint8_t *text, size_t len)
{
	struct writer w = { 0 };
	bool same;

	rules_render(&w, rules);
	same = !w.failed && w.len == len && (len == 0 || !memcmp(w.data, text, len));
	writer_free(&w);
	return same;
}

static int check(struct policy_rules *rules, const uint8_t *text, size_t len)
{
	char why[256];
	const char *word;

	for (size_t i = 0; i < rules->n; i++)
		if (!rule_check(&rules->rule[i], why, sizeof(why), &word))
			return -EPROTO;
	if (rules_canonicalise(rules) < 0)
		return -ENOMEM;
	return is_canonical(rules, text, len) ? 0 : -EPROTO;
}

int rules_parse(const uint8_t *text, size_t len, struct policy_rules *ret)
{
	struct policy_rules rules = { 0 };
	char line[RULE_PATH_MAX + 32];
	int r = len <= RULES_TEXT_MAX ? 0 : -EPROTO;

	for (size_t at = 0; at < len && r == 0;) {
		const uint8_t *end = memchr(text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - text) - at : 0;

		if (!end || n >= sizeof(line) || memchr(text + at, 0, n)) {
			r = -EPROTO;
			break;
		}
		memcpy(line, text + at, n);
		line[n] = 0;
		r = parse_line(&rules, line);
		at += n + 1;
	}
	if (r == 0)
		r = check(&rules, text, len);
	if (r < 0) {
		rules_free(&rules);
		return r == -ENOMEM ? r : -EPROTO;
	}
	*ret = rules;
	return 0;
}
