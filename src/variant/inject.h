/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that a monitor makes with the thread of a program which has just been executed. */
#ifndef CHIRAL_VARIANT_INJECT_H
#define CHIRAL_VARIANT_INJECT_H

#include <stdint.h>
#include <sys/types.h>

struct injection {
	pid_t tid;
	uint64_t mask; /* of the program's signals: meanwhile all are blocked */
	int signal;    /* that came all the same, and is sent again at the end; 0: none */
};

/*
 * The calling thread is the tracer of tid, which is at PTRACE_EVENT_EXEC or has had calls injected there
 * already. From here on the thread is behind its execve, at a syscall-exit stop. 0; -ESRCH when it has
 * died (its status can still be waited for), or another -errno: as for what follows.
 */
int inject_begin(struct injection *in, pid_t tid);
/* The thread makes nr(arg[0], ... arg[5]), whatever its filter says of it. *ret: the result. */
int inject_call(struct injection *in, long nr, const uint64_t arg[6], int64_t *ret);
int inject_end(struct injection *in);

/* One call nr(a, b, 0, 0, 0, 0), from begin to end. */
int inject_after_exec(pid_t tid, long nr, uint64_t a, uint64_t b, int64_t *ret_result);

#endif
