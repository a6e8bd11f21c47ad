/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of capture/ptrace share. */
#ifndef CHIRAL_CAPTURE_PTRACE_H
#define CHIRAL_CAPTURE_PTRACE_H

#include "capture/bpf/collect.h"
#include "capture/capture.h"
#include "capture/tracee.h"
#include "match/history.h"
#include "policy/judge.h"

#include <time.h>

struct tracer {
	const struct start *start;
	struct leader *leader;
	struct tracees tracees;
	pid_t root;
	struct exited counts;	/* wait_status is the root's once it is gone */
	struct history history;
	uint64_t position;	/* compared calls so far, all threads */
	struct policy_index policy;
	pid_t forbidden_tid;	/* wants to make a call that ends the session; 0: none */
	pid_t deferred_tid;	/* a stop that waits for WISH_RESUME; 0: none */
	int deferred_status;
	struct collector collector; /* of records of the kernel; its recorder is NULL without them */
	timer_t timer;		/* while signals wait it interrupts waitpid(2) */
	bool has_timer, ticking;
	int64_t tick_at;	/* ms */
	int err;		/* a failure of ours: the session ends; negative errno */
};

/* Continues a stopped tracee until its next seccomp stop (or, in a call, its exit stop), with signal
 * delivered when not 0. A tracee that died meanwhile is not an error. */
void tracee_continue(struct tracee *tr, int signal);
void tracee_continue_to_exit(struct tracee *tr, int signal);

/* ptrace_call.c */
/* r: what reading a call gave. False: it is not to be used; t->err may be set. */
bool tracer_captured(struct tracer *t, struct tracee *tr, int r);
/* The session ends: err (-errno) kept the tracer from doing what it must to the leader. */
void tracer_fail(struct tracer *t, int err, const char *what);
void tracee_at_entry(struct tracer *t, struct tracee *tr);
void tracee_at_exit(struct tracer *t, struct tracee *tr);
/* The entry or exit stop of a thread that is continued from call to call, because a signal waits for its
 * next compared one, or because it is in a region (its calls are recorded otherwise). */
void tracee_at_step(struct tracer *t, struct tracee *tr);
/* Descriptors that the call closes or replaces, or whose ways it changes. */
void tracee_forget_descriptors(struct tracee *tr);
/* ptrace_birth.c. PTRACE_EVENT_FORK, _VFORK, _CLONE: the child is known by its parent's call. */
void tracee_at_birth(struct tracer *t, struct tracee *tr, pid_t child);
void tracee_at_exec(struct tracer *t, struct tracee *tr);
/* A call that was parked is executed, if it may be now. */
void tracee_unpark(struct tracer *t, struct tracee *tr);
/* At the recorder's stop: the thread goes on, when the window has room (waits_for_room: it has none). */
void tracee_swallow_stop(struct tracer *t, struct tracee *tr);
/* HELD: the call has returned for good, its event goes into the stream. */
void tracee_emit_held(struct tracer *t, struct tracee *tr);
/* Kernel-internal result of an interrupted call that begins anew unless a handler runs. */
bool result_restarts(int64_t ret);
/* Emits the call in flight with result ret. */
void tracee_emit(struct tracer *t, struct tracee *tr, int64_t ret);

/* A compared call begins: what its memory says of cookies. */
void tracee_register_cookie(struct tracer *t, struct tracee *tr);

/* ptrace_report.c: the leader's half of an alarm goes to the hub. A thread that had to be stopped for
 * it goes on afterwards. */
void tracer_report(struct tracer *t);
/* The call of t->forbidden_tid becomes an alarm: the hub ends the session. False: it died meanwhile. */
bool tracer_accuse(struct tracer *t);
/* ptrace.c: a waitpid(2) status. */
void tracer_handle(struct tracer *t, pid_t tid, int status);

/* ptrace_signal.c */
void tracee_at_signal(struct tracer *t, struct tracee *tr, int signal);
/* A handler of the program waits to be run when the call returns that the thread is just leaving. */
bool tracee_has_signal(const struct tracee *tr);
/* Around a call that any signal ends for good: to the kernel an ignored signal of a traced thread is none
 * that is ignored, so it is blocked meanwhile. */
void tracee_mask_ignored(struct tracee *tr);
void tracee_unmask_ignored(struct tracee *tr);
/* rt_sigaction was called. */
void tracee_note_handler(struct tracee *tr);

/* ptrace_pending.c: signals that found their thread in user code. */
void tracee_put_aside(struct tracer *t, struct tracee *tr, const siginfo_t *info);
/* At the entry of a compared call: a signal that waits is delivered first, and the call comes again.
 * False: none may. */
bool tracee_deliver_pending(struct tracee *tr, struct isa_regs *regs);
/* At the entry of a call that may block: a signal that waits is pending when it is executed. */
bool tracee_send_pending(struct tracee *tr);
/* The thread ends, with signals blocked: others of its process may take what was sent to all of them. */
void tracee_pass_on_pending(struct tracee *tr);
/* What a signal was that we have sent again; info is the kernel's, of a signal-delivery stop. */
void tracee_restore_siginfo(struct tracee *tr, siginfo_t *info);
/* Sends what waits to threads that have made no compared call for too long. */
void tracer_send_overdue(struct tracer *t);
void tracer_stop_ticking(struct tracer *t);

#endif
