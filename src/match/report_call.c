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

/* Keeps the bytes around the first difference: the row of 16 before it and what follows. */
static void set_excerpt(struct report *r, enum report_side side, const struct call_record *c,
			const struct call_mismatch *m)
{
	uint64_t from = m->offset & ~UINT64_C(15);

	from -= from < 16 ? from : 16;
	for (int i = 0; i < c->n_in; i++) {
		const struct payload *p = &c->in[i];

		if (p->arg != m->arg || p->form == PAYLOAD_DIGEST || from >= p->size)
			continue;
		report_set_bytes(r, side, from, payload_data(c, p) + from, p->size - from);
		return;
	}
}

void report_set_mismatch(struct report *r, const struct call_mismatch *m,
			 const struct call_record *leader, const struct call_record *follower)
{
	r->rule = m->arg < 0   ? REPORT_DIVERGENCE_CALL
		  : m->payload ? REPORT_DIVERGENCE_PAYLOAD
			       : REPORT_DIVERGENCE_ARGUMENT;
	r->has_mismatch = true;
	r->mismatch = *m;
	report_set_call(r, SIDE_LEADER, leader);
	report_set_call(r, SIDE_FOLLOWER, follower);
	if (m->arg >= 0 && m->payload && m->exact) {
		set_excerpt(r, SIDE_LEADER, leader, m);
		set_excerpt(r, SIDE_FOLLOWER, follower, m);
	}
}
