/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages that are sent before anybody asks: with a switch, with a call and its result, and behind pages
 * that are asked for in their order.
 */
#include "mtd/pager_internal.h"

#include "mtd/pages/backend.h"
#include "mtd/pages/wire.h"

static int push(struct pager *p, uint64_t address)
{
	uint32_t page;

	return page_of(address, &page) ? pages_push(p->pages, page, PAGE_WRITE) : 0;
}

#define RECORD_PAGES 16
#define SHADOW_PAGES 8

static int push_range(struct pager *p, uint64_t at, uint64_t end, unsigned max)
{
	int r = 0;

	for (at &= ~(MTD_PAGE - 1); r == 0 && at < end && max--; at += MTD_PAGE)
		r = push(p, at);
	return r;
}

/* What the switch itself needs, the innermost frames' variables, and what travels with the thread. */
int pager_push_for_switch(struct pager *p, const struct mtd_message *m)
{
	uint64_t records = (uint64_t)m->v[0], shadow = (uint64_t)m->v[1];
	int r = push(p, MTD_CONTROL);

	if (records <= MTD_RECORDS + MTD_RECORDS_SIZE)
		r = r ? r : push_range(p, MTD_RECORDS, records, RECORD_PAGES);
	if (shadow >= MTD_SHADOW && shadow < MTD_SHADOW + MTD_SHADOW_SIZE)
		r = r ? r : push_range(p, shadow, MTD_SHADOW + MTD_SHADOW_SIZE, SHADOW_PAGES);
	hot_forget(&p->hot);
	for (unsigned i = 0; r == 0 && i < p->hot.n; i++)
		r = pages_push(p->pages, p->hot.page[i], PAGE_WRITE);
	hot_leave(&p->hot);
	return r;
}

/* Two pages of each argument that may be an address: a call at home mostly needs its buffers. */
int pager_push_for_call(struct pager *p, const struct mtd_message *m)
{
	int r = 0;

	for (int i = 1; i < 7 && r == 0; i++)
		r = push_range(p, (uint64_t)m->v[i], (uint64_t)m->v[i] + 2 * MTD_PAGE, 2);
	return r;
}

int pager_push_for_result(struct pager *p)
{
	int r = 0;

	for (unsigned i = 0; i < p->n_call_pages && r == 0; i++)
		r = pages_push(p->pages, p->call_page[i], PAGE_WRITE);
	p->n_call_pages = 0;
	return r;
}

#define AHEAD_MAX 16

int pager_run_ahead(struct pager *p, uint32_t page, enum page_access access)
{
	int r = 0;

	if (page != p->ahead_at)
		p->ahead = 0;
	else if (p->ahead < AHEAD_MAX)
		p->ahead = p->ahead ? p->ahead * 2 : 2;
	for (unsigned i = 1; i <= p->ahead && r == 0; i++)
		if (pager_has(p, page + i))
			r = pages_push(p->pages, page + i, access);
	p->ahead_at = page + p->ahead + 1;
	return r;
}
