/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that the tracer performs for the leader.
 *
 * A traced call costs two stops, and under emulation a stop is what everything costs. Some calls act
 * on an open file alone, so that the tracer can execute them at the entry stop on its own duplicate
 * of the descriptor (pidfd_getfd(2)), write the outcome into the leader's memory and skip the call:
 * one stop. Only what cannot block and leaves no trace on failure is done so: transfers on regular
 * files and sockets (never waiting), and looking at an epoll instance. Everything else, and every
 * failure, is left to the leader itself. So is whatever depends on who does it: files of /proc or of
 * another program's file system, bytes for a Unix socket (SCM_CREDENTIALS), writing to a file by a
 * process that has another identity or a limit of its own, an epoll instance that watches signals
 * (signalfd(2): whose they are is seen by who looks) or other instances.
 *
 * The bytes that are sent are those of the record: exactly what followers compare.
 */
#ifndef CHIRAL_CAPTURE_PERFORM_H
#define CHIRAL_CAPTURE_PERFORM_H

#include "event/event.h"

#include <sys/types.h>

/* The duplicates of one process's descriptors. Zero-initialised is empty. */
struct performer {
	int pidfd;		/* 1 + descriptor; 0: not opened yet, -1: cannot be */
	struct performer_fd {
		int fd;		/* 1 + duplicate; 0: none, -1: not performed on */
		uint8_t kind;
	} *fds;
	int n_fds;
	bool writes_files;	/* set by the caller: the process has the identity of its tracer */
};

/*
 * Performs the captured call of process pid if that is possible. True: it is done, its native result is
 * in *ret (an error only when the leader's memory refused what was received) and its outcome in the
 * leader's memory.
 */
bool performer_try(struct performer *p, pid_t pid, const struct native_call *n,
		   const struct call_record *c, struct mem *mem, int64_t *ret);

/* Before the leader puts fd into an epoll instance. */
void performer_watch(struct performer *p, pid_t pid, int epoll_fd, int fd);
/* Before the leader closes or replaces a descriptor: duplicates would keep its file open. */
void performer_forget(struct performer *p, int fd);
void performer_forget_range(struct performer *p, unsigned first, unsigned last);
void performer_free(struct performer *p);

#endif
