/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The home node's half of the page protocol. With no message under way, of own and peer one is
 * PAGE_WRITE and the other PAGE_NONE, or both are PAGE_READ. While home waits for an ANSWER it gives
 * nothing away, so peer can only sink, by a PUSH.
 */
#include "mtd/pages/pages.h"

#include <errno.h>

static int fetch(struct pages *p, uint32_t page, enum page_op op)
{
	const struct pages_message m = {
		.kind = PAGES_FETCH,
		.page = page,
		.access = op == PAGE_FOR_READ ? PAGE_READ : PAGE_NONE,
		.drop = op == PAGE_FOR_DROP,
	};

	p->page[page].op = op;
	return p->ops->send(p->ctx, &m);
}

int pages_home_fault(struct pages *p, uint32_t page, enum page_access access)
{
	return fetch(p, page, access == PAGE_READ ? PAGE_FOR_READ : PAGE_FOR_WRITE);
}

static int grant(struct pages *p, uint32_t page, enum page_access access)
{
	struct pages_message m = { .kind = PAGES_GRANT, .access = access, .page = page };
	struct page *g = &p->page[page];
	int r = 0;

	/* A PUSH crossed the REQUEST. */
	if (g->peer >= access) {
		m.access = g->peer;
		return p->ops->send(p->ctx, &m);
	}
	if (g->own == PAGE_WRITE)
		r = p->ops->protect(p->ctx, page);
	if (r == 0 && g->peer == PAGE_NONE)
		m.data = p->ops->contents(p->ctx, page);
	if (r == 0)
		r = p->ops->send(p->ctx, &m);
	if (r == 0 && access == PAGE_WRITE)
		r = p->ops->remove(p->ctx, page);
	g->own = access == PAGE_WRITE ? PAGE_NONE : PAGE_READ;
	g->peer = access;
	return r;
}

static int on_request(struct pages *p, const struct pages_message *m)
{
	struct page *g = &p->page[m->page];

	if (m->access == PAGE_NONE || m->data || g->queued)
		return -EPROTO;
	if (g->op == PAGE_IDLE)
		return grant(p, m->page, m->access);
	g->queued = m->access;
	return 0;
}

/* What waited for the ANSWER. */
static int go_on(struct pages *p, uint32_t page)
{
	struct page *g = &p->page[page];
	enum page_access access = g->queued;
	int r = 0;

	if (g->drop_next) {
		g->drop_next = 0;
		p->dropping--;
		r = pages_discard(p, page);
	}
	if (r < 0 || g->op != PAGE_IDLE || !access)
		return r;
	g->queued = PAGE_NONE;
	return grant(p, page, access);
}

/* The other node has kept m->access; own follows from it. */
static int take_back(struct pages *p, const struct pages_message *m)
{
	struct page *g = &p->page[m->page];
	enum page_access own = m->access == PAGE_NONE ? PAGE_WRITE : PAGE_READ;
	int r = 0;

	if (m->data)
		r = p->ops->install(p->ctx, m->page, own, m->data);
	else if (g->own < own)
		r = p->ops->unprotect(p->ctx, m->page);
	else	/* a PUSH crossed the FETCH; a fault since then was not asked for */
		r = p->ops->wake(p->ctx, m->page, own);
	g->own = own;
	g->peer = m->access;
	return r;
}

static int on_answer(struct pages *p, const struct pages_message *m)
{
	struct page *g = &p->page[m->page];
	enum page_op op = g->op;
	int r;

	if (op == PAGE_IDLE || m->access > g->peer ||
	    m->access > (op == PAGE_FOR_READ ? PAGE_READ : PAGE_NONE) ||
	    !m->data != (g->peer != PAGE_WRITE || op == PAGE_FOR_DROP))
		return -EPROTO;
	g->op = PAGE_IDLE;
	if (op == PAGE_FOR_DROP) {
		r = p->ops->clear(p->ctx, m->page);
		g->own = PAGE_WRITE;
		g->peer = PAGE_NONE;
		p->dropping--;
	} else {
		r = take_back(p, m);
	}
	return r < 0 ? r : go_on(p, m->page);
}

static int on_push(struct pages *p, const struct pages_message *m)
{
	struct page *g = &p->page[m->page];

	if (g->peer != PAGE_WRITE || !m->data || m->access == PAGE_NONE)
		return -EPROTO;
	g->own = m->access;
	g->peer = m->access == PAGE_WRITE ? PAGE_NONE : PAGE_READ;
	return p->ops->install(p->ctx, m->page, g->own, m->data);
}

int pages_home_receive(struct pages *p, const struct pages_message *m)
{
	switch (m->kind) {
	case PAGES_REQUEST:
		return on_request(p, m);
	case PAGES_ANSWER:
		return on_answer(p, m);
	case PAGES_PUSH:
		return on_push(p, m);
	default:
		return -EPROTO;
	}
}

int pages_discard(struct pages *p, uint32_t page)
{
	struct page *g = &p->page[page];

	if (p->cut)
		return -EPIPE;
	if (g->op) {
		if (g->op != PAGE_FOR_DROP && !g->drop_next) {
			g->drop_next = 1;
			p->dropping++;
		}
		return 0;
	}
	if (g->peer != PAGE_NONE) {
		p->dropping++;
		return fetch(p, page, PAGE_FOR_DROP);
	}
	return p->ops->clear(p->ctx, page);
}
