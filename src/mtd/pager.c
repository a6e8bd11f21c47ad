/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/pager_internal.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "mtd/pages/backend.h"
#include "mtd/pages/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- what the back ends use ------------------------------------------------------------------ */

int pager_send(void *ctx, const struct pages_message *m)
{
	struct pager *p = ctx;

	move_put_page(&p->out, m);
	p->counters.pages_out += m->data != NULL;
	p->counters.pushed += m->kind == PAGES_PUSH;
	return p->out.failed ? -ENOMEM : 0;
}

int pager_fault(struct pager *p, uint32_t page, enum page_access access)
{
	p->counters.faults += p->pages->page[page].own < access && !p->pages->page[page].op;
	return pages_fault(p->pages, page, access);
}

bool pager_has(const struct pager *p, uint32_t page)
{
	uint64_t at = page_address(page);

	if (page >= MTD_PAGES)
		return false;
#define IS_IN(begin, size)                                                                         \
	if (at >= (begin) && at - (begin) < (size))                                                \
		return true;
	IS_IN(MTD_DATA, p->data_size)
	MTD_REGIONS(IS_IN)
	return false;
}

const void *pager_contents(void *ctx, uint32_t page)
{
	const struct pager *p = ctx;

	return p->view + (size_t)page * MTD_PAGE;
}

void pager_free(struct pager *p)
{
	cleanup_close_fn(&p->memory);
	cleanup_close_fn(&p->program);
	cleanup_close_fn(&p->faults);
	if (p->view)
		munmap(p->view, MTD_MEMORY_SIZE);
	free(p->allowed);
	free(p->pages);
	writer_free(&p->out);
	p->view = NULL;
}

/* ---- messages of the peer -------------------------------------------------------------------- */

static int on_peer_message(struct pager *p, const struct mtd_message *m)
{
	if (m->type == (p->home ? MTD_RESULT : MTD_CALL) || m->type == MTD_DISCARD)
		return -EPROTO;
	if (m->type == MTD_SWITCH) {
		pager_count_switch(p, m);
		for (unsigned i = 0; i < p->arrived.n; i++)
			hot_add(&p->hot, p->arrived.page[i]);
	}
	if (m->type == MTD_CALL) {
		p->counters.calls++;
		p->n_call_pages = p->arrived.n < PAGER_CALL_PAGES ? p->arrived.n : PAGER_CALL_PAGES;
		memcpy(p->call_page, p->arrived.page, p->n_call_pages * sizeof(p->call_page[0]));
	}
	return pager_tell_program(p, m);
}

static int on_item(struct pager *p, const struct move_item *item)
{
	const struct pages_message *m = &item->page;
	enum page_access access = m->access;
	int r;

	if (item->is_program)
		return on_peer_message(p, &item->program);
	if (!pager_has(p, m->page))
		return -EPROTO;
	if (m->kind == PAGES_PUSH) {
		p->counters.pushed_here++;
		hot_add(&p->arrived, m->page);
	}
	r = pages_receive(p->pages, m);
	if (m->kind == PAGES_FETCH && !m->drop)	/* what may stay here says what is needed there */
		access = m->access == PAGE_READ ? PAGE_READ : PAGE_WRITE;
	else if (m->kind != PAGES_REQUEST)
		access = PAGE_NONE;
	if (r < 0 || access == PAGE_NONE)
		return r;
	p->counters.other_faults++;
	hot_add(&p->hot, m->page);
	return pager_run_ahead(p, m->page, access);
}

/* ---- the loop's part ------------------------------------------------------------------------- */

/* What was done may have been waited for; then all that it has to say goes out in one frame. */
static int settle(struct pager *p)
{
	int r = p->how == MTD_HOW_SEGV ? segv_settle(p) : 0;

	if (r == 0)
		r = pager_end_discard(p);
	if (r < 0 || !p->out.len)
		return r;
	if (p->out.failed)
		return -ENOMEM;
	r = link_send(p->link, FRAME_MOVE, p->out.data, p->out.len);
	writer_reset(&p->out);
	if (r == 0)
		link_flush(p->link);	/* its owner hears of a link that broke when it reads */
	return r == -ENOBUFS ? r : 0;
}

void pager_fds(const struct pager *p, struct pollfd fds[2])
{
	fds[0] = (struct pollfd){ .fd = p->program, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = p->faults, .events = POLLIN };
}

static int fail(int r, const char *what)
{
	return r == 0 || r == -EPIPE ? r : log_errno(-r, "%s", what);
}

int pager_serve(struct pager *p, const struct pollfd fds[2])
{
	int r = 0;

	if (fds[1].revents)
		r = p->how == MTD_HOW_UFFD ? uffd_serve(p) : segv_serve(p);
	/* Faults first: but what it said before its end counts, also when its memory is gone. */
	if (fds[0].revents && (r == 0 || r == -EPIPE)) {
		int s = pager_hear_program(p);

		r = r ? r : s;
	}
	if (r == 0 || r == -EPIPE) {
		int s = settle(p);

		r = r ? r : s;
	}
	return fail(r, "cannot serve the memory of the program");
}

int pager_receive(struct pager *p, const struct frame *f)
{
	struct reader reader = reader_of(f->body, f->len);
	struct move_item item;
	int r, s = 0;

	hot_leave(&p->arrived);
	while ((r = move_get(&reader, &item)) == 1 && s == 0)
		s = on_item(p, &item);
	if (r == 0)
		r = s;
	if (r == 0)
		r = settle(p);
	if (r == -EPROTO)
		log_error("%s sent what has no place in the page protocol", link_peer(p->link));
	return r == -EPROTO ? r : fail(r, "cannot keep the nodes' memory the same");
}
