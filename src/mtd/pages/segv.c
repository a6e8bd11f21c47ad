/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pager's half of mtd/runtime/segv.c: access is what the program's mappings give. It is raised when
 * the program faults, and lowered by a signal, whose handler says that it is done. Only for the other
 * node: nobody but the program itself looks at its memory there.
 */
#include "mtd/pages/backend.h"
#include "mtd/pages/wire.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

static int tell(struct pager *p, uint32_t type, uint64_t address, uint32_t access)
{
	struct mtd_page_message m = { .type = type, .access = access, .address = address };

	return send(p->faults, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m) ? 0 : -EPIPE;
}

/* The next message of the program; -EPIPE when it is gone. */
static int hear(struct pager *p, struct mtd_page_message *ret, int flags)
{
	ssize_t n;

	do
		n = recv(p->faults, ret, sizeof(*ret), flags);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	return n == sizeof(*ret) ? 0 : -EPIPE;
}

int segv_begin(struct pager *p)
{
	p->allowed = calloc(MTD_PAGES, 1);
	return p->allowed ? 0 : -ENOMEM;
}

/* It has one thread, which now waits. */
static int note_fault(struct pager *p, const struct mtd_page_message *m)
{
	if (m->type != MTD_PAGE_FAULT || p->waits)
		return -EPROTO;
	p->waits = p->fault_is_new = true;
	p->waits_at = m->address;
	return 0;
}

static int lower(struct pager *p, uint32_t page, enum page_access access)
{
	struct mtd_page_message m;
	int r;

	if (p->allowed[page] <= access)
		return 0;
	p->allowed[page] = (uint8_t)access;
	r = tell(p, MTD_PAGE_LOWER, page_address(page), access);
	if (r == 0 && kill(p->pid, MTD_PAGES_SIGNAL) < 0)
		r = -EPIPE;
	while (r == 0 && (r = hear(p, &m, 0)) == 0) {
		if (m.type == MTD_PAGE_LOWERED)
			return 0;
		r = note_fault(p, &m);
	}
	return r == -EAGAIN ? -ETIMEDOUT : r;
}

/* ---- what the protocol decides --------------------------------------------------------------- */

static int op_wake(void *ctx, uint32_t page, enum page_access access)
{
	struct pager *p = ctx;
	uint32_t waits;

	if (!p->waits || !page_of(p->waits_at, &waits) || waits != page)
		return 0;
	p->waits = false;
	p->allowed[page] = (uint8_t)access;
	return tell(p, MTD_PAGE_ACCESS, page_address(page), access);
}

static int op_install(void *ctx, uint32_t page, enum page_access access, const void *data)
{
	struct pager *p = ctx;

	memcpy(p->view + (size_t)page * MTD_PAGE, data, MTD_PAGE);
	p->counters.pages_in++;
	return op_wake(ctx, page, access);
}

static int op_protect(void *ctx, uint32_t page)
{
	return lower(ctx, page, PAGE_READ);
}

static int op_unprotect(void *ctx, uint32_t page)
{
	return op_wake(ctx, page, PAGE_WRITE);
}

static int op_remove(void *ctx, uint32_t page)
{
	return lower(ctx, page, PAGE_NONE);
}

const struct pages_ops segv_ops = {
	.install = op_install, .protect = op_protect, .unprotect = op_unprotect, .remove = op_remove,
	.wake = op_wake, .contents = pager_contents, .send = pager_send,
};

/* ---- what the program does ------------------------------------------------------------------- */

/* There is no saying what the program wanted: first it may read, and if it faults again, write. What it
 * may write and faults all the same is its own affair. */
int segv_settle(struct pager *p)
{
	uint32_t page;

	if (!p->fault_is_new)
		return 0;
	p->fault_is_new = false;
	if (page_of(p->waits_at, &page) && p->allowed[page] < PAGE_WRITE)
		return pager_fault(p, page, p->allowed[page] + 1);
	p->waits = false;
	return tell(p, MTD_PAGE_CRASH, p->waits_at, 0);
}

int segv_serve(struct pager *p)
{
	struct mtd_page_message m;
	int r = hear(p, &m, MSG_DONTWAIT);

	if (r == 0)
		r = note_fault(p, &m);
	return r == -EAGAIN ? 0 : r;
}
