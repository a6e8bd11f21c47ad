/* SPDX-License-Identifier: Apache-2.0 */
/* From a file's strings to a policy. Every mistake is named, not only the first. */
#include "policy/policy.h"

#include "base/log.h"
#include "policy/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct load {
	const char *name, *text;
	size_t len;
	const char *key;	/* top-level key in question */
	int item;		/* of its list; -1: none */
	unsigned mistakes;
};

static void mistake(struct load *l, const char *word, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void mistake(struct load *l, const char *word, const char *fmt, ...)
{
	unsigned line = policy_yaml_line_of(l->text, l->len, l->key, l->item, word);
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	l->mistakes++;
	if (word)
		log_error("%s:%u: '%s': %s", l->name, line ? line : 1, word, what);
	else
		log_error("%s:%u: %s", l->name, line ? line : 1, what);
}

static void look_at(struct load *l, const char *key, int item)
{
	l->key = key;
	l->item = item;
}

/* ---- values ----------------------------------------------------------------------------------- */

/* Digits, and K, M or G for the powers of 1024. */
static bool number_of(const char *text, uint64_t *ret)
{
	static const char units[] = "KMG";
	uint64_t n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (n > UINT64_MAX / 16)
			return false;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	if (p == text)
		return false;
	if (*p) {
		const char *unit = strchr(units, *p);

		if (!unit || p[1] || n > UINT64_MAX >> 40)
			return false;
		n <<= 10 * (unit - units + 1);
	}
	*ret = n;
	return true;
}

static uint64_t take_number(struct load *l, const char *text, uint64_t min, uint64_t max)
{
	uint64_t n;

	if (number_of(text, &n) && n >= min && n <= max)
		return n;
	mistake(l, text, "this is no number from %llu to %llu", (unsigned long long)min,
		(unsigned long long)max);
	return min;
}

static uint8_t take_choice(struct load *l, const char *text, int value, const char *choices)
{
	if (value >= 0)
		return (uint8_t)value;
	mistake(l, text, "this is not one of %s", choices);
	return 0;
}

/* ---- a rule ----------------------------------------------------------------------------------- */

static int copy(struct strv *to, char *const *from, uint32_t n, bool is_class)
{
	for (uint32_t i = 0; i < n; i++)
		if (strv_add(to, from[i] + (is_class && from[i][0] == '@')) < 0)
			return -ENOMEM;
	return 0;
}

static void take_kinds(struct load *l, const struct yaml_rule *y, struct policy_rule *r)
{
	for (uint32_t i = 0; i < y->descriptors_count; i++) {
		int kind = descriptor_kind_from_name(y->descriptors[i]);

		if (kind < 0)
			mistake(l, y->descriptors[i], "this is not one of socket, pipe, tty, file, "
						      "directory, device, event");
		else
			r->kinds |= (uint8_t)(1u << kind);
	}
}

static void take_refuse(struct load *l, const char *text, struct policy_rule *r)
{
	int err = errno_from_name(text);

	r->verdict = strcmp(text, "end") ? RULE_REFUSE : RULE_END;
	r->err = (uint8_t)err;
	if (r->verdict == RULE_REFUSE && err <= 0)
		mistake(l, text, "this is neither the name of an error, as EPERM, nor 'end'");
}

/* The word as the file has it: a class may carry its "@". */
static void rule_mistake(struct load *l, const struct policy_rule *r, const char *word,
			 const char *why)
{
	char with_at[RULE_NAME_MAX + 2];

	for (size_t i = 0; word && i < r->classes.n; i++) {
		if (r->classes.v[i] == word &&
		    snprintf(with_at, sizeof(with_at), "@%s", word) < (int)sizeof(with_at) &&
		    policy_yaml_line_of(l->text, l->len, l->key, l->item, with_at))
			word = with_at;
	}
	mistake(l, word, "%s", why);
}

static int take_rule(struct load *l, const struct yaml_rule *y, struct policy_rules *rules)
{
	struct policy_rule r = { 0 };
	unsigned before = l->mistakes;
	const char *word;
	char why[256];

	if (copy(&r.classes, y->classes, y->classes_count, true) < 0 ||
	    copy(&r.calls, y->calls, y->calls_count, false) < 0 ||
	    copy(&r.paths, y->paths, y->paths_count, false) < 0) {
		rule_free(&r);
		return -ENOMEM;
	}
	take_kinds(l, y, &r);
	if (y->level)
		r.level = take_choice(l, y->level, rule_level_from_name(y->level),
				      "async, lockstep, observe");
	if (y->refuse)
		take_refuse(l, y->refuse, &r);
	if (l->mistakes == before && !rule_check(&r, why, sizeof(why), &word))
		rule_mistake(l, &r, word, why);
	return rules_add(rules, &r);
}

/* ---- the whole -------------------------------------------------------------------------------- */

static void take_settings(struct load *l, const struct yaml_policy *y, struct policy *p)
{
	look_at(l, "level", -1);
	if (y->level) {
		p->level = take_choice(l, y->level, level_from_name(y->level),
				       "async, lockstep, observe");
		p->given |= POLICY_HAS_LEVEL;
	}
	look_at(l, "on-divergence", -1);
	if (y->on_divergence) {
		p->on_divergence = take_choice(l, y->on_divergence,
					       action_from_name(y->on_divergence),
					       "kill, freeze, report");
		p->given |= POLICY_HAS_ON_DIVERGENCE;
	}
	look_at(l, "on-lost-peer", -1);
	if (y->on_lost_peer) {
		p->on_lost_peer = take_choice(l, y->on_lost_peer, lost_from_name(y->on_lost_peer),
					      "kill, continue");
		p->given |= POLICY_HAS_ON_LOST_PEER;
	}
}

static void take_window(struct load *l, const struct yaml_window *w, struct policy *p)
{
	look_at(l, "window", -1);
	if (w && w->events) {
		p->window_events = (uint32_t)take_number(l, w->events, 1, POLICY_WINDOW_EVENTS_MAX);
		p->given |= POLICY_HAS_WINDOW_EVENTS;
	}
	if (w && w->bytes) {
		p->window_bytes = take_number(l, w->bytes, POLICY_WINDOW_BYTES_MIN,
					      POLICY_WINDOW_BYTES_MAX);
		p->given |= POLICY_HAS_WINDOW_BYTES;
	}
}

static int take_local(struct load *l, const struct yaml_policy *y, struct policy *p)
{
	char why[128];

	look_at(l, "local", -1);
	for (uint32_t i = 0; i < y->local_count; i++) {
		if (!rule_check_path(y->local[i], why, sizeof(why)))
			mistake(l, y->local[i], "%s", why);
		if (strv_add(&p->local, y->local[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int take_policy(struct load *l, const struct yaml_policy *y, struct policy *p)
{
	int r = take_local(l, y, p);

	take_settings(l, y, p);
	take_window(l, y->window, p);
	for (uint32_t i = 0; i < y->rules_count && r == 0; i++) {
		look_at(l, "rules", (int)i);
		r = take_rule(l, &y->rules[i], &p->rules);
	}
	if (r == 0 && l->mistakes == 0)
		r = policy_canonicalise(p);
	return r < 0 ? log_errno(-r, "cannot read the policy %s", l->name)
		     : l->mistakes ? -EINVAL : 0;
}

int policy_read(const char *name, const char *text, size_t len, struct policy *ret)
{
	struct load l = { .name = name, .text = text, .len = len };
	struct yaml_policy *y;
	struct policy p;
	int r = policy_yaml_read(name, text, len, &y);

	if (r < 0)
		return r;
	policy_init(&p);
	if (y)
		r = take_policy(&l, y, &p);
	policy_yaml_free(y);
	if (r < 0) {
		policy_free(&p);
		return r;
	}
	*ret = p;
	return 0;
}

int policy_load(const char *file, struct policy *ret)
{
	cleanup_close int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	cleanup_free char *text = malloc(POLICY_FILE_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0 || !text)
		return log_errno(errno, "cannot read the policy %s", file);
	while (n > 0 && len <= POLICY_FILE_MAX) {
		n = read(fd, text + len, POLICY_FILE_MAX + 1 - len);
		if (n > 0)
			len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0)
		return log_errno(errno, "cannot read the policy %s", file);
	if (len > POLICY_FILE_MAX) {
		log_error("the policy %s is longer than %u KiB", file, POLICY_FILE_MAX >> 10);
		return -EFBIG;
	}
	return policy_read(file, text, len, ret);
}
