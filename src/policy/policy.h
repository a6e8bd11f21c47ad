/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy: the settings of a session that an operator keeps in a file (doc/policy.md). It is read by
 * the hub alone, and travels to the nodes in START; nothing near a variant parses YAML.
 *
 * A policy's canonical text says everything that is in force, defaults too, in a fixed order. Its
 * SHA-256 is the policy's digest: comments, order and what is written twice do not change it, anything
 * that changes what a session does, does.
 */
#ifndef CHIRAL_POLICY_POLICY_H
#define CHIRAL_POLICY_POLICY_H

#include "policy/rules.h"
#include "session/start.h"

#define POLICY_DEFAULT_FILE "/etc/chiral/policy.yaml"
#define POLICY_FILE_MAX (256u << 10) /* bytes of a file */
#define POLICY_DIGEST_HEX 64u

/* How far a leader runs ahead of its followers. What is in the window is what a slow follower still has
 * to verify when something happens: on an emulated CPU about two seconds. */
#define POLICY_WINDOW_EVENTS 2048u
#define POLICY_WINDOW_BYTES (2u << 20)
#define POLICY_WINDOW_EVENTS_MAX (1u << 20)
#define POLICY_WINDOW_BYTES_MIN 4096u
#define POLICY_WINDOW_BYTES_MAX (1u << 30)

/* Which settings a file gives. */
enum {
	POLICY_HAS_LEVEL = 1,
	POLICY_HAS_ON_DIVERGENCE = 2,
	POLICY_HAS_ON_LOST_PEER = 4,
	POLICY_HAS_WINDOW_EVENTS = 8,
	POLICY_HAS_WINDOW_BYTES = 16,
};

struct policy {
	uint8_t level;		/* enum session_level */
	uint8_t on_divergence;	/* enum on_divergence */
	uint8_t on_lost_peer;	/* enum on_lost_peer */
	uint32_t window_events;
	uint64_t window_bytes;
	struct strv local;	/* absolute paths */
	struct policy_rules rules;
	unsigned given;		/* POLICY_HAS_* */
};

/* The defaults. */
void policy_init(struct policy *p);
void policy_free(struct policy *p);
/* Sorts lists and rules. -ENOMEM. */
int policy_canonicalise(struct policy *p);

/* Reads a file. Every error is logged with the file's name and a line. 0 or -errno; *ret is untouched on
 * failure. The policy is canonical. */
int policy_load(const char *file, struct policy *ret);
/* The same from text; name is for messages. */
int policy_read(const char *name, const char *text, size_t len, struct policy *ret);

/* Of a canonical policy. */
void policy_render(struct writer *w, const struct policy *p);
/* -ENOMEM */
int policy_digest(const struct policy *p, char ret[POLICY_DIGEST_HEX + 1]);

/* Between a policy and what of it is in START. The first replaces the fields; -ENOMEM. */
int policy_to_start(const struct policy *p, struct start *s);
int policy_of_start(const struct start *s, struct policy *ret);
int policy_digest_of_start(const struct start *s, char ret[POLICY_DIGEST_HEX + 1]);

/* For people: what is in force, and what it means. file may be NULL: the defaults. */
void policy_explain(FILE *f, const struct policy *p, const char *file);
/* One JSON object and a newline. */
void policy_explain_json(FILE *f, const struct policy *p, const char *file);

#endif
