/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rules say about one call. The leader's monitor asks at each compared call; followers need not,
 * because a refused call is an event like any other, and one that waits says so (CALL_PART_AWAITED).
 *
 * Names and descriptors are looked up in /proc when a rule that could matter asks for them, at the
 * moment of the call: another thread of the program may change what they mean before the kernel looks.
 * What cannot be looked up counts as met. Rules are therefore no access control; see doc/policy.md.
 */
#ifndef CHIRAL_POLICY_JUDGE_H
#define CHIRAL_POLICY_JUDGE_H

#include "event/call.h"
#include "policy/rules.h"

#include <sys/types.h>

/* Rules, found by call. rules is borrowed. */
struct policy_index {
	const struct policy_rules *rules;
	uint64_t by_call[_CALL_MAX]; /* a bit for each rule that the call may meet */
};

void policy_index_init(struct policy_index *x, const struct policy_rules *rules);

struct policy_judgement {
	uint8_t level;	 /* enum rule_level */
	uint8_t verdict; /* enum rule_verdict */
	uint8_t err;	 /* RULE_REFUSE: of several the smallest */
};

/* c is captured at the entry of a call of thread tid, which is in a stop. */
struct policy_judgement policy_judge(const struct policy_index *x, pid_t tid,
				     const struct call_record *c);

#endif
