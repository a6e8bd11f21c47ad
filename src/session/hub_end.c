/* SPDX-License-Identifier: Apache-2.0 */
/* Divergence, loss, and how a session ends. */
#include "session/hub_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORTED_MS 1500	/* for the leader's half of an alarm */
/* One for each call of the table and follower. */
#define NOTICES_MAX (_CALL_MAX * HUB_PEERS_MAX)
#define ENDING_MS 2500		/* for every node to say EXITED after KILL */

static int status_of(int wait_status)
{
	return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

static void tell_all(struct hub *h, enum frame_type type)
{
	peer_send(&h->leader, type, NULL, 0);
	for (unsigned i = 0; i < h->n_followers; i++)
		peer_send(&h->followers[i], type, NULL, 0);
}

void hub_end(struct hub *h, int exit_status)
{
	if (h->state == HUB_ENDING)
		return;
	h->state = HUB_ENDING;
	h->deadline = deadline_after_ms(ENDING_MS);
	if (h->exit_status < 0)
		h->exit_status = exit_status;
	tell_all(h, FRAME_KILL);
}

bool hub_goes_on_without(const struct hub *h, const struct peer *p)
{
	return h->state == HUB_RUNNING && p != &h->leader && h->config->leader && !h->leader.lost &&
	       h->config->start.on_lost_peer == LOST_CONTINUE;
}

/* What the session is like without the follower that has just left. */
static const char *without_follower(const struct hub *h)
{
	return hub_is_compared(h) ? "with its other followers" : "unprotected";
}

static void publish_loss(struct hub *h, struct peer *p, const char *said, bool goes_on)
{
	enum report_side side = p->role == ROLE_LEADER ? SIDE_LEADER : SIDE_FOLLOWER;
	struct report r;

	report_init(&r, REPORT_LOST_PEER);
	memcpy(r.session, h->config->start.session, sizeof(r.session));
	report_set_policy(&r, h->policy);
	report_set_program(&r, h->config->start.program);
	report_set_node(&r, side, p->node, p->isa);
	report_set_did(&r, side, "lost: %s", said);
	r.action = goes_on ? ACTION_REPORT : ACTION_KILL;
	hub_status_alarm(h, &r);
	report_free(&r);
}

void hub_lost(struct hub *h, struct peer *p, const char *why)
{
	bool goes_on = hub_goes_on_without(h, p);
	char said[256];

	if (p->lost || p->dropped)
		return;
	snprintf(said, sizeof(said), "%s", why);
	p->lost = true;
	if (p->link)
		link_free(p->link);
	p->link = NULL;
	if (h->state == HUB_ENDING || p->exited)
		return;
	if (h->state != HUB_RUNNING) {
		hub_publish_alarm(h);
		return;
	}
	h->lost = true;
	publish_loss(h, p, said, goes_on);
	if (goes_on) {
		hub_follower_left(h);
		log_warn("lost the follower at %s (%s); the session goes on %s", p->node, said,
			 without_follower(h));
		return;
	}
	log_error("lost the %s at %s (%s); ending the session",
		  p->role == ROLE_LEADER ? "leader" : "follower", p->node, said);
	hub_end(h, EXIT_PEER_LOST);
}

/* ---- divergence ------------------------------------------------------------------------------- */

static enum report_action action_of(const struct hub *h)
{
	const struct start *s = &h->config->start;

	/* What a rule says about a call is not softened by what is said about differences. */
	if (h->report.rule == REPORT_POLICY_FORBIDDEN)
		return s->action == ON_FREEZE ? ACTION_FREEZE : ACTION_KILL;
	if (s->level == LEVEL_OBSERVE)
		return ACTION_REPORT;
	switch ((enum on_divergence)s->action) {
	case ON_FREEZE:
		return ACTION_FREEZE;
	case ON_REPORT:
		return ACTION_REPORT;
	default:
		return ACTION_KILL;
	}
}

/* An alarm's places and names, which the hub knows best. */
static void complete(struct hub *h, struct report *r, const struct peer *accused)
{
	memcpy(r->session, h->config->start.session, sizeof(r->session));
	report_set_policy(r, h->policy);
	report_set_program(r, h->config->start.program);
	if (h->config->leader)
		report_set_node(r, SIDE_LEADER, h->leader.node, h->leader.isa);
	else
		report_set_node(r, SIDE_LEADER, h->config->verify, _ISA_MAX);
	if (accused)
		report_set_node(r, SIDE_FOLLOWER, accused->node, accused->isa);
}

static void publish(struct hub *h, struct report *r)
{
	report_print_text(stderr, r, isatty(STDERR_FILENO));
	fflush(stderr);
	hub_status_alarm(h, r);
}

void hub_on_notice(struct hub *h, struct peer *p, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	struct report report;

	if (h->state != HUB_RUNNING)
		return;
	if (report_decode(&r, &report) < 0) {
		hub_lost(h, p, "it sent a malformed notice");
		return;
	}
	if (!reader_done(&r) || report.rule != REPORT_DIVERGENCE_PAYLOAD ||
	    ++h->notices > NOTICES_MAX) {
		hub_lost(h, p, "it sent a malformed notice, or too many");
	} else {
		complete(h, &report, p);
		report.action = ACTION_REPORT;
		publish(h, &report);
	}
	report_free(&report);
}

void hub_on_verdict(struct hub *h, struct peer *p, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	uint32_t tid;

	if (h->state != HUB_RUNNING)
		return; /* one alarm a session is enough */
	if (report_decode(&r, &h->report) < 0) {
		hub_lost(h, p, "it sent a malformed verdict");
		return;
	}
	/* What a policy forbids is the leader's to say: it ends a session whatever the level is. */
	if (!reader_done(&r) || h->report.rule == REPORT_POLICY_FORBIDDEN) {
		report_free(&h->report);
		hub_lost(h, p, "it sent a malformed verdict");
		return;
	}
	h->accused = p;
	h->divergent = true;
	h->state = HUB_REPORTING;
	h->deadline = deadline_after_ms(REPORTED_MS);
	tid = h->report.tid;
	/* The leader executes no further call from here on. */
	if (!h->leader.link ||
	    peer_send(&h->leader, FRAME_REPORT, &tid, sizeof(tid)) < 0)
		hub_publish_alarm(h);
}

void hub_on_forbidden(struct hub *h, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	struct report report;

	if (report_decode(&r, &report) < 0) {
		hub_lost(h, &h->leader, "it sent a malformed report");
		return;
	}
	if (!reader_done(&r) || report.rule != REPORT_POLICY_FORBIDDEN) {
		report_free(&report);
		hub_lost(h, &h->leader, "it sent a malformed report");
		return;
	}
	if (h->state != HUB_RUNNING) {
		report_free(&report); /* when the session goes on after all, it says so again */
		return;
	}
	h->report = report;
	h->accused = NULL;
	h->forbidden = true;
	h->state = HUB_REPORTING;
	hub_publish_alarm(h);
}

void hub_on_reported(struct hub *h, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	struct report half;

	if (h->state != HUB_REPORTING)
		return;
	if (report_decode(&r, &half) == 0) {
		report_merge(&h->report, &half);
		report_free(&half);
	}
	hub_publish_alarm(h);
}

/* The leader goes on unprotected; the follower's stream is of no use after a divergence. */
static void go_on(struct hub *h)
{
	struct peer *p = h->accused;

	h->state = HUB_RUNNING;
	h->deadline = 0;
	peer_send(p, FRAME_KILL, NULL, 0);
	p->dropped = true;
	peer_send(&h->leader, FRAME_GO, NULL, 0);
	hub_follower_left(h);
	log_warn("the session goes on %s", without_follower(h));
}

static void act(struct hub *h)
{
	switch (h->report.action) {
	case ACTION_REPORT:
		go_on(h);
		break;
	case ACTION_FREEZE:
		h->state = HUB_FROZEN;
		h->deadline = 0;
		tell_all(h, FRAME_FREEZE);
		log_info("frozen: leader pid %u at %s, follower pid %u at %s; SIGINT or SIGTERM ends the "
			 "session",
			 h->leader.started.pid, h->leader.node ? h->leader.node : "the record",
			 h->accused ? h->accused->started.pid : h->followers[0].started.pid,
			 h->accused ? h->accused->node
				    : h->n_followers ? h->followers[0].node : "nowhere");
		break;
	default:
		hub_end(h, EXIT_DIVERGENCE);
	}
}

void hub_publish_alarm(struct hub *h)
{
	struct report *r = &h->report;

	if (h->state != HUB_REPORTING)
		return;
	complete(h, r, h->accused);
	r->action = action_of(h);
	publish(h, r);
	act(h);
	report_free(r);
}

/* ---- the end ---------------------------------------------------------------------------------- */

static bool same_end(int a, int b)
{
	return (a & ~0x80) == (b & ~0x80); /* whether a core was dumped is the node's affair */
}

/* p has ended otherwise than its leader, which may not have ended at all. */
static void accuse_of_exit(struct hub *h, struct peer *p)
{
	report_init(&h->report, REPORT_DIVERGENCE_EXIT);
	if (h->leader.exited)
		report_set_did(&h->report, SIDE_LEADER, "ended with status %d",
			       status_of(h->leader.result.wait_status));
	else
		report_set_did(&h->report, SIDE_LEADER, "goes on");
	report_set_did(&h->report, SIDE_FOLLOWER, "ended with status %d",
		       status_of(p->result.wait_status));
	h->accused = p;
	h->divergent = true;
	h->state = HUB_REPORTING;
	hub_publish_alarm(h);
}

void hub_left_behind(struct hub *h, struct peer *p)
{
	if (h->state == HUB_RUNNING)
		accuse_of_exit(h, p);
}

void hub_check_exits(struct hub *h)
{
	if (h->state != HUB_RUNNING || !h->leader.exited)
		return;
	for (unsigned i = 0; i < h->n_followers; i++) {
		struct peer *p = &h->followers[i];

		if (!p->exited || p->dropped ||
		    same_end(p->result.wait_status, h->leader.result.wait_status))
			continue;
		accuse_of_exit(h, p);
		return;
	}
}

static bool done(const struct peer *p)
{
	return p->exited || p->lost || p->dropped || !p->link;
}

bool hub_is_over(const struct hub *h)
{
	bool all = h->config->leader ? done(&h->leader) : h->leader.exited || h->state == HUB_ENDING;

	for (unsigned i = 0; i < h->n_followers; i++)
		all = all && done(&h->followers[i]);
	return all && h->state != HUB_FROZEN && h->state != HUB_REPORTING;
}
