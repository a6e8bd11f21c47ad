/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the hub share. */
#ifndef CHIRAL_SESSION_HUB_INTERNAL_H
#define CHIRAL_SESSION_HUB_INTERNAL_H

#include "link/recfile.h"
#include "link/stdio.h"
#include "match/report.h"
#include "policy/policy.h"
#include "session/hub.h"
#include "session/peer.h"

#include <uthash.h>

enum hub_state {
	HUB_RUNNING,
	HUB_REPORTING,	/* a divergence; the leader's half of the alarm is awaited */
	HUB_FROZEN,	/* the user looks at the variants */
	HUB_ENDING,	/* everybody was told to end */
};

/* Lockstep: a call that the leader's thread waits to execute. */
struct hub_match {
	uint32_t tid;
	uint8_t by;		/* a bit for each follower that has matched it */
	UT_hash_handle hh;
};

struct hub {
	struct hub_config *config;
	enum hub_state state;
	struct peer leader;		/* without a link when a record takes its place */
	struct peer followers[HUB_PEERS_MAX];
	unsigned n_followers;
	struct recfile *record;		/* being written */
	struct recfile *source;		/* being verified */
	bool source_ended;
	uint64_t events, bytes;		/* that the leader sent */
	struct hub_match *matches;
	struct report report;		/* HUB_REPORTING: the follower's half */
	struct peer *accused;		/* the follower that reported; NULL: the leader, of itself */
	char policy[POLICY_DIGEST_HEX + 1]; /* digest of what is in force */
	char recorded_policy[POLICY_DIGEST_HEX + 1]; /* of a record's, when another was asked for */
	int64_t deadline;		/* of the state, ms; 0: none */
	int64_t looked_at;		/* when the nodes' silence was last looked at */
	int exit_status;		/* -1: not known yet */
	unsigned notices;		/* differences that the policy lets pass */
	bool divergent, lost, forbidden;
	int interrupts;
	struct stdio_hub stdio;		/* the leader's */
	int signal_fd;
};

/* hub_setup.c: from nothing to GO. 0, or a negative errno, logged, with exit_status set. */
int hub_setup(struct hub *h);

/* hub_frames.c: what nodes say. */
void hub_on_leader(struct hub *h, const struct frame *f);
void hub_on_follower(struct hub *h, struct peer *p, const struct frame *f);
/* Sends the acknowledgement that all followers agree on. */
void hub_acknowledge(struct hub *h);
/* A follower is compared with no more: what was waited for is looked at again. */
void hub_follower_left(struct hub *h);
bool hub_is_compared(const struct hub *h);
void hub_forget_matches(struct hub *h);

/* hub_end.c: divergence, loss and the end. */
void hub_on_verdict(struct hub *h, struct peer *p, const struct frame *f);
/* The leader says that its program wants what the policy forbids. */
void hub_on_forbidden(struct hub *h, const struct frame *f);
/* A follower tells of a difference that the policy lets pass. */
void hub_on_notice(struct hub *h, struct peer *p, const struct frame *f);
void hub_on_reported(struct hub *h, const struct frame *f);
/* The leader's half did not come in time. */
void hub_publish_alarm(struct hub *h);
void hub_lost(struct hub *h, struct peer *p, const char *why);
/* The policy lets the session continue when p is lost. */
bool hub_goes_on_without(const struct hub *h, const struct peer *p);
void hub_end(struct hub *h, int exit_status);
/* The leader goes on after the end of a follower that agreed with it so far. */
void hub_left_behind(struct hub *h, struct peer *p);
/* A variant's end: compares the statuses when both are known. */
void hub_check_exits(struct hub *h);
bool hub_is_over(const struct hub *h);

/* hub_status.c: JSON lines for --json-status-fd. */
void hub_status_started(struct hub *h);
void hub_status_alarm(struct hub *h, const struct report *r);
void hub_status_exit(struct hub *h);

#endif
