/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An alarm: everything that is known about a difference between the variants. doc/alarms.md says
 * what each rule and each member means to a reader.
 *
 * A monitor fills what it knows (its half), the hub merges the halves and prints. All strings are
 * copies, cut to REPORT_TEXT_MAX; whoever fills a report need not check anything: an alarm that
 * lacks a part (out of memory) is better than none. Texts may hold bytes that an attacker chose,
 * and are escaped when printed.
 */
#ifndef CHIRAL_MATCH_REPORT_H
#define CHIRAL_MATCH_REPORT_H

#include "base/bytes.h"
#include "base/strv.h"
#include "event/call.h"
#include "isa/isa.h"
#include "match/history.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define REPORT_TEXT_MAX 1024u	/* bytes of one string without its NUL */
#define REPORT_CALLS_MAX HISTORY_CALLS
#define REPORT_FRAMES_MAX 64u
#define REPORT_BYTES_MAX 64u	/* of a payload, around the first difference */

/* Falco's priorities, most urgent first. */
#define REPORT_PRIORITIES(X)                                                                       \
	X(EMERGENCY, "Emergency")                                                                  \
	X(ALERT, "Alert")                                                                          \
	X(CRITICAL, "Critical")                                                                    \
	X(ERROR, "Error")                                                                          \
	X(WARNING, "Warning")                                                                      \
	X(NOTICE, "Notice")                                                                        \
	X(INFORMATIONAL, "Informational")                                                          \
	X(DEBUG, "Debug")

enum report_priority {
#define X(name, text) PRIORITY_##name,
	REPORT_PRIORITIES(X)
#undef X
	_PRIORITY_MAX,
};

/* name, rule as users see it, usual priority, headline */
#define REPORT_RULES(X)                                                                            \
	X(NONE, "none", DEBUG, "half of a report")                                                 \
	X(DIVERGENCE_CALL, "divergence.call", CRITICAL, "the variants made different calls")       \
	X(DIVERGENCE_ARGUMENT, "divergence.argument", CRITICAL,                                    \
	  "the variants made the same call with different arguments")                              \
	X(DIVERGENCE_PAYLOAD, "divergence.payload", CRITICAL,                                      \
	  "the variants passed different bytes to the same call")                                  \
	X(DIVERGENCE_OUTCOME, "divergence.outcome", CRITICAL,                                      \
	  "the follower cannot take the outcome that the leader's call had")                       \
	X(DIVERGENCE_SIGNAL, "divergence.signal", CRITICAL, "the variants got different signals")  \
	X(DIVERGENCE_EXIT, "divergence.exit", CRITICAL, "the variants ended differently")          \
	X(CRASH_ONE_VARIANT, "crash.one_variant", CRITICAL,                                        \
	  "one variant crashed, the other did not")                                                \
	X(LATE_VARIANT, "late.variant", ERROR, "a variant did not reach the other's call in time") \
	X(LOST_PEER, "lost.peer", ERROR, "a node of the session was lost")                         \
	X(POLICY_FORBIDDEN, "policy.forbidden", CRITICAL, "the program wants to make a call that "   \
							  "the policy forbids")

enum report_rule {
#define X(name, rule, priority, headline) REPORT_##name,
	REPORT_RULES(X)
#undef X
	_REPORT_RULE_MAX,
};

/* What the session did about it. */
enum report_action {
	ACTION_NONE,	/* not known (a monitor's half) */
	ACTION_KILL,	/* all variants were killed */
	ACTION_FREEZE,	/* all variants were stopped and kept */
	ACTION_REPORT,	/* nothing: the session goes on */
	_ACTION_MAX,
};

enum report_side {
	SIDE_LEADER,
	SIDE_FOLLOWER,
	_SIDE_MAX,
};

struct report_call {
	uint64_t position;
	char *text;
};

/* One variant's part; NULL, 0 or empty where nothing is known. */
struct report_variant {
	char *node;		/* "local", "microvm:arm64", "tcp://..." */
	enum isa isa;		/* _ISA_MAX: not known */
	char *call;		/* the call in question */
	char *did;		/* "write(...) = 5", "killed by SIGSEGV at 0x..." */
	uint64_t bytes_offset;	/* of bytes[0] in the payload */
	uint8_t n_bytes;
	uint8_t bytes[REPORT_BYTES_MAX];
	unsigned n_calls;	/* the last calls, oldest first */
	struct report_call calls[REPORT_CALLS_MAX];
	struct strv stack;	/* innermost frame first; at most REPORT_FRAMES_MAX */
};

struct report {
	enum report_rule rule;
	enum report_priority priority;
	enum report_action action;
	struct timespec time;	/* CLOCK_REALTIME */
	uint8_t session[16];
	char *policy;		/* digest in hexadecimal; set by the hub, not on the wire */
	char *program;
	uint32_t tid;		/* canonical; 0: none */
	uint64_t position;	/* in the thread's stream */
	uint32_t threads;	/* that the process had at once, at most; 0: not known */
	bool has_mismatch;
	struct call_mismatch mismatch;
	struct report_variant variant[_SIDE_MAX];
};

/* Time is now, priority the rule's usual one (may be changed), everything else empty. */
void report_init(struct report *r, enum report_rule rule);
void report_free(struct report *r);

void report_set_policy(struct report *r, const char *digest);
void report_set_program(struct report *r, const char *program);
void report_set_node(struct report *r, enum report_side side, const char *node, enum isa isa);
/* The call in question, printed. */
void report_set_call(struct report *r, enum report_side side, const struct call_record *c);
void report_set_call_text(struct report *r, enum report_side side, const char *text);
/* What this variant did, when it is not the call itself: "killed by SIGSEGV at 0x41414141". */
void report_set_did(struct report *r, enum report_side side, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * What call_equal() found between the two records, which are printed too; a payload's bytes around
 * the difference are kept. Sets the rule to divergence.call, .argument or .payload.
 */
void report_set_mismatch(struct report *r, const struct call_mismatch *m,
			 const struct call_record *leader, const struct call_record *follower);
/* Up to REPORT_BYTES_MAX bytes of a payload, of which the first is at offset. */
void report_set_bytes(struct report *r, enum report_side side, uint64_t offset,
		      const uint8_t *bytes, size_t n);
/* One more of the last calls, oldest first; those over REPORT_CALLS_MAX are dropped. */
void report_add_call(struct report *r, enum report_side side, uint64_t position, const char *text);
void report_set_history(struct report *r, enum report_side side, const struct history *h);
/* One more frame; those over REPORT_FRAMES_MAX are dropped. */
void report_add_frame(struct report *r, enum report_side side, const char *text);
void report_set_stack(struct report *r, enum report_side side, const struct strv *frames);

/* Fills what into lacks from the other half. */
void report_merge(struct report *into, const struct report *from);

/* Wire form, bounded by REPORT_ENCODED_MAX. Decoding is safe on hostile bytes: 0, -EPROTO, -ENOMEM;
 * on failure *ret is untouched. The caller checks reader_done() when the report is all there is. */
#define REPORT_ENCODED_MAX (512u << 10)
void report_encode(struct writer *w, const struct report *r);
int report_decode(struct reader *r, struct report *ret);

/* The alarm in one sentence, without newline (Falco's "output"). */
void report_print_headline(FILE *f, const struct report *r);
/* For people: at most about 80 lines. */
void report_print_text(FILE *f, const struct report *r, bool colour);
/* One line of JSON with Falco's keys, newline included. */
void report_print_json(FILE *f, const struct report *r);

const char *report_rule_name(enum report_rule rule);
const char *report_priority_name(enum report_priority priority);
const char *report_action_name(enum report_action action);

#endif
