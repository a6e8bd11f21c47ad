/* SPDX-License-Identifier: Apache-2.0 */
/* Records of a thread's calls become events. Internal to capture/bpf; the collector's lock is held. */
#ifndef CHIRAL_CAPTURE_BPF_TAKE_H
#define CHIRAL_CAPTURE_BPF_TAKE_H

#include "capture/bpf/record.h"
#include "event/mem.h"

#include <stdbool.h>

struct tracer;
struct tracee;

/* The session ends: "the record of a call of thread N WHAT". err: an errno value. */
void recording_fail(struct tracer *t, const struct tracee *tr, int err, const char *what);

/* False: the tracer is at it, or the thread has no records of its own any more. */
bool recording_counts(const struct tracee *tr);

/* The thread has gone on after its last call, which was emitted. */
void recording_go_on(struct tracer *t, struct tracee *tr);

/* A call has begun, of which other threads may meet the effects before it ends. Its memory is in the
 * thread's pieces. */
void recording_take_entered(struct tracer *t, struct tracee *tr, const struct record *r);

/* The call has ended. mem: of its exit, and of its entry too unless that was recorded. signal: that the
 * thread is stopped with, else 0. */
void recording_take_call(struct tracer *t, struct tracee *tr, const struct record *r, struct mem *mem,
			 int signal);

/* Of a call whose entry could not be recorded, while its thread is stopped: false when its memory is not what
 * it began with any more. */
bool recording_is_readable_still(struct tracee *tr, const struct record *r);

#endif
