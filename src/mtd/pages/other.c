/* SPDX-License-Identifier: Apache-2.0 */
/* The other node's half of the page protocol: it obeys a FETCH at once, also while it waits itself. */
#include "mtd/pages/pages.h"

#include <errno.h>

static int on_grant(struct pages *p, const struct pages_message *m)
{
	struct page *g = &p->page[m->page];
	enum page_access wanted = g->op == PAGE_FOR_READ ? PAGE_READ : PAGE_WRITE, own = g->own;

	if (g->op == PAGE_IDLE || m->access < wanted || m->access < own ||
	    !m->data != (own != PAGE_NONE))
		return -EPROTO;
	g->op = PAGE_IDLE;
	g->own = m->access;
	if (m->data)
		return p->ops->install(p->ctx, m->page, m->access, m->data);
	if (own < m->access)
		return p->ops->unprotect(p->ctx, m->page);
	return p->ops->wake(p->ctx, m->page, own);
}

static int on_fetch(struct pages *p, const struct pages_message *m)
{
	struct page *g = &p->page[m->page];
	enum page_access own = g->own, keep = own < m->access ? own : m->access;
	struct pages_message answer = { .kind = PAGES_ANSWER, .access = keep, .page = m->page };
	int r = 0;

	if (m->access == PAGE_WRITE || m->data || (m->drop && m->access != PAGE_NONE))
		return -EPROTO;
	if (own == PAGE_WRITE && !m->drop) {
		r = p->ops->protect(p->ctx, m->page);
		if (r == 0)
			answer.data = p->ops->contents(p->ctx, m->page);
	}
	if (r == 0)
		r = p->ops->send(p->ctx, &answer);
	if (r == 0 && own != PAGE_NONE && keep == PAGE_NONE)
		r = p->ops->remove(p->ctx, m->page);
	g->own = keep;
	return r;
}

static int on_push(struct pages *p, const struct pages_message *m)
{
	struct page *g = &p->page[m->page];

	if (g->own != PAGE_NONE || !m->data || m->access == PAGE_NONE)
		return -EPROTO;
	g->own = m->access;
	return p->ops->install(p->ctx, m->page, m->access, m->data);
}

int pages_other_receive(struct pages *p, const struct pages_message *m)
{
	switch (m->kind) {
	case PAGES_GRANT:
		return on_grant(p, m);
	case PAGES_FETCH:
		return on_fetch(p, m);
	case PAGES_PUSH:
		return on_push(p, m);
	default:
		return -EPROTO;
	}
}
