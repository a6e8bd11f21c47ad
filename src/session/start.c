/* SPDX-License-Identifier: Apache-2.0 */
#include "session/start.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const level_names[_LEVEL_MAX] = {
	[LEVEL_ASYNC] = "async",
	[LEVEL_LOCKSTEP] = "lockstep",
	[LEVEL_OBSERVE] = "observe",
};

static const char *const action_names[_ON_DIVERGENCE_MAX] = {
	[ON_KILL] = "kill",
	[ON_FREEZE] = "freeze",
	[ON_REPORT] = "report",
};

static const char *const lost_names[_ON_LOST_PEER_MAX] = {
	[LOST_KILL] = "kill",
	[LOST_CONTINUE] = "continue",
};

static const char *const capture_names[_CAPTURE_MAX] = {
	[CAPTURE_PTRACE] = "ptrace",
	[CAPTURE_BPF] = "bpf",
	[CAPTURE_AUTO] = "auto",
};

static int index_of(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return i;
	return -EINVAL;
}

const char *level_name(enum session_level level)
{
	return level_names[level];
}

int level_from_name(const char *name)
{
	return index_of(level_names, _LEVEL_MAX, name);
}

const char *action_name(enum on_divergence action)
{
	return action_names[action];
}

int action_from_name(const char *name)
{
	return index_of(action_names, _ON_DIVERGENCE_MAX, name);
}

const char *lost_name(enum on_lost_peer action)
{
	return lost_names[action];
}

int lost_from_name(const char *name)
{
	return index_of(lost_names, _ON_LOST_PEER_MAX, name);
}

const char *capture_name(enum session_capture capture)
{
	return capture_names[capture];
}

int capture_from_name(const char *name)
{
	return index_of(capture_names, _CAPTURE_MAX, name);
}

size_t argv_len(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

void argv_free(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

char **argv_copy(char *const *v)
{
	size_t n = argv_len(v);
	char **r = calloc(n + 1, sizeof(*r));

	for (size_t i = 0; r && i < n; i++) {
		r[i] = strdup(v[i]);
		if (!r[i]) {
			argv_free(r);
			return NULL;
		}
	}
	return r;
}

static void put_strv(struct writer *w, char *const *v)
{
	size_t n = argv_len(v);

	put_u32(w, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_str(w, v[i]);
}

static char **get_strv(struct reader *r, size_t max_n, size_t max_len)
{
	size_t n = get_u32(r);
	char **v;

	/* Every string costs at least its length on the wire: no allocation beyond what came. */
	if (r->failed || n > max_n || n > r->left / sizeof(uint32_t)) {
		r->failed = true;
		return NULL;
	}
	v = calloc(n + 1, sizeof(*v));
	if (!v) {
		r->failed = true;
		return NULL;
	}
	for (size_t i = 0; i < n && !r->failed; i++)
		v[i] = get_str(r, max_len);
	return v;
}

static void put_identity(struct writer *w, const struct start *s)
{
	put_u32(w, s->uid);
	put_u32(w, s->euid);
	put_u32(w, s->gid);
	put_u32(w, s->egid);
	for (int i = 0; i < START_RLIMITS; i++) {
		put_u64(w, s->rlimits[i].cur);
		put_u64(w, s->rlimits[i].max);
	}
}

static void get_identity(struct reader *r, struct start *s)
{
	s->uid = get_u32(r);
	s->euid = get_u32(r);
	s->gid = get_u32(r);
	s->egid = get_u32(r);
	for (int i = 0; i < START_RLIMITS; i++) {
		s->rlimits[i].cur = get_u64(r);
		s->rlimits[i].max = get_u64(r);
	}
}

void start_set_identity(struct start *s)
{
	s->uid = getuid();
	s->euid = geteuid();
	s->gid = getgid();
	s->egid = getegid();
	for (int i = 0; i < START_RLIMITS; i++) {
		struct rlimit l = { RLIM_INFINITY, RLIM_INFINITY };

		getrlimit((__rlimit_resource_t)i, &l);
		s->rlimits[i].cur = l.rlim_cur;
		s->rlimits[i].max = l.rlim_max;
	}
	s->has_identity = true;
}

#define START_FLAG_STDIO_INHERIT 1u
#define START_FLAG_SHIPPED 2u
#define START_FLAG_IDENTITY 4u
#define START_FLAG_DISCARD 8u
#define START_FLAGS_ALL 15u

/* A blob of their canonical text. */
static void put_rules(struct writer *w, const struct policy_rules *rules)
{
	size_t at = w->len;

	put_u32(w, 0);
	rules_render(w, rules);
	put_u32_at(w, at, (uint32_t)(w->len - at - sizeof(uint32_t)));
}

static void get_rules(struct reader *r, struct policy_rules *rules)
{
	const uint8_t *text;
	size_t len;

	text = get_blob(r, RULES_TEXT_MAX, &len);
	if (!text || rules_parse(text, len, rules) < 0)
		r->failed = true;
}

/* What a policy's text could not say is no path either. */
static void check_paths(struct reader *r, char *const *paths)
{
	char why[128];

	for (size_t i = 0; !r->failed && paths[i]; i++)
		if (!rule_check_path(paths[i], why, sizeof(why)))
			r->failed = true;
}

void start_encode(struct writer *w, const struct start *s)
{
	put_u8(w, s->role);
	put_u8(w, s->level);
	put_u8(w, s->action);
	put_u8(w, s->on_lost_peer);
	put_u8(w, s->capture);
	put_u8(w, (uint8_t)((s->stdio_inherit ? START_FLAG_STDIO_INHERIT : 0) |
			    (s->shipped ? START_FLAG_SHIPPED : 0) |
			    (s->has_identity ? START_FLAG_IDENTITY : 0) |
			    (s->discard ? START_FLAG_DISCARD : 0)));
	put_bytes(w, s->session, sizeof(s->session));
	put_bytes(w, s->key, sizeof(s->key));
	put_u32(w, s->window_events);
	put_u64(w, s->window_bytes);
	put_u32(w, s->umask);
	put_u32(w, s->leader_pid);
	put_identity(w, s);
	put_str(w, s->program);
	put_strv(w, s->argv);
	put_strv(w, s->env);
	put_str(w, s->cwd);
	put_strv(w, s->local);
	put_rules(w, &s->rules);
	facts_encode(w, &s->facts);
}

static void get_fixed(struct reader *r, uint8_t *to, size_t n)
{
	const uint8_t *p = get_bytes(r, n);

	if (p)
		memcpy(to, p, n);
}

int start_decode(const uint8_t *body, size_t len, struct start *ret)
{
	struct reader r = reader_of(body, len);
	struct start s = { 0 };
	uint8_t flags;

	s.role = get_u8(&r);
	s.level = get_u8(&r);
	s.action = get_u8(&r);
	s.on_lost_peer = get_u8(&r);
	s.capture = get_u8(&r);
	flags = get_u8(&r);
	get_fixed(&r, s.session, sizeof(s.session));
	get_fixed(&r, s.key, sizeof(s.key));
	s.window_events = get_u32(&r);
	s.window_bytes = get_u64(&r);
	s.umask = get_u32(&r);
	s.leader_pid = get_u32(&r);
	get_identity(&r, &s);
	s.program = get_str(&r, START_PATH_MAX);
	s.argv = get_strv(&r, START_STRINGS_MAX, START_STRING_MAX);
	s.env = get_strv(&r, START_STRINGS_MAX, START_STRING_MAX);
	s.cwd = get_str(&r, START_PATH_MAX);
	s.local = get_strv(&r, START_LOCAL_MAX, START_PATH_MAX);
	if (s.local)
		check_paths(&r, s.local);
	get_rules(&r, &s.rules);
	facts_decode(&r, &s.facts);
	if (!reader_done(&r) || s.role >= _ROLE_MAX || s.level >= _LEVEL_MAX ||
	    s.action >= _ON_DIVERGENCE_MAX || s.on_lost_peer >= _ON_LOST_PEER_MAX ||
	    s.capture >= _CAPTURE_MAX || (flags & ~START_FLAGS_ALL) || !s.argv || !s.argv[0] ||
	    !s.program[0] || s.window_events == 0 || s.window_bytes == 0) {
		start_free(&s);
		return -EPROTO;
	}
	s.stdio_inherit = flags & START_FLAG_STDIO_INHERIT;
	s.shipped = flags & START_FLAG_SHIPPED;
	s.has_identity = flags & START_FLAG_IDENTITY;
	s.discard = flags & START_FLAG_DISCARD;
	*ret = s;
	return 0;
}

void start_free(struct start *s)
{
	free(s->program);
	argv_free(s->argv);
	argv_free(s->env);
	free(s->cwd);
	argv_free(s->local);
	rules_free(&s->rules);
	facts_free(&s->facts);
	*s = (struct start){ 0 };
}

void started_encode(struct writer *w, const struct started *s)
{
	put_u32(w, s->pid);
	put_identity(w, &s->identity);
	put_str(w, s->program);
	facts_encode(w, &s->facts);
}

int started_decode(const uint8_t *body, size_t len, struct started *ret)
{
	struct reader r = reader_of(body, len);
	struct started s = { 0 };

	s.pid = get_u32(&r);
	get_identity(&r, &s.identity);
	s.program = get_str(&r, START_PATH_MAX);
	facts_decode(&r, &s.facts);
	if (!reader_done(&r)) {
		started_free(&s);
		return -EPROTO;
	}
	*ret = s;
	return 0;
}

void started_free(struct started *s)
{
	cleanup_free_fn(&s->program);
	facts_free(&s->facts);
}

void exited_encode(struct writer *w, const struct exited *e)
{
	put_u32(w, (uint32_t)e->wait_status);
	put_u64(w, e->compared);
	put_u64(w, e->replayed);
	put_u64(w, e->local);
	put_u64(w, e->events);
	put_u64(w, e->bytes);
	put_u64(w, e->recorded);
	for (int i = 0; i < EXITED_REASONS; i++)
		put_u64(w, e->completed[i]);
	put_u64(w, e->clocks);
}

int exited_decode(const uint8_t *body, size_t len, struct exited *ret)
{
	struct reader r = reader_of(body, len);
	struct exited e = { 0 };

	e.wait_status = (int32_t)get_u32(&r);
	e.compared = get_u64(&r);
	e.replayed = get_u64(&r);
	e.local = get_u64(&r);
	e.events = get_u64(&r);
	e.bytes = get_u64(&r);
	e.recorded = get_u64(&r);
	for (int i = 0; i < EXITED_REASONS; i++)
		e.completed[i] = get_u64(&r);
	e.clocks = get_u64(&r);
	if (!reader_done(&r))
		return -EPROTO;
	*ret = e;
	return 0;
}
