/* SPDX-License-Identifier: Apache-2.0 */
/* Local calls of a follower: executed by its own kernel, or for it by its monitor. */
#include "replay/replay.h"

#include "base/cleanup.h"
#include "variant/decide.h"
#include "variant/libcrypto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * With several threads it is a matter of chance which number is free when: one of the leader's may be
 * given to a virtual descriptor while it is a local one's here. These are out of its way then.
 */
#define LOCAL_FIRST 16384

static int lowest_free_from(pid_t pid, int first)
{
	char path[64];

	for (int fd = first; fd < VDT_FD_MAX; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return fd;
	}
	return -EMFILE;
}

static int free_number(const struct fprocess *p)
{
	struct rlimit l;
	int first = LOCAL_FIRST;

	if (p->refs == 1 || prlimit(p->pid, RLIMIT_NOFILE, NULL, &l) < 0)
		return -1;
	if (l.rlim_cur < 2 * LOCAL_FIRST)
		first = (int)l.rlim_cur / 2;
	return lowest_free_from(p->pid, first);
}

/* Opened by the monitor: the path was read once, so that no other thread can change it, and the
 * sandbox opens nothing for writing. */
static void local_open(struct replay *rp, struct fthread *f, const char *path)
{
	const unsigned flags_arg = 2; /* openat(dirfd, path, flags, mode) */
	int flags = (int)flags_from_canon(FLAGS_OPEN, isa_native, f->call.arg[flags_arg]);
	const int allowed = O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW | O_PATH | O_NONBLOCK | O_LARGEFILE |
			    O_NOATIME;
	cleanup_close int fd = -1;
	int r;

	if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC))) {
		answer_value(rp, f, -EACCES);
		return;
	}
	/* The monitor must not wait for the other end of a FIFO. */
	fd = open(path, (flags & allowed) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		answer_value(rp, f, -errno);
		return;
	}
	if (!(flags & (O_NONBLOCK | O_PATH)))
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	r = answer_fd(rp, f, fd, free_number(f->process), flags & O_CLOEXEC);
	if (r >= 0)
		vdt_set_local(f->process->vdt, r, flags & O_CLOEXEC);
}

/* dup of a local descriptor: the monitor makes it, to learn its number. */
static void local_dup(struct replay *rp, struct fthread *f)
{
	const struct call_row *row = f->native.canon;
	bool is_dupfd = row->parent != call_row_id(row); /* fcntl; else dup or dup3 */
	bool cloexec = row->sub_value == F_DUPFD_CLOEXEC ||
		       (row->cloexec_arg && (f->call.arg[row->cloexec_arg - 1] & O_CLOEXEC));
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, f->process->pid, 0);
	cleanup_close int fd = -1;
	int number = free_number(f->process), r;

	if (pidfd >= 0)
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)f->call.arg[0], 0);
	if (fd < 0) {
		answer_value(rp, f, -EBADF);
		return;
	}
	if (!is_dupfd && row->n_args > 1 && (int)f->call.arg[0] == (int)f->call.arg[1]) {
		answer_value(rp, f, -EINVAL);
		return;
	}
	if (is_dupfd)
		number = lowest_free_from(f->process->pid, (int)f->call.arg[2]);
	else if (row->n_args > 1)
		number = (int)f->call.arg[1];
	r = answer_fd(rp, f, fd, number, cloexec);
	if (r >= 0)
		vdt_set_local(f->process->vdt, r, cloexec);
}

void replay_local(struct replay *rp, struct fthread *f, const char *path)
{
	const struct call_row *row = f->native.canon;

	rp->counts.local++;
	if (f->stop == STOP_NOTIFY && path && (row->flags & CALL_RET_FD)) {
		local_open(rp, f, path);
		return;
	}
	if (f->stop == STOP_NOTIFY && row->irregular == IRR_DUP) {
		local_dup(rp, f);
		return;
	}
	if (f->stop == STOP_TRACE && row->irregular == IRR_MMAP &&
	    (f->native.arg[2] & PROT_EXEC) && libcrypto_is_mapped(f->tid, (int)f->native.arg[4])) {
		replay_run_to_exit(f, PHASE_LIBCRYPTO);
		return;
	}
	/* What is left makes no descriptor; its effect on the table is known beforehand. */
	call_local_effects(&f->native, &f->call, 0, f->process->vdt);
	answer_continue(rp, f);
}
