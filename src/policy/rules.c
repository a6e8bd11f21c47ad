/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/rules.h"

#include <errno.h>
#include <string.h>

#define ERRNO_LAST 133 /* EHWPOISON; errno values are equal on both ISAs */

static const char *const level_names[_RULE_LEVEL_MAX] = {
	[RULE_LEVEL_OBSERVE] = "observe",
	[RULE_LEVEL_ASYNC] = "async",
	[RULE_LEVEL_LOCKSTEP] = "lockstep",
};

static const char *const kind_names[_DESCRIPTOR_KIND_MAX] = {
	[DESCRIPTOR_SOCKET] = "socket",
	[DESCRIPTOR_PIPE] = "pipe",
	[DESCRIPTOR_TTY] = "tty",
	[DESCRIPTOR_FILE] = "file",
	[DESCRIPTOR_DIRECTORY] = "directory",
	[DESCRIPTOR_DEVICE] = "device",
	[DESCRIPTOR_EVENT] = "event",
};

static int index_of(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (names[i] && !strcmp(names[i], name))
			return i;
	return -EINVAL;
}

const char *rule_level_name(enum rule_level level)
{
	return level_names[level];
}

int rule_level_from_name(const char *name)
{
	return index_of(level_names, _RULE_LEVEL_MAX, name);
}

const char *descriptor_kind_name(enum descriptor_kind kind)
{
	return kind_names[kind];
}

int descriptor_kind_from_name(const char *name)
{
	return index_of(kind_names, _DESCRIPTOR_KIND_MAX, name);
}

int errno_from_name(const char *name)
{
	for (int e = 1; e <= ERRNO_LAST; e++) {
		const char *known = strerrorname_np(e);

		if (known && !strcmp(known, name))
			return e;
	}
	return 0;
}

void rule_free(struct policy_rule *r)
{
	strv_free(&r->classes);
	strv_free(&r->calls);
	strv_free(&r->paths);
	*r = (struct policy_rule){ 0 };
}

void rules_free(struct policy_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		rule_free(&rules->rule[i]);
	free(rules->rule);
	*rules = (struct policy_rules){ 0 };
}

int rules_add(struct policy_rules *rules, struct policy_rule *r)
{
	struct policy_rule *grown = NULL;
	int err = -E2BIG;

	if (rules->n < RULES_MAX) {
		grown = realloc(rules->rule, (rules->n + 1) * sizeof(*grown));
		err = -ENOMEM;
	}
	if (!grown) {
		rule_free(r);
		return err;
	}
	rules->rule = grown;
	rules->rule[rules->n++] = *r;
	*r = (struct policy_rule){ 0 };
	return 0;
}

static int copy_list(struct strv *to, const struct strv *from)
{
	for (size_t i = 0; i < from->n; i++)
		if (strv_add(to, from->v[i]) < 0)
			return -ENOMEM;
	return 0;
}

static int rule_copy(const struct policy_rule *r, struct policy_rule *ret)
{
	*ret = (struct policy_rule){
		.level = r->level, .verdict = r->verdict, .err = r->err, .kinds = r->kinds,
	};
	if (copy_list(&ret->classes, &r->classes) < 0 || copy_list(&ret->calls, &r->calls) < 0 ||
	    copy_list(&ret->paths, &r->paths) < 0) {
		rule_free(ret);
		return -ENOMEM;
	}
	return 0;
}

int rules_copy(const struct policy_rules *rules, struct policy_rules *ret)
{
	struct policy_rules copy = { 0 };

	for (size_t i = 0; i < rules->n; i++) {
		struct policy_rule r;

		if (rule_copy(&rules->rule[i], &r) < 0 || rules_add(&copy, &r) < 0) {
			rules_free(&copy);
			return -ENOMEM;
		}
	}
	*ret = copy;
	return 0;
}

void rules_drop_levels(struct policy_rules *rules)
{
	size_t kept = 0;

	for (size_t i = 0; i < rules->n; i++) {
		if (rules->rule[i].verdict == RULE_ALLOW)
			rule_free(&rules->rule[i]);
		else
			rules->rule[kept++] = rules->rule[i];
	}
	rules->n = kept;
}
