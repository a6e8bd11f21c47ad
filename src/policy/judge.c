/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/judge.h"

#include "policy/cover.h"
#include "policy/subject.h"

void policy_index_init(struct policy_index *x, const struct policy_rules *rules)
{
	bool cover[_CALL_MAX];

	*x = (struct policy_index){ .rules = rules };
	for (size_t i = 0; i < rules->n && i < RULES_MAX; i++) {
		rule_cover(&rules->rule[i], cover);
		for (unsigned id = 0; id < _CALL_MAX; id++)
			if (cover[id])
				x->by_call[id] |= UINT64_C(1) << i;
	}
}

/* Nothing is looked up for a rule that would not change anything. */
static bool is_stricter(const struct policy_rule *r, const struct policy_judgement *than)
{
	if (r->verdict == RULE_REFUSE && than->verdict == RULE_REFUSE)
		return r->err < than->err;
	return r->verdict > than->verdict || r->level > than->level;
}

static bool is_met(const struct policy_rule *r, struct subject *s)
{
	return (r->kinds == 0 || (subject_kinds(s) & r->kinds)) &&
	       (r->paths.n == 0 || subject_is_at(s, &r->paths));
}

static void add(struct policy_judgement *j, const struct policy_rule *r)
{
	if (r->level > j->level)
		j->level = r->level;
	if (r->verdict > j->verdict || (r->verdict == RULE_REFUSE && j->verdict == RULE_REFUSE)) {
		j->verdict = r->verdict;
		j->err = r->err;
	}
}

struct policy_judgement policy_judge(const struct policy_index *x, pid_t tid,
				     const struct call_record *c)
{
	struct subject s = { .tid = tid, .call = c };
	struct policy_judgement j = { 0 };

	for (uint64_t left = x->by_call[c->id]; left; left &= left - 1) {
		const struct policy_rule *r = &x->rules->rule[__builtin_ctzll(left)];

		if (is_stricter(r, &j) && is_met(r, &s))
			add(&j, r);
	}
	subject_free(&s);
	return j;
}
