/* SPDX-License-Identifier: Apache-2.0 */
/* From nothing to GO. */
#include "session/hub_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define STARTED_MS 30000

static int fail(struct hub *h, int exit_status, int err)
{
	if (h->exit_status < 0)
		h->exit_status = exit_status;
	return err;
}

static int setup_follower_link(struct hub *h, const char *node)
{
	struct peer *p = &h->followers[h->n_followers];
	int r;

	p->role = ROLE_FOLLOWER;
	h->n_followers++; /* also half connected it is to be closed */
	r = peer_connect(p, node, NULL, h->config->start.session);
	return r < 0 ? fail(h, EXIT_OWN_FAILURE, r) : 0;
}

static int setup_listener(struct hub *h)
{
	struct peer *p = &h->followers[h->n_followers];
	cleanup_free char *address = NULL;
	cleanup_close int listen_fd = transport_listen(h->config->listen, &address);
	int fd, r;

	if (listen_fd < 0)
		return fail(h, EXIT_OWN_FAILURE, listen_fd);
	log_info("waiting for `chiral follow` at %s", address);
	fd = transport_accept(listen_fd, -1);
	if (!strncmp(address, "unix:", 5))
		unlink(address + 5);
	if (fd < 0)
		return fail(h, EXIT_OWN_FAILURE, fd);
	p->role = ROLE_FOLLOWER;
	h->n_followers++;
	r = peer_adopt(p, "the follower", fd, h->config->start.session);
	return r < 0 ? fail(h, EXIT_OWN_FAILURE, r) : 0;
}

static int setup_links(struct hub *h)
{
	struct hub_config *c = h->config;
	int r = 0;

	if (c->leader) {
		h->leader.role = ROLE_LEADER;
		r = peer_connect(&h->leader, c->leader, c->publish, c->start.session);
		if (r < 0)
			return fail(h, EXIT_OWN_FAILURE, r);
	}
	if (c->listen)
		r = setup_listener(h);
	for (unsigned i = 0; i < c->n_followers && r == 0; i++)
		r = setup_follower_link(h, c->followers[i]);
	return r;
}

/* 1 when the node got a binary. */
static int ship(struct hub *h, struct peer *p)
{
	struct hub_config *c = h->config;

	for (unsigned i = 0; i < c->n_ship; i++) {
		int r;

		if (c->ship[i].isa != p->isa)
			continue;
		r = peer_ship(p, c->ship[i].path);
		return r < 0 ? r : 1;
	}
	return 0;
}

static int start_peer(struct hub *h, struct peer *p, struct start *s)
{
	struct writer w = { 0 };
	struct frame f;
	int r = ship(h, p), status = EXIT_OWN_FAILURE;

	if (r < 0)
		return fail(h, EXIT_OWN_FAILURE, r);
	s->role = p->role;
	s->shipped = r == 1;
	s->stdio_inherit = p->role == ROLE_LEADER && p->pid != 0;
	start_encode(&w, s);
	r = w.failed ? -ENOMEM : peer_send(p, FRAME_START, w.data, w.len);
	writer_free(&w);
	if (r == 0 || r == 1)
		r = peer_expect(p, FRAME_STARTED, STARTED_MS, &f, &status);
	if (r == 0 && started_decode(f.body, f.len, &p->started) < 0)
		r = log_errno(EPROTO, "%s sent a malformed STARTED frame", p->node);
	p->heard_at = time_now_ms();
	return r < 0 ? fail(h, status, r) : 0;
}

/* What the followers' program is shown of itself is what the leader's is. */
static int take_identity(struct start *s, const struct started *leader)
{
	s->uid = leader->identity.uid;
	s->euid = leader->identity.euid;
	s->gid = leader->identity.gid;
	s->egid = leader->identity.egid;
	memcpy(s->rlimits, leader->identity.rlimits, sizeof(s->rlimits));
	s->has_identity = true;
	s->leader_pid = leader->pid;
	free(s->program);
	s->program = strdup(leader->program);
	free(s->cwd);
	s->cwd = strdup("");
	facts_free(&s->facts);
	return facts_copy(&leader->facts, &s->facts);
}

struct finding {
	bool allow;	/* --allow-different-versions */
	bool refused;
};

static void on_difference(void *arg, bool refuse, const char *text)
{
	struct finding *found = arg;

	if (refuse && !found->allow) {
		log_error("%s", text);
		found->refused = true;
	} else if (!found->refused) {
		log_warn("%s", text);
	}
}

/* The follower's program and libraries against the leader's, before anything of them runs. */
static int compare_files(struct hub *h, const struct peer *follower)
{
	struct finding found = { .allow = h->config->allow_different };

	facts_compare(&h->config->start.facts, h->config->leader ? h->leader.node : "the recorded node",
		      &follower->started.facts, follower->node, on_difference, &found);
	return found.refused ? fail(h, EXIT_NOT_EXECUTABLE, -EINVAL) : 0;
}

static int setup_record(struct hub *h)
{
	struct start s = h->config->start;
	struct writer w = { 0 };
	struct hello hello;
	int r;

	s.role = ROLE_FOLLOWER;
	s.shipped = false;
	hello_init(&hello, s.session);
	start_encode(&w, &s);
	r = recfile_create(h->config->record, &hello, w.data, w.len, &h->record);
	writer_free(&w);
	return r < 0 ? fail(h, EXIT_OWN_FAILURE, r) : 0;
}

/* A record was made under a policy of its own: its local paths and its rules are what was done. */
static void tell_policies_apart(struct hub *h, const struct start *mine, const struct start *recorded)
{
	char asked[POLICY_DIGEST_HEX + 1] = "", then[POLICY_DIGEST_HEX + 1] = "";

	if (policy_digest_of_start(mine, asked) < 0 || policy_digest_of_start(recorded, then) < 0 ||
	    !strcmp(asked, then))
		return;
	memcpy(h->recorded_policy, then, sizeof(then));
	log_warn("%s was recorded under another policy (digest %.16s..., now %.16s...): its local paths "
		 "and rules are in force, with this run's other settings",
		 h->config->verify, then, asked);
}

/* The record's START, but for the settings of this run. */
static int setup_source(struct hub *h)
{
	struct start *mine = &h->config->start, recorded;
	struct hello hello, own;
	const uint8_t *body;
	size_t len;
	int r = recfile_open(h->config->verify, &h->source, &hello, &body, &len);

	if (r < 0)
		return fail(h, EXIT_OWN_FAILURE, r);
	hello_init(&own, NULL);
	if (start_decode(body, len, &recorded) < 0)
		return fail(h, EXIT_OWN_FAILURE,
			    log_errno(EPROTO, "%s holds no valid START", h->config->verify));
	if (memcmp(hello.table_digest, own.table_digest, sizeof(own.table_digest)) != 0) {
		start_free(&recorded);
		return fail(h, EXIT_OWN_FAILURE,
			    log_errno(EPROTO, "%s was recorded with another call table (another "
					      "version of Chiral)", h->config->verify));
	}
	tell_policies_apart(h, mine, &recorded);
	recorded.level = mine->level;
	recorded.action = mine->action;
	recorded.on_lost_peer = mine->on_lost_peer;
	recorded.window_events = mine->window_events;
	recorded.window_bytes = mine->window_bytes;
	start_free(mine);
	*mine = recorded;
	return 0;
}

static int new_session(struct start *s)
{
	if (getrandom(s->session, sizeof(s->session), 0) != sizeof(s->session) ||
	    getrandom(s->key, sizeof(s->key), 0) != sizeof(s->key))
		return log_errno(EIO, "cannot get random bytes for the session's key");
	return 0;
}

int hub_setup(struct hub *h)
{
	struct start *s = &h->config->start;
	int r = h->config->verify ? setup_source(h) : new_session(s);

	if (r == 0 && policy_digest_of_start(s, h->policy) < 0)
		r = fail(h, EXIT_OWN_FAILURE, log_errno(ENOMEM, "cannot make the policy's digest"));
	if (r == 0)
		r = setup_links(h);
	if (r == 0 && h->config->leader) {
		r = start_peer(h, &h->leader, s);
		if (r == 0)
			r = take_identity(s, &h->leader.started);
	}
	for (unsigned i = 0; i < h->n_followers && r == 0; i++) {
		r = start_peer(h, &h->followers[i], s);
		if (r == 0)
			r = compare_files(h, &h->followers[i]);
	}
	if (r == 0 && h->config->record)
		r = setup_record(h);
	for (unsigned i = 0; i < h->n_followers && r >= 0; i++)
		r = peer_send(&h->followers[i], FRAME_GO, NULL, 0);
	if (r >= 0 && h->config->leader)
		r = peer_send(&h->leader, FRAME_GO, NULL, 0);
	if (r < 0)
		return fail(h, EXIT_PEER_LOST, r);
	if (h->n_followers == 0)
		hub_follower_left(h); /* there is nobody to wait for */
	return 0;
}
