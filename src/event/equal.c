/* SPDX-License-Identifier: Apache-2.0 */
/* The comparison of two calls at their entry: what the whole of Chiral is for. */
#include "event/msghdr.h"
#include "event/pathname.h"
#include "event/payload.h"
#include "event/view.h"

#include <inttypes.h>

struct pair {
	const struct call_record *leader, *follower;
	const struct call_row *row;
	struct call_mismatch *m;
};

static const char *form_text(const struct payload *p)
{
	if (!p)
		return "NULL";
	return p->form == PAYLOAD_FAULT ? "unreadable memory" : "readable memory";
}

/* Says where; i is the argument, by the number and name that a person counts with. */
static bool differ(struct pair *x, unsigned i, bool payload, bool exact, uint64_t offset)
{
	*x->m = (struct call_mismatch){
		.arg = (int)i, .payload = payload, .exact = exact, .offset = offset};
	return false;
}

static bool scalar_equal(struct pair *x, unsigned i)
{
	uint64_t a = x->leader->arg[i], b = x->follower->arg[i];
	const struct arg_spec *s = &x->row->args[i];
	struct call_mismatch *m = x->m;

	if (a == b || s->kind == ARG_IGNORED || s->kind == ARG_NONE)
		return true;
	differ(x, i, false, false, 0);
	m->leader_value = a;
	m->follower_value = b;
	if (kind_is_pointer(s->kind))
		snprintf(m->text, sizeof(m->text),
			 "argument %u (%s) is %s at the leader, %s at the "
			 "follower",
			 i + 1, s->name, a ? "not NULL" : "NULL", b ? "not NULL" : "NULL");
	else
		snprintf(m->text, sizeof(m->text),
			 "argument %u (%s) is %" PRId64 " (0x%" PRIx64 ") at the leader, %" PRId64
			 " (0x%" PRIx64 ") at the follower",
			 i + 1, s->name, (int64_t)a, a, (int64_t)b, b);
	return false;
}

struct slice {
	const uint8_t *p;
	size_t n;
};

/* Both as bytes: the first that differs, or the end of the shorter. part: of the argument, or "" */
static bool slices_equal(struct pair *x, unsigned i, const char *part, struct slice a,
			 struct slice b)
{
	const char *name = x->row->args[i].name;
	size_t n = a.n < b.n ? a.n : b.n, at = 0;
	struct call_mismatch *m = x->m;

	if (a.n == b.n && (n == 0 || memcmp(a.p, b.p, n) == 0))
		return true;
	while (at < n && a.p[at] == b.p[at])
		at++;
	differ(x, i, true, at < n, at);
	if (at == n) {
		snprintf(m->text, sizeof(m->text),
			 "argument %u (%s%s) has %zu bytes at the leader, %zu at the follower; the "
			 "first %zu are equal",
			 i + 1, name, part, a.n, b.n, at);
		return false;
	}
	m->leader_value = a.p[at];
	m->follower_value = b.p[at];
	snprintf(m->text, sizeof(m->text),
		 "argument %u (%s%s) differs at byte %zu: 0x%02x at the leader, 0x%02x at the "
		 "follower",
		 i + 1, name, part, at, a.p[at], b.p[at]);
	return false;
}

/* A message by its parts: offsets are those in the data. */
static bool message_equal(struct pair *x, unsigned i, struct slice a, struct slice b)
{
	struct reader r = reader_of(a.p, a.n), s = reader_of(b.p, b.n);
	struct msg_parts p, q;

	if (msg_parse_sent(&r, &p) < 0 || msg_parse_sent(&s, &q) < 0)
		return slices_equal(x, i, "", a, b);
	return slices_equal(x, i, "'s address", (struct slice){p.name, p.name_size},
			    (struct slice){q.name, q.name_size}) &&
	       slices_equal(x, i, "'s control data",
			    (struct slice){p.controls.p, (size_t)(p.data - p.controls.p) - 4},
			    (struct slice){q.controls.p, (size_t)(q.data - q.controls.p) - 4}) &&
	       slices_equal(x, i, "'s data", (struct slice){p.data, p.size},
			    (struct slice){q.data, q.size});
}

static bool bytes_equal(struct pair *x, const struct payload *p, const struct payload *q)
{
	const struct arg_spec *s = &x->row->args[p->arg];
	struct slice a = {payload_data(x->leader, p), p->size};
	struct slice b = {payload_data(x->follower, q), q->size};

	if (s->kind == ARG_MSGHDR && !spec_receives(s) && p->form == PAYLOAD_BYTES)
		return message_equal(x, p->arg, a, b);
	if (s->kind == ARG_PATH && p->form == PAYLOAD_BYTES && q->form == PAYLOAD_BYTES &&
	    pathname_same(a.p, a.n, b.p, b.n))
		return true;
	return slices_equal(x, p->arg, "", a, b);
}

/* Both as digests: the first block that differs. */
static bool digests_equal(struct pair *x, const struct payload *p, const struct payload *q)
{
	const uint8_t *a = payload_data(x->leader, p), *b = payload_data(x->follower, q);
	uint32_t n = p->size < q->size ? p->size : q->size, at = 0;

	if (p->len == q->len && memcmp(a, b, n) == 0)
		return true;
	while (at < n && memcmp(a + at, b + at, PAYLOAD_DIGEST_SIZE) == 0)
		at += PAYLOAD_DIGEST_SIZE;
	differ(x, p->arg, true, false, (uint64_t)at / PAYLOAD_DIGEST_SIZE * PAYLOAD_BLOCK);
	snprintf(x->m->text, sizeof(x->m->text),
		 "argument %u (%s) differs in the block of %u bytes from byte %" PRIu64 " (%" PRIu32
		 " bytes at the leader, %" PRIu32 " at the follower)",
		 p->arg + 1u, x->row->args[p->arg].name, PAYLOAD_BLOCK, x->m->offset, p->len,
		 q->len);
	return false;
}

static bool is_digested(const struct payload *p)
{
	return p->len > PAYLOAD_INLINE_MAX;
}

static bool payload_equal(struct pair *x, unsigned i)
{
	const struct payload *p = call_in_of(x->leader, i), *q = call_in_of(x->follower, i);

	if (!p && !q)
		return true;
	if (!p || !q || (p->form == PAYLOAD_FAULT) != (q->form == PAYLOAD_FAULT)) {
		differ(x, i, true, false, 0);
		snprintf(x->m->text, sizeof(x->m->text),
			 "argument %u (%s) is %s at the leader, %s at the follower", i + 1,
			 x->row->args[i].name, form_text(p), form_text(q));
		return false;
	}
	if (is_digested(p) && is_digested(q))
		return digests_equal(x, p, q);
	if (is_digested(p) || is_digested(q)) {
		differ(x, i, true, false, 0);
		snprintf(x->m->text, sizeof(x->m->text),
			 "argument %u (%s) has %" PRIu32 " bytes at the leader, %" PRIu32
			 " at the follower",
			 i + 1, x->row->args[i].name, p->len, q->len);
		return false;
	}
	return bytes_equal(x, p, q);
}

bool call_equal(const struct call_record *leader, const struct call_record *follower,
		struct call_mismatch *ret)
{
	struct pair x = {leader, follower, &call_rows[leader->id], ret};

	if (leader->id != follower->id) {
		*ret = (struct call_mismatch){
			.arg = -1, .leader_value = leader->id, .follower_value = follower->id};
		snprintf(ret->text, sizeof(ret->text), "the leader calls %s, the follower %s",
			 call_rows[leader->id].name, call_rows[follower->id].name);
		return false;
	}
	/* Contents come before a later length: "these bytes differ" tells more than "more bytes" */
	for (unsigned i = 0; i < x.row->n_args; i++)
		if (!scalar_equal(&x, i) || !payload_equal(&x, i))
			return false;
	return true;
}

/* Whether both have as many readable bytes; which, does not matter. */
static bool lengths_equal(const struct payload *p, const struct payload *q)
{
	return (!p && !q) || (p && q && p->form == q->form && p->len == q->len);
}

bool call_equal_but_bytes(const struct call_record *leader, const struct call_record *follower)
{
	struct call_mismatch m;
	struct pair x = {leader, follower, &call_rows[leader->id], &m};

	if (leader->id != follower->id)
		return false;
	for (unsigned i = 0; i < x.row->n_args; i++) {
		if (!scalar_equal(&x, i))
			return false;
		if (spec_is_sent_buffer(&x.row->args[i])
			    ? !lengths_equal(call_in_of(leader, i), call_in_of(follower, i))
			    : !payload_equal(&x, i))
			return false;
	}
	return true;
}
