/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/pages/pages.h"

#include <errno.h>
#include <stdlib.h>

struct pages *pages_new(bool home, uint32_t n, const struct pages_ops *ops, void *ctx)
{
	struct pages *p = calloc(1, sizeof(*p) + n * sizeof(p->page[0]));

	if (!p)
		return NULL;
	*p = (struct pages){ .ops = ops, .ctx = ctx, .home = home, .n = n };
	for (uint32_t i = 0; home && i < n; i++)
		p->page[i].own = PAGE_WRITE;
	return p;
}

static int other_fault(struct pages *p, uint32_t page, enum page_access access)
{
	const struct pages_message m = { .kind = PAGES_REQUEST, .access = access, .page = page };

	p->page[page].op = access == PAGE_READ ? PAGE_FOR_READ : PAGE_FOR_WRITE;
	return p->ops->send(p->ctx, &m);
}

int pages_fault(struct pages *p, uint32_t page, enum page_access access)
{
	const struct page *g = &p->page[page];

	if (g->own >= access)
		return p->ops->wake(p->ctx, page, g->own);
	if (p->cut)
		return -EPIPE;
	/* What it waits for may be less; it will fault again. */
	if (g->op)
		return 0;
	return p->home ? pages_home_fault(p, page, access) : other_fault(p, page, access);
}

int pages_receive(struct pages *p, const struct pages_message *m)
{
	if (m->page >= p->n || m->access > PAGE_WRITE || p->cut)
		return -EPROTO;
	return p->home ? pages_home_receive(p, m) : pages_other_receive(p, m);
}

int pages_push(struct pages *p, uint32_t page, enum page_access access)
{
	struct pages_message m = { .kind = PAGES_PUSH, .access = access, .page = page };
	struct page *g = &p->page[page];
	int r;

	if (g->own != PAGE_WRITE || g->op || p->cut)
		return 0;
	r = p->ops->protect(p->ctx, page);
	if (r < 0)
		return r;
	m.data = p->ops->contents(p->ctx, page);
	r = p->ops->send(p->ctx, &m);
	if (r == 0 && access == PAGE_WRITE)
		r = p->ops->remove(p->ctx, page);
	g->own = access == PAGE_WRITE ? PAGE_NONE : PAGE_READ;
	if (p->home)
		g->peer = access;
	return r;
}

void pages_cut(struct pages *p)
{
	p->cut = true;
}
