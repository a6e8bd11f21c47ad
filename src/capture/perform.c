/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/perform.h"

#include "variant/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
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

enum kind {
	KIND_NONE,
	KIND_FILE,
	KIND_INET,	/* a socket that both directions are performed on */
	KIND_UNIX,	/* its peer may see who has sent */
	KIND_EPOLL,	/* or another anonymous object: epoll_wait(2) tells them apart, nothing else is tried */
};

/* File systems whose files are the same for every reader and do not wait for another program. */
static bool is_plain_file_system(int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return false;
	switch ((unsigned long)st.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case SQUASHFS_MAGIC:
		return true;
	default:
		return false;
	}
}

static enum kind kind_of_socket(int fd)
{
	int domain = 0, type = 0, low_water = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low_water, &len) < 0)
		return KIND_NONE;
	/* A blocking receive waits for that much, one that does not wait takes what there is. */
	if (low_water > 1 || (type != SOCK_STREAM && type != SOCK_DGRAM))
		return KIND_NONE;
	if (domain == AF_INET || domain == AF_INET6)
		return KIND_INET;
	return domain == AF_UNIX ? KIND_UNIX : KIND_NONE;
}

/* Pipes, terminals and the like may block, and have no flag against it for a single call. */
static enum kind kind_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return KIND_NONE;
	switch (st.st_mode & S_IFMT) {
	case S_IFSOCK:
		return kind_of_socket(fd);
	case S_IFREG:
		return is_plain_file_system(fd) ? KIND_FILE : KIND_NONE;
	case 0:
		return KIND_EPOLL;
	default:
		return KIND_NONE;
	}
}

static bool is_socket(const struct performer_fd *e)
{
	return e->kind == KIND_INET || e->kind == KIND_UNIX;
}

static bool sees_who_looks(pid_t pid, int fd)
{
	char path[64], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = 0;
	return !strcmp(target, "anon_inode:[signalfd]") || !strcmp(target, "anon_inode:[eventpoll]");
}

/* An instance that was made before this process was, or that another one fills: proc(5), fdinfo. */
static bool watches_signals(pid_t pid, int epoll_fd)
{
	char name[32], text[16384], *line = text;
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "fdinfo/%d", epoll_fd);
	n = proc_read(pid, name, text, sizeof(text));
	if (n < 0 || n == sizeof(text) - 1)
		return true;
	while ((line = strstr(line, "tfd:"))) {
		line += strlen("tfd:");
		if (sscanf(line, "%d", &fd) == 1 && sees_who_looks(pid, fd))
			return true;
	}
	return false;
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

		e->kind = copy < 0 ? KIND_NONE : kind_of(copy);
		if (e->kind == KIND_EPOLL && watches_signals(pid, fd))
			e->kind = KIND_NONE;
		if (copy >= 0 && e->kind == KIND_NONE) {
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

/* The limit is the caller's, and so is the signal of who exceeds it. */
static bool has_file_limit(pid_t pid)
{
	struct rlimit own, theirs;

	return prlimit(pid, RLIMIT_FSIZE, NULL, &theirs) < 0 ||
	       prlimit(0, RLIMIT_FSIZE, NULL, &own) < 0 || theirs.rlim_cur != RLIM_INFINITY ||
	       own.rlim_cur != RLIM_INFINITY;
}

/* What a call in the leader's name needs. */
struct performance {
	struct performer *performer;
	pid_t pid;
	const struct performer_fd *e;
	const struct native_call *n;
	const struct call_record *c;
	struct mem *mem;
};

/* A blocking socket sends everything or waits: only one that does not wait may send a part. */
static ssize_t send_bytes(const struct performance *p, unsigned arg, int flags)
{
	int fd = p->e->fd - 1;
	size_t len;
	const uint8_t *data = bytes_of(p->c, arg, &len);

	if (!data || len == 0)
		return -1;
	if (p->e->kind == KIND_FILE)
		return p->performer->writes_files && !has_file_limit(p->pid) ? write(fd, data, len)
									     : -1;
	if (p->e->kind != KIND_INET || !(fcntl(fd, F_GETFL) & O_NONBLOCK))
		return -1;
	return send(fd, data, len, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool store(const struct performance *p, ssize_t n)
{
	return n <= 0 || p->mem->write(p->mem, p->n->arg[1], buffer, (size_t)n) == n;
}

static ssize_t receive(const struct performance *p, int flags)
{
	size_t len = p->n->arg[2];
	int fd = p->e->fd - 1;
	ssize_t n;

	if (len == 0 || len > BUFFER_SIZE || (flags & ~MSG_PEEK) || p->e->kind == KIND_EPOLL)
		return -1;
	n = is_socket(p->e) ? recv(fd, buffer, len, flags | MSG_DONTWAIT) : read(fd, buffer, len);
	if (store(p, n))
		return n;
	if (p->e->kind != KIND_FILE)
		return -EFAULT; /* the bytes are gone: the leader must not wait for them */
	lseek(fd, -n, SEEK_CUR);
	return -1;
}

static ssize_t receive_at(const struct performance *p)
{
	size_t len = p->n->arg[2];
	ssize_t n;

	if (p->e->kind != KIND_FILE || len == 0 || len > BUFFER_SIZE)
		return -1;
	n = pread(p->e->fd - 1, buffer, len, (off_t)p->n->arg[3]);
	return store(p, n) ? n : -1;
}

/* Events that are there already; when there are none the leader itself may have to wait. */
static ssize_t look(const struct performance *p)
{
	const struct native_call *n = p->n;
	int64_t max = (int32_t)n->arg[2];
	int got;

	/* The old form has no mask argument: what is in that register is not one. */
	if (p->e->kind != KIND_EPOLL || max <= 0 ||
	    (size_t)max > BUFFER_SIZE / sizeof(struct epoll_event) ||
	    (n->row == n->canon && n->arg[4]))
		return -1;
	got = epoll_wait(p->e->fd - 1, (struct epoll_event *)(void *)buffer, (int)max, 0);
	if (got <= 0)
		return -1;
	return store(p, (ssize_t)((size_t)got * sizeof(struct epoll_event))) ? got : -EFAULT;
}

/* The result; -1: not performed. */
static ssize_t perform(const struct performance *p)
{
	const struct native_call *n = p->n;

	switch (p->c->id) {
	case CALL_READ:
		return receive(p, 0);
	case CALL_RECVFROM:
		return n->arg[4] ? -1 : receive(p, (int)n->arg[3]);
	case CALL_PREAD64:
		return receive_at(p);
	case CALL_WRITE:
	case CALL_WRITEV:
		return send_bytes(p, 1, 0);
	case CALL_SENDTO:
		if (n->arg[4] || !is_socket(p->e) ||
		    ((int)n->arg[3] & ~(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE)))
			return -1;
		return send_bytes(p, 1, (int)n->arg[3]);
	case CALL_EPOLL_PWAIT:
		return look(p);
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
	struct performance now = { p, pid, NULL, n, c, mem };
	ssize_t r;

	_Static_assert(EPERM == 1 && EFAULT != 1, "-1 stands for a call that was not performed");
	if (!is_candidate(c->id))
		return false;
	now.e = get(p, pid, (int)n->arg[0]);
	r = now.e ? perform(&now) : -1;
	if (r == -1)
		return false;
	*ret = r;
	return true;
}

void performer_watch(struct performer *p, pid_t pid, int epoll_fd, int fd)
{
	if (!sees_who_looks(pid, fd) || !reach(p, epoll_fd))
		return;
	performer_forget(p, epoll_fd);
	p->fds[epoll_fd].fd = NOT_PERFORMED;
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
