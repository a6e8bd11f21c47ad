/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>

#define ERESTARTNOINTR 513 /* include/linux/errno.h: repeat the call, whatever the handler says */

/* Failures are all of one kind: the thread was killed meanwhile, and its death is reported next. */

static void respond(struct replay *rp, struct fthread *f, int64_t value, int error, uint32_t flags)
{
	struct seccomp_notif_resp resp = {
		.id = f->notify_id,
		.val = value,
		.error = error,
		.flags = flags,
	};

	f->stop = STOP_NONE;
	ioctl(rp->notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

static void resume(struct fthread *f)
{
	f->stop = STOP_NONE;
	ptrace(PTRACE_CONT, f->tid, 0, 0);
}

void answer_value(struct replay *rp, struct fthread *f, int64_t ret)
{
	if (f->stop == STOP_NOTIFY) {
		respond(rp, f, ret < 0 ? 0 : ret, ret < 0 ? (int)ret : 0, 0);
	} else {
		isa_regs_set_ret(&f->regs, ret);
		isa_syscall_set_nr(f->tid, &f->regs, -1);
		resume(f);
	}
}

void answer_continue(struct replay *rp, struct fthread *f)
{
	if (f->stop == STOP_NOTIFY)
		respond(rp, f, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
	else
		resume(f);
}

void answer_restart(struct replay *rp, struct fthread *f)
{
	if (f->stop == STOP_NOTIFY) {
		respond(rp, f, 0, -ERESTARTNOINTR, 0);
	} else {
		isa_syscall_rewind(f->tid, &f->regs, (int)f->native.nr);
		resume(f);
	}
}

void answer_nobody(struct fthread *f)
{
	f->stop = STOP_NONE;
}

static int add_fd(struct replay *rp, struct fthread *f, int src, int number, bool cloexec,
		  uint32_t flags)
{
	struct seccomp_notif_addfd add = {
		.id = f->notify_id,
		.flags = flags | (number >= 0 ? SECCOMP_ADDFD_FLAG_SETFD : 0),
		.srcfd = (uint32_t)src,
		.newfd = number >= 0 ? (uint32_t)number : 0,
		.newfd_flags = cloexec ? O_CLOEXEC : 0,
	};
	int r = ioctl(rp->notify_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add);

	return r < 0 ? -errno : r;
}

int answer_add_fd(struct replay *rp, struct fthread *f, int src, int number, bool cloexec)
{
	return add_fd(rp, f, src, number, cloexec, 0);
}

int answer_fd(struct replay *rp, struct fthread *f, int src, int number, bool cloexec)
{
	int r = add_fd(rp, f, src, number, cloexec, SECCOMP_ADDFD_FLAG_SEND);

	if (r < 0)
		answer_value(rp, f, r);
	f->stop = STOP_NONE;
	return r;
}
