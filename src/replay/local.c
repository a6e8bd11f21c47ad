/* SPDX-License-Identifier: Apache-2.0 */
/* Local calls of a follower: executed by its own kernel, or for it by its monitor. */
#include "replay/replay.h"

#include "base/cleanup.h"
#include "variant/decide.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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
	fd = open(path, (flags & allowed) | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		answer_value(rp, f, -errno);
		return;
	}
	r = answer_fd(rp, f, fd, -1, flags & O_CLOEXEC);
	if (r >= 0)
		vdt_set_local(f->process->vdt, r, flags & O_CLOEXEC);
}

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

/* dup of a local descriptor: the monitor makes it, to learn its number. */
static void local_dup(struct replay *rp, struct fthread *f)
{
	const struct call_row *row = f->native.canon;
	bool is_dupfd = row->sub_value == F_DUPFD || row->sub_value == F_DUPFD_CLOEXEC;
	bool cloexec = row->sub_value == F_DUPFD_CLOEXEC ||
		       (row->cloexec_arg && (f->call.arg[row->cloexec_arg - 1] & O_CLOEXEC));
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, f->process->pid, 0);
	cleanup_close int fd = -1;
	int number = -1, r;

	if (pidfd >= 0)
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)f->call.arg[0], 0);
	if (fd < 0) {
		answer_value(rp, f, -EBADF);
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
	/* What is left makes no descriptor; its effect on the table is known beforehand. */
	call_local_effects(&f->native, &f->call, 0, f->process->vdt);
	answer_continue(rp, f);
}
