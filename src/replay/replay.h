/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay/notify: a follower whose replayed calls stop as seccomp user notifications.
 *
 * Theory of operation. One thread, one poll loop over the notification descriptor, the link and
 * SIGCHLD. A notification or a TRACE stop gives a thread's call; it is captured, and when it is to be
 * compared the thread waits until its stream has the leader's next event (replay_advance()). Equal
 * calls are answered with the leader's outcome, written into the thread's memory; the kernel executes
 * only what is local, or mirrored because it changes the process itself (clone, execve, wait, close of
 * a placeholder, mmap). The variant never sees the leader's arguments or outgoing bytes.
 */
#ifndef CHIRAL_REPLAY_REPLAY_H
#define CHIRAL_REPLAY_REPLAY_H

#include "link/link.h"
#include "match/report.h"
#include "replay/stream.h"
#include "replay/thread.h"
#include "session/start.h"
#include "variant/spawn.h"

struct replay {
	const struct start *start;
	struct link *link;
	struct fthreads threads;
	struct streams streams;
	int notify_fd;
	int placeholder;	/* an empty sealed memfd: what virtual descriptors are in the variant */
	pid_t root;
	struct exited counts;
	uint64_t acked_events, acked_bytes;
	uint64_t deaths;	/* of threads */
	int64_t heartbeat_at, heard_at, looked_at, readings_at; /* ms */
	uint8_t noticed[(_CALL_MAX + 7) / 8]; /* calls of which a difference was let pass */
	bool started;		/* GO came */
	bool settling;		/* a process waits to be ended: replay_settle() */
	bool ordering;		/* a thread waits for others: order.h */
	uint64_t looks;		/* how often threads were looked at for that */
	bool diverged;		/* nothing is answered any more */
	bool killed;		/* the hub wants the end */
	int err;		/* negative errno: our failure or a lost hub */
};

/* Runs the variant to its end. The calling thread is its tracer; it is at PTRACE_EVENT_EXEC. Takes its
 * notification descriptor. What the first process is at the leader: canonical. 0 or -errno. */
int replay_notify(const struct start *start, struct link *link, const struct spawned *variant,
		  uint32_t canonical, struct exited *ret);

/* ---- between the files of src/replay ---------------------------------------------------------- */

/* match.c: goes on with a held thread as far as its stream allows. */
void replay_advance(struct replay *rp, struct fthread *f);
void replay_advance_all(struct replay *rp);
/* A call was captured at a notification or TRACE stop. */
void replay_at_call(struct replay *rp, struct fthread *f);
/* The next event of f is dealt with. */
void replay_taken(struct replay *rp, struct fthread *f);
/* To the leader, which waits for this before it executes the call. */
void replay_send_matched(struct replay *rp, const struct fthread *f);
void replay_describe_death(int wait_status, char *text, size_t size);

/* ending.c: exit_group, execve, fatal signals. True when no other thread of f's process has anything
 * left to be compared; false: replay_settle() tries again. */
bool replay_may_end(struct replay *rp, struct fthread *f);
void replay_settle(struct replay *rp);
/* f's call has ended the process or makes it another program; it is executed when that may be. */
void replay_end(struct replay *rp, struct fthread *f);
/* What the kernel does with the signal of a thread. */
bool replay_is_caught(const struct fthread *f, int signal);
bool replay_is_blocked(const struct fthread *f, int signal);

/* outcome.c: the call of f equals f->leader, whose outcome is known. */
void replay_outcome(struct replay *rp, struct fthread *f);
/* robust.c: before f's thread ends in its kernel, or with exit_group(2) all of its process. */
void replay_robust_exit(struct replay *rp, struct fthread *f);
/* limit.c: a matched prlimit64(2) with the leader's outcome. */
void replay_set_limit(struct replay *rp, struct fthread *f);
/* local.c: a local call. */
void replay_local(struct replay *rp, struct fthread *f, const char *path);

/* exec.c: execve that matched, and nothing holds it any more; the exec event. */
void replay_exec(struct replay *rp, struct fthread *f);
void replay_at_exec(struct replay *rp, struct fthread *f);
/* What it executes on its own node: an interpreter, when the leader's program is a script. May be NULL. */
const char *replay_program_of(const struct fthread *f);

/* trace.c: a waitpid(2) status. */
void replay_at_stop(struct replay *rp, pid_t tid, int status);
void replay_resume(struct fthread *f);
/* Executes the call at the TRACE stop, with the registers in f->regs, to its exit stop. */
void replay_run_to_exit(struct fthread *f, enum fthread_phase phase);
/* PHASE_REAP: true when the child is dead and the wait is being executed. */
bool replay_try_reap(struct replay *rp, struct fthread *f);

/* signal.c */
void replay_send_signal(struct replay *rp, struct fthread *f, int signal, const void *siginfo);
/* In a ptrace stop: the signal that was sent is not blocked any more. */
void replay_unblock(const struct fthread *f, int signal);
/* f->at_exit comes with the end of the call. False when that is all: the result is still to be given. */
bool replay_signal_at_exit(struct replay *rp, struct fthread *f);
/* PHASE_SUSPEND: at the stop before the wait begins. */
void replay_begin_suspend(struct fthread *f);
/* At a signal-delivery stop. */
void replay_at_signal(struct replay *rp, struct fthread *f, int signal);
/* Signals for threads that make no call, when they have been without one for long enough. */
void replay_send_in_code(struct replay *rp);

/* answer.c: all end the hold (f->stop becomes STOP_NONE). ret: native result or -errno. */
void answer_value(struct replay *rp, struct fthread *f, int64_t ret);
void answer_continue(struct replay *rp, struct fthread *f);
/* The call is executed again from its entry, after any signal handler. */
void answer_restart(struct replay *rp, struct fthread *f);
/* The thread was killed in its call, which is not to be compared with anything any more. */
void answer_nobody(struct fthread *f);
/* Result: descriptor number (-1: the lowest free one) made from src. Returns it or -errno. */
int answer_fd(struct replay *rp, struct fthread *f, int src, int number, bool cloexec);
/* Installs a descriptor without answering yet (STOP_NOTIFY only). */
int answer_add_fd(struct replay *rp, struct fthread *f, int src, int number, bool cloexec);

/* divergence.c: ends the comparison and tells the hub. f->leader is the leader's call when
 * with_leader. */
void replay_diverge_call(struct replay *rp, struct fthread *f, const struct call_mismatch *m);
void replay_diverge(struct replay *rp, struct fthread *f, enum report_rule rule,
		    const char *leader_did, const char *follower_did);
/* A difference that the policy lets pass is told once for each call of the table. */
void replay_notice(struct replay *rp, struct fthread *f, const struct call_mismatch *m);
/* Threads that wait for an answer of the leader's that is overdue (crashes). */
void replay_check_deadlines(struct replay *rp);

#endif
