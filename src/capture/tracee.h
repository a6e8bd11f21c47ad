/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's threads and processes as its tracer knows them. Internal to capture/ptrace. */
#ifndef CHIRAL_CAPTURE_TRACEE_H
#define CHIRAL_CAPTURE_TRACEE_H

#include "capture/perform.h"
#include "event/event.h"
#include "event/mem_process.h"
#include "match/leader.h"
#include "policy/judge.h"
#include "variant/counter.h"
#include "variant/loader.h"
#include "variant/vdt.h"

#include <signal.h>
#include <uthash.h>

/* What a program has asked for a signal (rt_sigaction(2)). */
struct handler {
	bool installed;	/* a function of the program */
	bool ignored;	/* SIG_IGN */
	bool restart;	/* SA_RESTART */
	bool once;	/* SA_RESETHAND */
};

/* Shared by the threads of a process. */
struct process {
	unsigned refs;
	unsigned most_threads;	/* since its exec */
	pid_t pid;
	struct vdt *vdt;
	struct loader loader;
	struct performer performer;
	bool shares_files;	/* with another process (CLONE_FILES): nothing is performed for it */
	bool other_identity;	/* it has changed its ids or capabilities */
	struct handler handlers[NSIG];
	struct clock_slot *clock; /* it reads clocks without calls (bpf/clock); NULL: it does not */
	uint64_t clock_slots;	  /* where it has the array of that */
};

enum tracee_state {
	TRACEE_NEW,	   /* stopped before its first instruction, its birth not yet seen */
	TRACEE_RUNNING,	   /* in user code, or in a call that is nobody's business */
	TRACEE_LOCAL_CALL, /* in a local call whose result matters */
	TRACEE_CALL,	   /* in a compared call */
	TRACEE_HELD,	   /* its compared call was interrupted, or has sent it a signal: the next
			    * stop says which; the call's event waits for it */
	TRACEE_EXITING,	   /* in exit or exit_group */
};

/* What a thread has got that waits for a call boundary. More are lost (RLIMIT_SIGPENDING is a bound of
 * the same kind). */
#define PENDING_SIGNALS_MAX 4096u

struct pending_signals {
	siginfo_t *info;	/* owned; in the order of their coming */
	unsigned n, cap;
	uint64_t sent_here;	/* standard signals that were delivered since the last compared call */
	unsigned n_sent_here;	/* how many of any kind */
	int64_t since;		/* when the first one came: ms, */
	uint64_t since_ns;	/* and by the thread's processor time */
	siginfo_t *resent;	/* owned, [NSIG]: what they were that we sent again; NULL: none yet */
};

struct tracee {
	pid_t tid;
	struct process *process;
	enum tracee_state state;
	bool stopped;			/* in a ptrace stop that was reported to us */
	bool in_region;			/* chiral_region(): its calls wait for the followers */
	bool parked;			/* at the entry of a call that must not be executed now */
	bool waits_for_room;		/* in the recorder's stop after a call: the window is full */
	struct native_call native;
	struct call_record call;
	struct call_ctx cx;
	struct mem_process mem;
	struct leader_slot slot;
	struct policy_judgement judgement; /* of the compared call in flight */
	struct counter counter;
	int64_t held_ret;		/* HELD: native result */
	size_t exec_args;		/* in execve: how many arguments it gives */
	bool emitted;			/* the call in flight is already in the stream (clone, exec) */
	/* Signals that came while the thread was in user code: they wait for a call boundary. */
	struct pending_signals pending;
	bool at_boundary;		/* nothing was executed since the entry of a compared call */
	struct recording *recording;	/* its calls are recorded by the kernel; NULL: they are not */
	bool rewound;			/* HELD: its call is executed anew, by us */
	bool skipped_at_step;		/* a call was skipped before the filter has seen it */
	bool in_code;			/* one was sent again although it makes no call */
	bool sent;			/* one was sent again with the call in flight */
	bool masks_ignored;		/* in this call also ignored signals are blocked; before: */
	uint64_t mask_before;
	UT_hash_handle hh;
};

struct recording;

struct tracees {
	struct tracee *by_tid;
	struct tracee *last; /* that was asked for; or NULL */
	const uint8_t *key;
	bool recorded;	/* by the kernel: each thread gets a recording */
	volatile uint32_t *alone; /* 1 while there is one thread in all, else 0; NULL: nobody wants to know */
};

struct tracee *tracee_find(struct tracees *t, pid_t tid);
/* process is referenced; NULL: a new one. NULL when out of memory. */
struct tracee *tracee_add(struct tracees *t, pid_t tid, struct process *process);
void tracee_remove(struct tracees *t, struct tracee *tr);
void tracees_free(struct tracees *t);

/* A child's process of its own: descriptor table and handlers copied. */
struct process *process_fork(const struct process *from, pid_t pid);

#endif
