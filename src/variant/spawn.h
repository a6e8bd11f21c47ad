/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a variant: a child that is traced (PTRACE_SEIZE) before its first instruction, has its
 * seccomp filter before execve(2), and stops at PTRACE_EVENT_EXEC with the vDSO hidden, so that
 * nothing of the program runs unobserved. The filter is inherited and cannot be taken off.
 */
#ifndef CHIRAL_VARIANT_SPAWN_H
#define CHIRAL_VARIANT_SPAWN_H

#include "session/start.h"
#include "variant/loader.h"

#include <linux/filter.h>
#include <sys/types.h>

#define PTRACE_OPTIONS                                                                             \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |    \
	 PTRACE_O_TRACEVFORK | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)

struct spawn {
	const struct start *start;
	const char *path;		  /* absolute path of the binary on this node */
	const struct sock_fprog *filter;
	int stdio[3];			  /* descriptors for 0, 1, 2; -1: this process's own */
};

struct spawned {
	pid_t pid;		/* at PTRACE_EVENT_EXEC, or at the exit stop behind it */
	struct loader loader;
	int notify_fd;		/* followers: the user notification descriptor, owned; else -1 */
};

/*
 * The calling thread becomes the tracer. Returns 0; -ENOENT, -EACCES, -ENOEXEC, ... when the program
 * cannot be executed (logged, naming it); another -errno when this machine cannot do it (logged).
 */
int variant_spawn(const struct spawn *s, struct spawned *ret);

/* Finds program like execvp(3) does, in PATH of env and relative to cwd. Returns an owned absolute path,
 * or NULL with errno ENOENT or EACCES. */
char *variant_find_program(const char *program, char *const *env, const char *cwd);

#endif
