/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --json-status-fd: one JSON object a line. Alarms have Falco's keys (see report.h); the others have a
 * member "event". Readers must ignore members that they do not know.
 */
#include "session/hub_internal.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_line(struct hub *h, struct writer *w)
{
	put_u8(w, '\n');
	for (size_t done = 0; done < w->len && !w->failed;) {
		ssize_t n = write(h->config->status_fd, w->data + done, w->len - done);

		if (n <= 0)
			break; /* nobody reads: the session does not depend on it */
		done += (size_t)n;
	}
	writer_free(w);
}

static void put_peer(struct writer *w, const struct peer *p, const char *role)
{
	json_begin_object(w);
	json_key(w, "role");
	json_cstr(w, role);
	json_key(w, "node");
	json_cstr(w, p->node);
	json_key(w, "isa");
	json_cstr(w, p->isa < _ISA_MAX ? isa_descs[p->isa].name : NULL);
	json_key(w, "pid");
	json_u64(w, p->started.pid);
	json_end_object(w);
}

void hub_status_started(struct hub *h)
{
	struct writer w = { 0 };

	if (h->config->status_fd < 0)
		return;
	json_begin_object(&w);
	json_key(&w, "event");
	json_cstr(&w, "started");
	json_key(&w, "session");
	json_hex(&w, h->config->start.session, sizeof(h->config->start.session));
	json_key(&w, "program");
	json_cstr(&w, h->config->start.program);
	json_key(&w, "level");
	json_cstr(&w, level_name(h->config->start.level));
	json_key(&w, "policy");
	json_cstr(&w, h->policy);
	if (h->recorded_policy[0]) {
		json_key(&w, "recorded_policy");
		json_cstr(&w, h->recorded_policy);
	}
	json_key(&w, "variants");
	json_begin_array(&w);
	if (h->config->leader)
		put_peer(&w, &h->leader, "leader");
	for (unsigned i = 0; i < h->n_followers; i++)
		put_peer(&w, &h->followers[i], "follower");
	json_end_array(&w);
	json_end_object(&w);
	write_line(h, &w);
}

void hub_status_alarm(struct hub *h, const struct report *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (h->config->status_fd < 0)
		return;
	f = open_memstream(&text, &len);
	if (!f)
		return;
	report_print_json(f, r);
	fclose(f);
	if (text)
		(void)!write(h->config->status_fd, text, len);
	free(text);
}

static void put_counts(struct writer *w, const struct peer *p, const char *role)
{
	json_key(w, role);
	json_begin_object(w);
	json_key(w, "compared");
	json_u64(w, p->result.compared);
	json_key(w, "replayed");
	json_u64(w, p->result.replayed);
	json_key(w, "local");
	json_u64(w, p->result.local);
	json_end_object(w);
}

/* How the leader was captured, when the kernel recorded its calls. */
static void put_recorded(struct writer *w, const struct exited *e)
{
	static const char *const names[EXITED_REASONS] = { "full", "unread", "large", "signals" };

	if (!e->recorded)
		return;
	json_key(w, "recorded");
	json_u64(w, e->recorded);
	json_key(w, "clocks");
	json_u64(w, e->clocks);
	json_key(w, "completed");
	json_begin_object(w);
	for (int i = 0; i < EXITED_REASONS; i++) {
		json_key(w, names[i]);
		json_u64(w, e->completed[i]);
	}
	json_end_object(w);
}

void hub_status_exit(struct hub *h)
{
	const struct peer *counted = h->n_followers ? &h->followers[0] : &h->leader;
	struct writer w = { 0 };

	if (h->config->status_fd < 0)
		return;
	json_begin_object(&w);
	json_key(&w, "event");
	json_cstr(&w, "exit");
	json_key(&w, "status");
	json_s64(&w, h->exit_status);
	json_key(&w, "divergent");
	json_bool(&w, h->divergent);
	json_key(&w, "forbidden");
	json_bool(&w, h->forbidden);
	json_key(&w, "lost");
	json_bool(&w, h->lost);
	json_key(&w, "notices");
	json_u64(&w, h->notices);
	json_key(&w, "events");
	json_u64(&w, h->events);
	json_key(&w, "bytes");
	json_u64(&w, h->bytes);
	put_recorded(&w, &h->leader.result);
	put_counts(&w, &h->leader, "leader");
	put_counts(&w, counted, "calls");
	json_end_object(&w);
	write_line(h, &w);
}
