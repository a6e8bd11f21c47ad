/* SPDX-License-Identifier: Apache-2.0 */
/* A system call that a monitor makes with the thread of a program which has just been executed. */
#ifndef CHIRAL_VARIANT_INJECT_H
#define CHIRAL_VARIANT_INJECT_H

#include <stdint.h>
#include <sys/types.h>

/*
 * The calling thread is the tracer of tid, which is at PTRACE_EVENT_EXEC under a variant's filter; the
 * filter stops call nr for the tracer. The thread makes nr(a, b, 0, 0, 0) and is then behind its execve,
 * at a syscall-exit stop. 0 and *ret_result: the result; -ESRCH when it has died (its status can still
 * be waited for), or another -errno. A signal that comes meanwhile comes again.
 */
int inject_after_exec(pid_t tid, long nr, uint64_t a, uint64_t b, int64_t *ret_result);

#endif
