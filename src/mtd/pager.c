/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/pager.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "mtd/pages/backend.h"
#include "mtd/pages/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The longest that a program may take for what it does at once. */
#define PROGRAM_SECONDS 30

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

const void *pager_contents(void *ctx, uint32_t page)
{
	const struct pager *p = ctx;

	return p->view + (size_t)page * MTD_PAGE;
}

/* ---- the beginning --------------------------------------------------------------------------- */

static int make_socket(int *own, int *program)
{
	const struct timeval limit = { .tv_sec = PROGRAM_SECONDS };
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	*own = fds[0];
	*program = fds[1];
	return setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ? -errno : 0;
}

static int make_memory(struct pager *p)
{
	void *view;

	p->memory = memfd_create("chiral-mtd", MFD_CLOEXEC);
	if (p->memory < 0 || ftruncate(p->memory, (off_t)MTD_MEMORY_SIZE) < 0)
		return -errno;
	view = mmap(NULL, MTD_MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, p->memory, 0);
	if (view == MAP_FAILED)
		return -errno;
	p->view = view;
	return 0;
}

int pager_init(struct pager *p, bool home, struct link *link, struct pager_ends *ret)
{
	struct pager_ends ends = { -1, -1 };
	int r;

	*p = (struct pager){ .home = home, .link = link, .memory = -1, .program = -1, .faults = -1 };
	r = make_memory(p);
	if (r == 0)
		r = make_socket(&p->program, &ends.link);
	if (r == 0)
		r = make_socket(&p->faults, &ends.pages);
	if (r < 0) {
		cleanup_close_fn(&ends.link);
		pager_free(p);
		return log_errno(-r, "cannot make the memory of a program that moves");
	}
	*ret = ends;
	return 0;
}

/* With a userfaultfd, or -1. */
static int hear_begin(const struct pager *p, struct mtd_page_message *ret, int *ret_fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec io = { .iov_base = ret, .iov_len = sizeof(*ret) };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n = recvmsg(p->faults, &m, MSG_CMSG_CLOEXEC | MSG_WAITALL);

	*ret_fd = -1;
	c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return n != sizeof(*ret) || ret->type != MTD_PAGES_BEGIN || ret->address > MTD_DATA_MAX ||
			       ret->address % MTD_PAGE ? -EPIPE : 0;
}

/* Which of the two ways it is; p->faults becomes the userfaultfd. */
static int take_memory(struct pager *p, enum mtd_how asked, const struct mtd_page_message *begin,
		       int *uffd)
{
	int r = begin->access ? -(int)(begin->access & 0xfff) : -ENOSYS;

	if (asked != MTD_HOW_SEGV && *uffd >= 0) {
		int socket = p->faults;

		r = uffd_begin(p, *uffd, begin->address);
		if (r == 0) {
			*uffd = socket;	/* closed by the caller, after its last use */
			p->how = MTD_HOW_UFFD;
			return 0;
		}
		p->faults = socket;
	}
	if (asked == MTD_HOW_UFFD || p->home)
		return log_errno(-r, "no userfaultfd with write protection of shared memory for a program "
				     "that moves%s",
				 r == -EPERM ? "; run chiral as root, or sysctl vm.unprivileged_userfaultfd=1"
					     : p->home ? "" : "; --pages segv does without");
	p->how = MTD_HOW_SEGV;
	r = segv_begin(p);
	return r < 0 ? log_errno(-r, "cannot keep a list of pages") : 0;
}

int pager_begin(struct pager *p, enum mtd_how asked)
{
	struct mtd_page_message m = { 0 };
	cleanup_close int fd = -1;
	int r = hear_begin(p, &m, &fd), answer = p->faults;

	if (r < 0)
		return log_errno(-r, "the program did not begin as one that `chiral cc` has made");
	r = take_memory(p, asked, &m, &fd);
	if (r < 0)
		return r;
	p->pages = pages_new(p->home, MTD_PAGES, p->how == MTD_HOW_UFFD ? &uffd_ops : &segv_ops, p);
	if (!p->pages)
		return log_errno(ENOMEM, "cannot keep a list of pages");
	m = (struct mtd_page_message){ .type = MTD_PAGES_GO, .access = p->how };
	if (send(answer, &m, sizeof(m), MSG_NOSIGNAL) != sizeof(m))
		return log_errno(errno, "the program ended before it began");
	return 0;
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

/* ---- pages that go along --------------------------------------------------------------------- */

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

static void count_switch(struct pager *p, const struct mtd_message *m)
{
	p->counters.switches++;
	p->counters.frames += (uint64_t)m->v[2];
	p->counters.record_bytes += (uint64_t)m->v[0] - MTD_RECORDS;
}

/* What the switch itself needs, the innermost frames' variables, and what travels with the thread. */
static int push_for_switch(struct pager *p, const struct mtd_message *m)
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
static int push_for_call(struct pager *p, const struct mtd_message *m)
{
	int r = 0;

	for (int i = 1; i < 7 && r == 0; i++)
		r = push_range(p, (uint64_t)m->v[i], (uint64_t)m->v[i] + 2 * MTD_PAGE, 2);
	return r;
}

static int push_for_result(struct pager *p)
{
	int r = 0;

	for (unsigned i = 0; i < p->n_call_pages && r == 0; i++)
		r = pages_push(p->pages, p->call_page[i], PAGE_WRITE);
	p->n_call_pages = 0;
	return r;
}

/* ---- messages of the program ----------------------------------------------------------------- */

static int tell_program(struct pager *p, const struct mtd_message *m)
{
	ssize_t n = send(p->program, m, sizeof(*m), MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == sizeof(*m))
		return 0;
	return n < 0 && errno != EAGAIN ? -EPIPE : -EPROTO; /* it does not read */
}

/* Pages that are here and nobody waits for need no protocol; what lies between the others is punched at
 * once. */
static int discard(struct pager *p, uint64_t at, uint64_t size)
{
	uint32_t first, last;
	uint64_t run;
	int r = 0;

	if (!p->home || !size || at % MTD_PAGE || size % MTD_PAGE || at + size < at ||
	    !page_of(at, &first) || !page_of(at + size - 1, &last) || last - first != size / MTD_PAGE - 1)
		return -EPROTO;
	run = first;
	for (uint64_t i = first; i <= last + 1ull && r == 0; i++) {
		const struct page *g = &p->pages->page[i > last ? last : i];

		if (i <= last && g->own == PAGE_WRITE && !g->op)
			continue;
		if (i > run && fallocate(p->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					 (off_t)(run * MTD_PAGE), (off_t)((i - run) * MTD_PAGE)) < 0)
			r = -errno;
		if (i <= last && r == 0)
			r = pages_discard(p->pages, (uint32_t)i);
		run = i + 1;
	}
	p->discarding = true;
	return r;
}

static int end_discard(struct pager *p)
{
	const struct mtd_message done = { .type = MTD_RESULT };

	if (!p->discarding || p->pages->dropping)
		return 0;
	p->discarding = false;
	return tell_program(p, &done);
}

static int on_message(struct pager *p, const struct mtd_message *m)
{
	int r = 0;

	switch (m->type) {
	case MTD_DISCARD:
		return discard(p, (uint64_t)m->v[0], (uint64_t)m->v[1]);
	case MTD_SWITCH:
		count_switch(p, m);
		r = push_for_switch(p, m);
		break;
	case MTD_CALL:
		r = push_for_call(p, m);
		break;
	case MTD_RESULT:
		r = push_for_result(p);
		break;
	case MTD_HELLO:
	case MTD_END:
		break;
	default:
		return -EPROTO;
	}
	move_put_program(&p->out, m);
	return r;
}

/* -EPIPE at the end of what it says. */
static int hear_program(struct pager *p)
{
	for (;;) {
		struct mtd_message m;
		ssize_t n = recv(p->program, p->in + p->in_len, sizeof(p->in) - p->in_len, MSG_DONTWAIT);
		int r;

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
		if (n == 0)
			return -EPIPE;
		p->in_len += (size_t)n;
		if (p->in_len < sizeof(p->in))
			continue;
		p->in_len = 0;
		memcpy(&m, p->in, sizeof(m));
		r = on_message(p, &m);
		if (r < 0)
			return r;
	}
}

/* ---- messages of the peer -------------------------------------------------------------------- */

static int on_peer_message(struct pager *p, const struct mtd_message *m)
{
	if (m->type == (p->home ? MTD_RESULT : MTD_CALL) || m->type == MTD_DISCARD)
		return -EPROTO;
	if (m->type == MTD_SWITCH) {
		count_switch(p, m);
		for (unsigned i = 0; i < p->arrived.n; i++)
			hot_add(&p->hot, p->arrived.page[i]);
	}
	if (m->type == MTD_CALL) {
		p->counters.calls++;
		p->n_call_pages = p->arrived.n < PAGER_CALL_PAGES ? p->arrived.n : PAGER_CALL_PAGES;
		memcpy(p->call_page, p->arrived.page, p->n_call_pages * sizeof(p->call_page[0]));
	}
	hot_leave(&p->arrived);
	return tell_program(p, m);
}

static int on_item(struct pager *p, const struct move_item *item)
{
	const struct pages_message *m = &item->page;

	if (item->is_program)
		return on_peer_message(p, &item->program);
	if (m->kind == PAGES_REQUEST || m->kind == PAGES_FETCH) {
		p->counters.other_faults++;
		hot_add(&p->hot, m->page);
	} else if (m->kind == PAGES_PUSH) {
		hot_add(&p->arrived, m->page);
	}
	return pages_receive(p->pages, m);
}

/* ---- the loop's part ------------------------------------------------------------------------- */

/* What was done may have been waited for; then all that it has to say goes out in one frame. */
static int settle(struct pager *p)
{
	int r = p->how == MTD_HOW_SEGV ? segv_settle(p) : 0;

	if (r == 0)
		r = end_discard(p);
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
		int s = hear_program(p);

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
