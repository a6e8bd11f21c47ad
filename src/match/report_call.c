/* SPDX-License-Identifier: Apache-2.0 */
/* What a report says about calls, made from their records. */
#include "base/cleanup.h"
#include "match/report.h"

void report_set_call(struct report *r, enum report_side side, const struct call_record *c)
{
	cleanup_free char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return;
	call_print(f, c);
	if (fclose(f) == 0)
		report_set_call_text(r, side, text);
}

void report_set_history(struct report *r, enum report_side side, const struct history *h)
{
	unsigned n = history_count(h);

	for (unsigned i = 0; i < n; i++) {
		uint64_t position;
		cleanup_free char *text = history_print(h, i, &position);

		if (text)
			report_add_call(r, side, position, text);
	}
}

struct bytes {
	const uint8_t *p;
	size_t n;
};

/* What the mismatch's offset counts in. Nothing for a digest, nor for a message: there it counts in
 * one of its parts. */
static struct bytes bytes_of(const struct call_record *c, int arg)
{
	for (int i = 0; i < c->n_in; i++) {
		const struct payload *p = &c->in[i];

		if (p->arg == arg && p->form == PAYLOAD_BYTES &&
		    call_rows[c->id].args[arg].kind != ARG_MSGHDR)
			return (struct bytes){ payload_data(c, p), p->size };
	}
	return (struct bytes){ NULL, 0 };
}

/* The row of 16 with the first difference, the row before it and what follows. */
static void set_excerpts(struct report *r, const struct call_mismatch *m,
			 const struct call_record *leader, const struct call_record *follower)
{
	struct bytes l = bytes_of(leader, m->arg), f = bytes_of(follower, m->arg);
	uint64_t from = m->offset & ~UINT64_C(15);

	from -= from < 16 ? from : 16;
	if (from < l.n)
		report_set_bytes(r, SIDE_LEADER, from, l.p + from, l.n - from);
	if (from < f.n)
		report_set_bytes(r, SIDE_FOLLOWER, from, f.p + from, f.n - from);
}

/* The follower has no outputs yet, so that the leader's would only stand in the way of a
 * comparison. */
static void set_leader_call(struct report *r, const struct call_record *leader)
{
	struct call_record c = *leader;

	c.has_exit = leader->has_exit && leader->n_out == 0;
	report_set_call(r, SIDE_LEADER, &c);
}

void report_set_mismatch(struct report *r, const struct call_mismatch *m,
			 const struct call_record *leader, const struct call_record *follower)
{
	r->rule = m->arg < 0   ? REPORT_DIVERGENCE_CALL
		  : m->payload ? REPORT_DIVERGENCE_PAYLOAD
			       : REPORT_DIVERGENCE_ARGUMENT;
	r->has_mismatch = true;
	r->mismatch = *m;
	set_leader_call(r, leader);
	report_set_call(r, SIDE_FOLLOWER, follower);
	if (m->arg >= 0 && m->payload)
		set_excerpts(r, m, leader, follower);
}
