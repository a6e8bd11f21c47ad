/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userfaultfd(2) on shared memory: pages that are not in the memory file are MISSING, pages that both
 * nodes may read are write-protected. The program's kernel waits for pages as the program does.
 *
 * Home's pages begin as holes of the file that home owns: a fault there gets zeros, and so do the holes
 * behind it. Write protection of shared memory: Linux 5.19; on arm64 6.12.
 */
#include "mtd/pages/backend.h"
#include "mtd/pages/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FEATURES (UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM)
/* Holes that are filled at once. */
#define FILL_AROUND 16u

static int control(const struct pager *p, unsigned long request, void *arg)
{
	if (ioctl(p->faults, request, arg) == 0)
		return 0;
	return errno == ESRCH ? -EPIPE : -errno; /* the program is dead */
}

static int watch(const struct pager *p, uint64_t at, uint64_t size)
{
	struct uffdio_register r = { .range = { .start = at, .len = size },
				     .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP };

	return size ? control(p, UFFDIO_REGISTER, &r) : 0;
}

int uffd_begin(struct pager *p, int uffd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
	int r;

	p->faults = uffd;
	r = control(p, UFFDIO_API, &api);
	if (r == 0)
		r = watch(p, MTD_DATA, p->data_size);
#define WATCH(at, size)                                                                            \
	if (r == 0)                                                                                \
		r = watch(p, at, size);
	MTD_REGIONS(WATCH)
	return r;
}

/* ---- what the protocol decides --------------------------------------------------------------- */

static struct uffdio_range range_of(uint32_t page, uint32_t n)
{
	return (struct uffdio_range){ .start = page_address(page), .len = n * MTD_PAGE };
}

static int punch(const struct pager *p, uint32_t page)
{
	return fallocate(p->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 (off_t)page * (off_t)MTD_PAGE, MTD_PAGE) < 0 ? -errno : 0;
}

static int op_install(void *ctx, uint32_t page, enum page_access access, const void *data)
{
	struct pager *p = ctx;
	int r;

	for (int i = 0; i < 2; i++) {
		struct uffdio_copy c = { .dst = page_address(page), .src = (uint64_t)data, .len = MTD_PAGE,
					 .mode = access == PAGE_READ ? UFFDIO_COPY_MODE_WP : 0 };

		do
			r = control(p, UFFDIO_COPY, &c);
		while (r == -EAGAIN);
		if (r != -EEXIST)
			break;
		/* A hole that somebody has looked at. */
		r = punch(p, page);
		if (r < 0)
			break;
		r = -EEXIST;
	}
	p->counters.pages_in++;
	return r;
}

static int write_protect(struct pager *p, uint32_t page, bool on)
{
	struct uffdio_writeprotect w = { .range = range_of(page, 1),
					 .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };
	int r;

	do
		r = control(p, UFFDIO_WRITEPROTECT, &w);
	while (r == -EAGAIN);
	return r;
}

static int op_protect(void *ctx, uint32_t page)
{
	return write_protect(ctx, page, true);
}

static int op_unprotect(void *ctx, uint32_t page)
{
	return write_protect(ctx, page, false);
}

static int op_remove(void *ctx, uint32_t page)
{
	return punch(ctx, page);
}

static int op_clear(void *ctx, uint32_t page)
{
	int r = punch(ctx, page);

	return r < 0 ? r : write_protect(ctx, page, false);
}

/* Fills holes that home owns. */
static int fill(struct pager *p, uint32_t page)
{
	uint32_t n = 1;

	while (n < FILL_AROUND && pager_has(p, page + n) && p->pages->page[page + n].own == PAGE_WRITE)
		n++;
	for (;;) {
		struct uffdio_zeropage z = { .range = range_of(page, n) };
		int r = control(p, UFFDIO_ZEROPAGE, &z);

		if (r == 0 || (r == -EAGAIN && z.zeropage > 0))
			return 0;
		if (r == -ENOENT && n > 1)	/* two regions */
			n = 1;
		else if (r != -EAGAIN)
			return r;
	}
}

static int op_wake(void *ctx, uint32_t page, enum page_access access)
{
	struct pager *p = ctx;
	struct uffdio_range range = range_of(page, 1);
	int r = p->home && access == PAGE_WRITE ? fill(p, page) : -EEXIST;

	if (r != -EEXIST)
		return r;
	return access == PAGE_WRITE ? write_protect(p, page, false) : control(p, UFFDIO_WAKE, &range);
}

const struct pages_ops uffd_ops = {
	.install = op_install, .protect = op_protect, .unprotect = op_unprotect, .remove = op_remove,
	.clear = op_clear, .wake = op_wake, .contents = pager_contents, .send = pager_send,
};

/* ---- what the program does ------------------------------------------------------------------- */

int uffd_serve(struct pager *p)
{
	struct uffd_msg m[8];
	ssize_t n = read(p->faults, m, sizeof(m));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (size_t i = 0; i < (size_t)n / sizeof(m[0]); i++) {
		bool write = m[i].arg.pagefault.flags &
			     (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP);
		uint32_t page;
		int r;

		if (m[i].event != UFFD_EVENT_PAGEFAULT || !page_of(m[i].arg.pagefault.address, &page))
			return -EPROTO;
		r = pager_fault(p, page, write ? PAGE_WRITE : PAGE_READ);
		if (r < 0)
			return r;
	}
	return 0;
}
