/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator says about calls: which of them wait for the followers although the others do not,
 * and which of them are refused. doc/policy.md is the reader's side of this.
 *
 * A rule has conditions and one consequence. A call meets a rule when it meets every condition that the
 * rule has: it is one of its calls (by name or class), and one of its descriptors is of one of the
 * kinds, and one of its paths matches one of the patterns. The order of rules means nothing: of all
 * that a call meets the strictest wins.
 *
 * Rules have one canonical text: lists and rules sorted, nothing twice. It is what travels in START, and
 * a part of what a policy's digest is made of.
 */
#ifndef CHIRAL_POLICY_RULES_H
#define CHIRAL_POLICY_RULES_H

#include "base/bytes.h"
#include "base/strv.h"

#include <stdbool.h>
#include <stdint.h>

#define RULES_MAX 64u		/* a bit each in struct policy_index */
#define RULE_NAMES_MAX 256u	/* entries of one list */
#define RULE_NAME_MAX 63u	/* bytes of a call's or class's name */
#define RULE_PATH_MAX 4095u /* bytes of a path or pattern */
#define RULES_TEXT_MAX (1u << 20) /* bytes of the canonical text */

/* Of a call; later ones are stricter. */
enum rule_level {
	RULE_LEVEL_NONE, /* the rule does not say: the session's level */
	RULE_LEVEL_OBSERVE, /* that too, but bytes that differ in a buffer are reported only */
	RULE_LEVEL_ASYNC,
	RULE_LEVEL_LOCKSTEP,
	_RULE_LEVEL_MAX,
};

/* Later ones are stricter. */
enum rule_verdict {
	RULE_ALLOW,
	RULE_REFUSE,	/* compared, but not executed: the same error in every variant */
	RULE_END,	/* not executed: an alarm, and the session ends */
	_RULE_VERDICT_MAX,
};

/* What a descriptor leads to. */
enum descriptor_kind {
	DESCRIPTOR_SOCKET,
	DESCRIPTOR_PIPE,	/* FIFOs too */
	DESCRIPTOR_TTY,
	DESCRIPTOR_FILE,	/* a regular one, also in memory */
	DESCRIPTOR_DIRECTORY,
	DESCRIPTOR_DEVICE,	/* what is neither a terminal nor one of the others */
	DESCRIPTOR_EVENT,	/* epoll, eventfd, timerfd, signalfd, inotify */
	_DESCRIPTOR_KIND_MAX,
};

struct policy_rule {
	uint8_t level;		/* enum rule_level; NONE when there is a verdict */
	uint8_t verdict;	/* enum rule_verdict */
	uint8_t err;		/* RULE_REFUSE: a positive errno */
	uint8_t kinds;		/* a bit for each enum descriptor_kind; 0: no condition */
	struct strv classes;	/* "network-io", "output"; with calls: either is enough */
	struct strv calls;	/* "sendto", "open", "fcntl", "fcntl$F_SETLK" */
	struct strv paths;	/* absolute; fnmatch(3) patterns, and everything below what they match */
};

struct policy_rules {
	struct policy_rule *rule;
	size_t n;
};

void rule_free(struct policy_rule *r);
void rules_free(struct policy_rules *rules);
/* Takes *r, also on failure. 0, -ENOMEM, -E2BIG over RULES_MAX. */
int rules_add(struct policy_rules *rules, struct policy_rule *r);
/* 0 or -ENOMEM. */
int rules_copy(const struct policy_rules *rules, struct policy_rules *ret);
/* Forgets what rules say about levels: something else has decided. */
void rules_drop_levels(struct policy_rules *rules);

/* Canonical order, nothing twice. -ENOMEM. */
int rules_canonicalise(struct policy_rules *rules);
/* The canonical text of canonical rules. */
void rules_render(struct writer *w, const struct policy_rules *rules);
/* Only canonical text of rules that rule_check() accepts: 0, -EPROTO, -ENOMEM. *ret is untouched on
 * failure. */
int rules_parse(const uint8_t *text, size_t len, struct policy_rules *ret);

/* True when the rule makes sense with this call table; else a clause that says what does not, and in
 * *ret_word the text in question, or NULL. */
bool rule_check(const struct policy_rule *r, char *why, size_t size, const char **ret_word);
/* True when the pattern or local path is one; else a clause. */
bool rule_check_path(const char *path, char *why, size_t size);

const char *rule_level_name(enum rule_level level);	/* NULL for NONE */
const char *descriptor_kind_name(enum descriptor_kind kind);
int rule_level_from_name(const char *name);		/* -EINVAL */
int descriptor_kind_from_name(const char *name);	/* -EINVAL */
/* "EPERM"; 0 when there is none of that name. */
int errno_from_name(const char *name);

#endif
