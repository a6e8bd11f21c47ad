/* SPDX-License-Identifier: Apache-2.0 */
/* A pager's memory, its sockets, and how its program hands over. */
#include "mtd/pager_internal.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "mtd/pages/backend.h"
#include "mtd/pages/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The longest that a program may take for what it does at once. */
#define PROGRAM_SECONDS 30

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

/* p->faults becomes the userfaultfd, *uffd the socket, which the caller closes after its last use. */
static int try_uffd(struct pager *p, const struct mtd_page_message *begin, int *uffd)
{
	int socket = p->faults, r;

	if (*uffd < 0)
		return begin->access ? -(int)(begin->access & 0xfff) : -ENOSYS;
	r = uffd_begin(p, *uffd);
	if (r < 0) {
		p->faults = socket;
		return r;
	}
	*uffd = socket;
	p->how = MTD_HOW_UFFD;
	return 0;
}

/* Which of the two ways it is. */
static int take_memory(struct pager *p, enum mtd_how asked, const struct mtd_page_message *begin,
		       int *uffd, char *why, size_t why_size)
{
	int r = asked == MTD_HOW_SEGV ? -EOPNOTSUPP : try_uffd(p, begin, uffd);

	if (r == 0)
		return 0;
	if (asked == MTD_HOW_UFFD) {
		snprintf(why, why_size, "a program that moves needs a userfaultfd with write protection of "
			 "shared memory (%s); %s", strerror(-r),
			 r == -EPERM ? "run chiral as root, or sysctl vm.unprivileged_userfaultfd=1"
			 : p->home ? "its home needs a newer kernel" : "--pages segv does without");
		return r;
	}
	p->how = MTD_HOW_SEGV;
	return segv_begin(p);
}

int pager_begin(struct pager *p, enum mtd_how asked, char *why, size_t why_size)
{
	struct mtd_page_message m = { 0 };
	cleanup_close int fd = -1;
	int r = hear_begin(p, &m, &fd), answer = p->faults;

	if (r < 0) {
		snprintf(why, why_size, "its process did not begin as one that `chiral cc` has made");
		return r;
	}
	p->data_size = m.address;
	snprintf(why, why_size, "out of memory");
	r = take_memory(p, asked, &m, &fd, why, why_size);
	if (r < 0)
		return r;
	p->pages = pages_new(p->home, MTD_PAGES, p->how == MTD_HOW_UFFD ? &uffd_ops : &segv_ops, p);
	if (!p->pages)
		return -ENOMEM;
	m = (struct mtd_page_message){ .type = MTD_PAGES_GO, .access = p->how };
	if (send(answer, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m))
		return 0;
	snprintf(why, why_size, "its process ended before it began");
	return -EPIPE;
}
