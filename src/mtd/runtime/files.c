/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that the other node opens itself, by the list in the points file: read-only, and root says that
 * they are the same there.
 *
 * Home opens such a file too, so that the descriptor's number, its state for fork and exec, and all
 * calls but reading are home's as ever. While the thread stays here, what it reads comes from this node's
 * file, and the position is kept here. Whatever else may look at the position, and the thread's leaving,
 * gives it back to home, which reads the rest: so a descriptor has one owner at any time, and nothing has
 * to be known about what happens to it while the thread is at home.
 */
#include "mtd/runtime/runtime.h"

#include "calls.h"

#define FILES	 16
#define PATH_MAX 4096
#define BLOCK	 65536
#define AT_FDCWD -100

enum { NR_read = 0, NR_open = 2, NR_close = 3, NR_fstat = 5, NR_lseek = 8, NR_pread64 = 17,
       NR_readv = 19, NR_dup2 = 33, NR_sendfile = 40, NR_sendmsg = 46, NR_execve = 59,
       NR_fcntl = 72, NR_epoll_ctl = 233, NR_openat = 257, NR_splice = 275, NR_dup3 = 292, NR_sendmmsg = 307,
       NR_copy_file_range = 326 };

/* Flags of open(2), x86-64's: what may be combined with reading. */
enum { O_NOCTTY = 0400, O_NONBLOCK = 04000, O_LARGEFILE = 0100000, O_CLOEXEC = 02000000 };
/* These have the same values on both ISAs; O_NONBLOCK because a pipe of the name must not hold us up. */
#define OPEN_FLAGS (O_CLOEXEC | O_NONBLOCK)

struct file {
	int fd;		/* the program's number, plus 1; 0: unused */
	int own;	/* this process's */
	int64_t position;
};

static struct file files[FILES];
/* Private: the kernel cannot wait for pages of the program everywhere (pages/backend.h). */
static char path[PATH_MAX], block[BLOCK];

static struct file *find(long fd)
{
	for (unsigned i = 0; i < FILES; i++)
		if (files[i].fd && files[i].fd - 1 == (int)fd)
			return &files[i];
	return NULL;
}

static void forget(struct file *f)
{
	isa_call(OWN_close, f->own, 0, 0, 0, 0, 0);
	f->fd = 0;
}

static void give_back(struct file *f)
{
	long args[6] = { f->fd - 1, f->position, 0 /* SEEK_SET */ };

	if (f->position)
		ask_home(NR_lseek, args);
	forget(f);
}

void files_give_back(void)
{
	for (unsigned i = 0; i < FILES; i++)
		if (files[i].fd)
			give_back(&files[i]);
}

/* ---- which ----------------------------------------------------------------------------------- */

/* The list says nothing about what "." and ".." and "//" would make of a path. */
static int is_plain(const char *p)
{
	if (*p != '/')
		return 0;
	for (; *p; p++)
		if (*p == '/' && (p[1] == '/' || (p[1] == '.' && (p[2] == '/' || !p[2] || (p[2] == '.' &&
				 (p[3] == '/' || !p[3]))))))
			return 0;
	return 1;
}

static int matches(const char *pattern, const char *p)
{
	while (*pattern && *pattern == *p) {
		pattern++;
		p++;
	}
	return *pattern == '*' ? !pattern[1] : !*pattern && !*p;
}

static int is_listed(const char *p)
{
	const char *pattern = mtd_node.config->local, *end = pattern + MTD_LOCAL_SIZE;

	/* The launcher has seen to it that the last byte is 0. */
	while (pattern < end && *pattern) {
		if (matches(pattern, p))
			return 1;
		while (*pattern++)
			;
	}
	return 0;
}

/* Copies a path of the program. 0 when it is too long. */
static int copy_path(uint64_t from)
{
	for (unsigned i = 0; i < PATH_MAX; i++) {
		if (!is_shared(from + i, 1))
			return 0;
		path[i] = *(const char *)(from + i);
		if (!path[i])
			return 1;
	}
	return 0;
}

void files_opened(long nr, const long *a, long fd)
{
	const long may = O_NOCTTY | O_NONBLOCK | O_LARGEFILE | O_CLOEXEC;
	unsigned at = nr == NR_openat;
	struct file *f = NULL;
	long own;

	if ((nr != NR_open && nr != NR_openat) || fd < 0 || a[at + 1] & ~may ||
	    !mtd_node.config->local[0] || !copy_path((uint64_t)a[at]) || !is_plain(path) ||
	    !is_listed(path))
		return;
	for (unsigned i = 0; i < FILES && !f; i++)
		f = files[i].fd ? NULL : &files[i];
	if (!f)
		return;
	own = isa_call(OWN_openat, AT_FDCWD, (long)path, OPEN_FLAGS, 0, 0, 0);
	if (own < 0)
		return;
	*f = (struct file){ .fd = (int)fd + 1, .own = (int)own };
	/* What has no positions is home's. */
	if (isa_call(OWN_pread64, own, (long)block, 0, 0, 0, 0) < 0)
		forget(f);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Bytes, or an error when there are none. */
static long read_at(const struct file *f, uint64_t to, uint64_t size, int64_t position)
{
	uint64_t done = 0;

	while (done < size) {
		uint64_t n = size - done < BLOCK ? size - done : BLOCK;
		long r = isa_call(OWN_pread64, f->own, (long)block, (long)n, position + (int64_t)done, 0, 0);

		if (r < 0)
			return done ? (long)done : r;
		__builtin_memcpy((void *)(to + done), block, (uint64_t)r);
		done += (uint64_t)r;
		if ((uint64_t)r < n)
			break;
	}
	return (long)done;
}

static int read_vector(struct file *f, const long *a, long *ret)
{
	const struct iovec {
		uint64_t base, size;
	} *v = (const void *)a[1];

	if (a[2] < 0 || a[2] > 1024 || !is_shared((uint64_t)v, (uint64_t)a[2] * sizeof(*v)))
		return 0;
	for (long i = 0; i < a[2]; i++)
		if (v[i].size && !is_shared(v[i].base, v[i].size))
			return 0;
	*ret = 0;
	for (long i = 0; i < a[2]; i++) {
		long n = read_at(f, v[i].base, v[i].size, f->position);

		if (n < 0 && !*ret)
			*ret = n;
		if (n < 0)
			break;
		f->position += n;
		*ret += n;
		if ((uint64_t)n < v[i].size)
			break;
	}
	return 1;
}

/* 0: home has to say what comes of it. */
static int try_here(struct file *f, long nr, const long *a, long *ret)
{
	if (nr == NR_lseek && (a[2] == 0 || a[2] == 1)) {
		int64_t to = (a[2] ? f->position : 0) + a[1];

		if (to < 0)
			return 0;
		*ret = f->position = to;
		return 1;
	}
	if (nr == NR_readv)
		return read_vector(f, a, ret);
	if ((nr != NR_read && nr != NR_pread64) || !is_shared((uint64_t)a[1], (uint64_t)a[2]) ||
	    (nr == NR_pread64 && a[3] < 0))
		return 0;
	*ret = read_at(f, (uint64_t)a[1], (uint64_t)a[2], nr == NR_read ? f->position : a[3]);
	if (nr == NR_read && *ret > 0)
		f->position += *ret;
	return 1;
}

/* The descriptors of a call are among its first three arguments; which ones, for those whose first is
 * not the only one. */
static void give_back_for(long nr, const long *a)
{
	int second = nr == NR_dup2 || nr == NR_dup3 || nr == NR_sendfile;
	int third = nr == NR_splice || nr == NR_copy_file_range || nr == NR_epoll_ctl;
	struct file *f;

	if (nr == NR_sendmsg || nr == NR_sendmmsg || nr == NR_execve) {
		files_give_back();
		return;
	}
	for (int i = 0; i < 3; i++)
		if ((i == 0 || (i == 1 && second) || (i == 2 && third)) && (f = find(a[i])))
			give_back(f);
}

/* Calls of home that leave the position alone: fstat; fcntl's F_GETFD, F_SETFD, F_GETFL. */
static int is_harmless(long nr, const long *a)
{
	return nr == NR_fstat || (nr == NR_fcntl && a[1] >= 1 && a[1] <= 3);
}

int files_call(long nr, const long *a, long *ret)
{
	struct file *f = find(a[0]);

	if (f && try_here(f, nr, a, ret))
		return 1;
	if (f && nr == NR_close)
		forget(f);
	else if (!f || !is_harmless(nr, a))
		give_back_for(nr, a);
	return 0;
}
