/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/vdt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
	FD_LOCAL = 1,
	FD_CLOEXEC_MARK = 2,
};

/* One registration, found by (epfd, fd) and by (epfd, cookie). */
struct registration {
	struct {
		int epfd, fd;
	} by_fd;
	struct {
		int64_t epfd;
		uint64_t cookie;
	} by_cookie;
	bool in_cookie_table;
	UT_hash_handle hh_fd;
	UT_hash_handle hh_cookie;
};

struct vdt {
	uint8_t *marks;
	size_t n_marks;
	struct registration *by_fd;
	struct registration *by_cookie;
};

struct vdt *vdt_new(void)
{
	return calloc(1, sizeof(struct vdt));
}

static bool marks_reach(struct vdt *t, int fd)
{
	size_t n = t->n_marks ? t->n_marks : 64;
	uint8_t *p;

	if (fd < 0 || fd >= VDT_FD_MAX)
		return false;
	if ((size_t)fd < t->n_marks)
		return true;
	while (n <= (size_t)fd)
		n *= 2;
	p = realloc(t->marks, n);
	if (!p)
		return false;
	memset(p + t->n_marks, 0, n - t->n_marks);
	t->marks = p;
	t->n_marks = n;
	return true;
}

bool vdt_is_local(const struct vdt *t, int fd)
{
	return fd >= 0 && (size_t)fd < t->n_marks && (t->marks[fd] & FD_LOCAL);
}

void vdt_set_local(struct vdt *t, int fd, bool cloexec)
{
	if (marks_reach(t, fd))
		t->marks[fd] = (uint8_t)(FD_LOCAL | (cloexec ? FD_CLOEXEC_MARK : 0));
}

void vdt_set_cloexec(struct vdt *t, int fd, bool cloexec)
{
	if (vdt_is_local(t, fd))
		vdt_set_local(t, fd, cloexec);
}

void vdt_close(struct vdt *t, int fd)
{
	if (fd >= 0 && (size_t)fd < t->n_marks)
		t->marks[fd] = 0;
}

void vdt_close_range(struct vdt *t, unsigned first, unsigned last)
{
	for (size_t fd = first; fd <= last && fd < t->n_marks; fd++)
		t->marks[fd] = 0;
}

void vdt_dup(struct vdt *t, int from, int to, bool cloexec)
{
	if (vdt_is_local(t, from))
		vdt_set_local(t, to, cloexec);
	else
		vdt_close(t, to);
}

void vdt_exec(struct vdt *t)
{
	for (size_t fd = 0; fd < t->n_marks; fd++)
		if (t->marks[fd] & FD_CLOEXEC_MARK)
			t->marks[fd] = 0;
}

static void forget_cookie(struct vdt *t, struct registration *r)
{
	if (r->in_cookie_table)
		HASH_DELETE(hh_cookie, t->by_cookie, r);
	r->in_cookie_table = false;
}

/* The newest registration of a cookie owns it: descriptors and their objects are reused, and stale
 * registrations (closed descriptors) are not announced to anybody. */
static void own_cookie(struct vdt *t, struct registration *r)
{
	struct registration *old;

	HASH_FIND(hh_cookie, t->by_cookie, &r->by_cookie, sizeof(r->by_cookie), old);
	if (old)
		forget_cookie(t, old);
	HASH_ADD(hh_cookie, t->by_cookie, by_cookie, sizeof(r->by_cookie), r);
	r->in_cookie_table = true;
}

int vdt_epoll_register(struct vdt *t, int epfd, int fd, uint64_t cookie)
{
	struct registration key = { .by_fd = { epfd, fd } }, *r;

	HASH_FIND(hh_fd, t->by_fd, &key.by_fd, sizeof(key.by_fd), r);
	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return -ENOMEM;
		r->by_fd = key.by_fd;
		HASH_ADD(hh_fd, t->by_fd, by_fd, sizeof(r->by_fd), r);
	} else {
		forget_cookie(t, r);
	}
	r->by_cookie.epfd = epfd;
	r->by_cookie.cookie = cookie;
	own_cookie(t, r);
	return 0;
}

int vdt_epoll_object(const struct vdt *t, int epfd, uint64_t cookie)
{
	struct registration key = { .by_cookie = { epfd, cookie } }, *r;

	HASH_FIND(hh_cookie, t->by_cookie, &key.by_cookie, sizeof(key.by_cookie), r);
	return r ? r->by_fd.fd : -1;
}

uint64_t vdt_epoll_cookie(const struct vdt *t, int epfd, int64_t fd)
{
	struct registration key = { .by_fd = { epfd, (int)fd } }, *r;

	HASH_FIND(hh_fd, t->by_fd, &key.by_fd, sizeof(key.by_fd), r);
	return r ? r->by_cookie.cookie : 0;
}

struct vdt *vdt_copy(const struct vdt *t)
{
	struct vdt *c = vdt_new();
	struct registration *r, *tmp;

	if (!c || (t->n_marks && !marks_reach(c, (int)t->n_marks - 1))) {
		vdt_free(c);
		return NULL;
	}
	if (t->n_marks)
		memcpy(c->marks, t->marks, t->n_marks);
	HASH_ITER(hh_fd, t->by_fd, r, tmp)
	{
		if (vdt_epoll_register(c, r->by_fd.epfd, r->by_fd.fd, r->by_cookie.cookie) < 0) {
			vdt_free(c);
			return NULL;
		}
	}
	return c;
}

void vdt_free(struct vdt *t)
{
	struct registration *r, *tmp;

	if (!t)
		return;
	HASH_ITER(hh_fd, t->by_fd, r, tmp)
	{
		forget_cookie(t, r);
		HASH_DELETE(hh_fd, t->by_fd, r);
		free(r);
	}
	free(t->marks);
	free(t);
}
