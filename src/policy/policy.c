/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

void policy_init(struct policy *p)
{
	*p = (struct policy){
		.level = LEVEL_ASYNC,
		.on_divergence = ON_KILL,
		.on_lost_peer = LOST_KILL,
		.window_events = POLICY_WINDOW_EVENTS,
		.window_bytes = POLICY_WINDOW_BYTES,
	};
}

void policy_free(struct policy *p)
{
	strv_free(&p->local);
	rules_free(&p->rules);
	*p = (struct policy){ 0 };
}

int policy_canonicalise(struct policy *p)
{
	strv_sort_unique(&p->local);
	return rules_canonicalise(&p->rules);
}

static void render_word(struct writer *w, const char *key, const char *value)
{
	put_bytes(w, key, strlen(key));
	put_u8(w, ' ');
	put_bytes(w, value, strlen(value));
	put_u8(w, '\n');
}

static void render_number(struct writer *w, const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	render_word(w, key, text);
}

void policy_render(struct writer *w, const struct policy *p)
{
	render_word(w, "chiral policy", "1");
	render_word(w, "level", level_name(p->level));
	render_word(w, "on-divergence", action_name(p->on_divergence));
	render_word(w, "on-lost-peer", lost_name(p->on_lost_peer));
	render_number(w, "window-events", p->window_events);
	render_number(w, "window-bytes", p->window_bytes);
	for (size_t i = 0; i < p->local.n; i++)
		render_word(w, "local", p->local.v[i]);
	rules_render(w, &p->rules);
}

int policy_digest(const struct policy *p, char ret[POLICY_DIGEST_HEX + 1])
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	struct writer w = { 0 };
	int r = 0;

	policy_render(&w, p);
	if (w.failed) {
		r = -ENOMEM;
	} else {
		crypto_hash_sha256(hash, w.data, w.len);
		sodium_bin2hex(ret, POLICY_DIGEST_HEX + 1, hash, sizeof(hash));
	}
	writer_free(&w);
	return r;
}

int policy_to_start(const struct policy *p, struct start *s)
{
	struct policy_rules rules;
	char **local = calloc(p->local.n + 1, sizeof(*local));

	for (size_t i = 0; local && i < p->local.n; i++) {
		local[i] = strdup(p->local.v[i]);
		if (!local[i]) {
			argv_free(local);
			local = NULL;
		}
	}
	if (!local || rules_copy(&p->rules, &rules) < 0) {
		argv_free(local);
		return -ENOMEM;
	}
	argv_free(s->local);
	rules_free(&s->rules);
	s->local = local;
	s->rules = rules;
	s->level = p->level;
	s->action = p->on_divergence;
	s->on_lost_peer = p->on_lost_peer;
	s->window_events = p->window_events;
	s->window_bytes = p->window_bytes;
	return 0;
}

int policy_of_start(const struct start *s, struct policy *ret)
{
	struct policy p = {
		.level = s->level,
		.on_divergence = s->action,
		.on_lost_peer = s->on_lost_peer,
		.window_events = s->window_events,
		.window_bytes = s->window_bytes,
	};
	int r = rules_copy(&s->rules, &p.rules);

	for (size_t i = 0; r == 0 && s->local && s->local[i]; i++)
		r = strv_add(&p.local, s->local[i]);
	if (r == 0)
		r = policy_canonicalise(&p);
	if (r < 0) {
		policy_free(&p);
		return r;
	}
	*ret = p;
	return 0;
}

int policy_digest_of_start(const struct start *s, char ret[POLICY_DIGEST_HEX + 1])
{
	struct policy p;
	int r = policy_of_start(s, &p);

	if (r < 0)
		return r;
	r = policy_digest(&p, ret);
	policy_free(&p);
	return r;
}
