/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/perform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS_MAX 4096
#define BUFFER_SIZE (128u << 10)
#define NOT_PERFORMED -1

static uint8_t buffer[BUFFER_SIZE];

static bool reach(struct performer *p, int fd)
{
	int n = p->n_fds ? p->n_fds : 64;
	struct performer_fd *fds;

	if (fd < 0 || fd >= FDS_MAX)
		return false;
	if (fd < p->n_fds)
		return true;
	while (n <= fd)
		n *= 2;
	fds = realloc(p->fds, (size_t)n * sizeof(*fds));
	if (!fds)
		return false;
	memset(fds + p->n_fds, 0, (size_t)(n - p->n_fds) * sizeof(*fds));
	p->fds = fds;
	p->n_fds = n;
	return true;
}

/* Pipes, terminals and the like may block, and have no flag against it for a single call. */
static bool suits(int fd, bool *ret_socket)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	*ret_socket = S_ISSOCK(st.st_mode);
	/* An epoll instance is an anonymous inode without a type. */
	return S_ISSOCK(st.st_mode) || S_ISREG(st.st_mode) || (st.st_mode & S_IFMT) == 0;
}

static int duplicate(struct performer *p, pid_t pid, int fd)
{
	int copy;

	if (p->pidfd == 0)
		p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0) + 1;
	if (p->pidfd <= 0)
		return -1;
	copy = (int)syscall(SYS_pidfd_getfd, p->pidfd - 1, fd, 0);
	return copy;
}

static const struct performer_fd *get(struct performer *p, pid_t pid, int fd)
{
	struct performer_fd *e;

	if (!reach(p, fd))
		return NULL;
	e = &p->fds[fd];
	if (e->fd == 0) {
		int copy = duplicate(p, pid, fd);

		if (copy >= 0 && !suits(copy, &e->is_socket)) {
			close(copy);
			copy = -1;
		}
		e->fd = copy < 0 ? NOT_PERFORMED : copy + 1;
	}
	return e->fd > 0 ? e : NULL;
}

/* The bytes of a small in-payload, which the record has as they are. */
static const uint8_t *bytes_of(const struct call_record *c, unsigned arg, size_t *ret_len)
{
	const struct payload *in = call_in_of(c, arg);

	if (!in || in->form != PAYLOAD_BYTES || in->len != in->size)
		return NULL;
	*ret_len = in->size;
	return payload_data(c, in);
}

/* A blocking socket sends everything or waits: only one that does not wait may send a part. */
static ssize_t send_bytes(const struct performer_fd *e, const struct call_record *c, unsigned arg,
			  int flags)
{
	size_t len;
	const uint8_t *data = bytes_of(c, arg, &len);

	if (!data || len == 0)
		return -1;
	if (!e->is_socket)
		return write(e->fd - 1, data, len);
	if (!(fcntl(e->fd - 1, F_GETFL) & O_NONBLOCK))
		return -1;
	return send(e->fd - 1, data, len, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t store(struct mem *mem, uint64_t addr, ssize_t n)
{
	if (n > 0 && mem->write(mem, addr, buffer, (size_t)n) != n)
		return -1;
	return n;
}

static ssize_t receive(const struct performer_fd *e, const struct native_call *n, struct mem *mem,
		       int flags)
{
	size_t len = n->arg[2];

	if (len == 0 || len > BUFFER_SIZE || (flags & ~MSG_PEEK))
		return -1;
	return store(mem, n->arg[1],
		     e->is_socket ? recv(e->fd - 1, buffer, len, flags | MSG_DONTWAIT)
				  : read(e->fd - 1, buffer, len));
}

static ssize_t receive_at(const struct performer_fd *e, const struct native_call *n, struct mem *mem)
{
	size_t len = n->arg[2];

	if (e->is_socket || len == 0 || len > BUFFER_SIZE)
		return -1;
	return store(mem, n->arg[1], pread(e->fd - 1, buffer, len, (off_t)n->arg[3]));
}

/* Events that are there already; when there are none the leader itself may have to wait. */
static ssize_t look(const struct performer_fd *e, const struct native_call *n, struct mem *mem)
{
	int64_t max = (int32_t)n->arg[2];
	int got;

	/* The old form has no mask argument: what is in that register is not one. */
	if (max <= 0 || (size_t)max > BUFFER_SIZE / sizeof(struct epoll_event) ||
	    (n->row == n->canon && n->arg[4]))
		return -1;
	got = epoll_wait(e->fd - 1, (struct epoll_event *)(void *)buffer, (int)max, 0);
	if (got <= 0)
		return -1;
	if (store(mem, n->arg[1], (ssize_t)((size_t)got * sizeof(struct epoll_event))) < 0)
		return -1;
	return got;
}

static ssize_t perform(const struct performer_fd *e, const struct native_call *n,
		       const struct call_record *c, struct mem *mem)
{
	switch (c->id) {
	case CALL_READ:
		return receive(e, n, mem, 0);
	case CALL_RECVFROM:
		return n->arg[4] ? -1 : receive(e, n, mem, (int)n->arg[3]);
	case CALL_PREAD64:
		return receive_at(e, n, mem);
	case CALL_WRITE:
	case CALL_WRITEV:
		return send_bytes(e, c, 1, 0);
	case CALL_SENDTO:
		if (n->arg[4] || ((int)n->arg[3] & ~(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE)))
			return -1;
		return send_bytes(e, c, 1, (int)n->arg[3]);
	case CALL_EPOLL_PWAIT:
		return look(e, n, mem);
	default:
		return -1;
	}
}

static bool is_candidate(uint16_t id)
{
	return id == CALL_READ || id == CALL_RECVFROM || id == CALL_PREAD64 || id == CALL_WRITE ||
	       id == CALL_WRITEV || id == CALL_SENDTO || id == CALL_EPOLL_PWAIT;
}

bool performer_try(struct performer *p, pid_t pid, const struct native_call *n,
		   const struct call_record *c, struct mem *mem, int64_t *ret)
{
	const struct performer_fd *e;
	ssize_t r;

	if (!is_candidate(c->id))
		return false;
	e = get(p, pid, (int)n->arg[0]);
	r = e ? perform(e, n, c, mem) : -1;
	if (r < 0)
		return false;
	*ret = r;
	return true;
}

void performer_forget(struct performer *p, int fd)
{
	if (fd < 0 || fd >= p->n_fds)
		return;
	if (p->fds[fd].fd > 0)
		close(p->fds[fd].fd - 1);
	p->fds[fd].fd = 0;
}

void performer_forget_range(struct performer *p, unsigned first, unsigned last)
{
	for (unsigned fd = first; fd <= last && fd < (unsigned)p->n_fds; fd++)
		performer_forget(p, (int)fd);
}

void performer_free(struct performer *p)
{
	performer_forget_range(p, 0, ~0u);
	if (p->pidfd > 0)
		close(p->pidfd - 1);
	free(p->fds);
	*p = (struct performer){ 0 };
}
