/* SPDX-License-Identifier: Apache-2.0 */
/* Readings of clocks without a call, for the monitor. Theory of operation: see page.h. */
#ifndef CHIRAL_CAPTURE_BPF_CLOCK_CLOCK_H
#define CHIRAL_CAPTURE_BPF_CLOCK_CLOCK_H

#include "capture/bpf/record.h"

#include <stdbool.h>
#include <sys/types.h>

struct process;
struct tracee;
struct tracer;

/*
 * tr is at PTRACE_EVENT_EXEC, or behind with calls injected there. Its new program reads clocks without a
 * call, if that is possible here. 1: it is behind its execve, at a syscall-exit stop; 0: nothing has been
 * done; -ESRCH: it has died.
 */
int clock_at_exec(struct tracer *t, struct tracee *tr);

/* parent's call has made child, whose first thread has executed nothing yet: a thread of the same process,
 * or the first one of another. shares_memory: CLONE_VM. */
void clock_at_birth(struct tracer *t, const struct tracee *parent, struct process *child, bool shares_memory);

/* At any stop of tr, before its record is completed: what its process has read becomes events. */
void clock_flush(struct tracer *t, struct tracee *tr);

/* RECORD_READINGS: they become events. */
void clock_take(struct tracer *t, struct tracee *tr, const struct record *r);

/* Of a process that is gone, or has no such memory any more. */
void clock_release(struct process *p);

#endif
