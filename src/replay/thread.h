/* SPDX-License-Identifier: Apache-2.0 */
/* A follower's threads and processes. Internal to src/replay. */
#ifndef CHIRAL_REPLAY_THREAD_H
#define CHIRAL_REPLAY_THREAD_H

#include "event/event.h"
#include "event/mem_process.h"
#include "match/history.h"
#include "replay/stream.h"
#include "variant/counter.h"
#include "variant/loader.h"
#include "variant/vdt.h"

#include <signal.h>
#include <sys/types.h>
#include <time.h>
#include <uthash.h>

struct fprocess {
	unsigned refs;
	unsigned most_threads;	/* since its exec */
	pid_t pid;
	uint32_t canonical; /* the leader's process id */
	struct vdt *vdt;
	struct loader loader;
	struct ftimer *timers; /* timer.h */
	bool ending;	/* what ends it has happened: only the deaths of its threads are awaited */
	bool threaded;	/* has had a second thread since its exec */
	bool moved;	/* its working directory is the leader's, as far as paths tell */
	unsigned order_looks; /* see order.c */
	int64_t order_looked_at;
	/* The clocks that are elastic (see elastic.c): the leader's last readings. */
	struct timespec monotonic, coarse;
};

/* How the monitor came to hold the thread. */
enum stop_kind {
	STOP_NONE,	/* it runs */
	STOP_NOTIFY,	/* waits for the answer to a user notification */
	STOP_TRACE,	/* seccomp TRACE stop at a call's entry */
	STOP_SIGNAL,	/* signal-delivery stop of a fault */
};

/* What a thread is in the middle of, after its call was matched. */
enum fthread_phase {
	PHASE_NONE,
	PHASE_ENTRY_MATCHED,	/* the leader's entry was equal, its outcome is still to come */
	PHASE_CLONE,		/* executes fork, clone: its child gets the leader's pid */
	PHASE_CLONED,		/* the child is there, the call has not returned (vfork) */
	PHASE_SET_TID,		/* executes set_tid_address, whose result is the leader's */
	PHASE_CHDIR,		/* executes chdir, whose result is the leader's */
	PHASE_EXEC,		/* executes execve */
	PHASE_REAP,		/* wants the status of a child that is not dead yet */
	PHASE_REAPING,		/* executes wait4 for it */
	PHASE_LIBCRYPTO,		/* executes mmap of a library that is patched */
	PHASE_MAP,		/* executes mmap of memory that gets a virtual file's bytes */
	PHASE_SUSPEND,		/* waits for a signal of ours with the mask of its call */
	PHASE_EXITING,
};

/* See order.h; since its last event: */
struct order {
	int64_t since;	 /* ms; when others began to wait for it; 0: they do not */
	uint64_t run_ns; /* its processor time then */
	uint64_t ran_at; /* the look (replay.looks) at which it was running; 0: none */
	bool quiet;	 /* sleeps, or computes for long */
	bool given_up;	 /* others have waited for it in vain */
	bool at_lock;	 /* is held at a reading of the clock that the leader did not make */
	int64_t read_at; /* ms; since when */
};

struct fthread {
	pid_t tid;
	uint32_t canonical;	/* 0: a newborn whose parent's event is still to come */
	struct fprocess *process;
	struct stream *stream;
	enum stop_kind stop;
	enum fthread_phase phase;
	uint64_t notify_id;	/* STOP_NOTIFY */
	struct isa_regs regs;	/* STOP_TRACE */
	struct native_call native;
	struct call_record call;	/* the follower's own, entry part */
	struct call_record leader;	/* the event matched against */
	uint32_t reap;			/* PHASE_REAP: canonical pid of the child, */
	pid_t reap_pid;			/* PHASE_REAPING: and its own; */
	uint64_t reap_tried;		/* after how many deaths: a try between two of them is in vain */
	uint64_t tid_at;		/* newborn: where clone puts its id in memory; 0: nowhere */
	bool dead;			/* only its end is still to be compared */
	int wait_status;
	/* STOP_SIGNAL: */
	int fault;
	siginfo_t fault_info;
	/* A signal that the leader's thread got, on its way into this one. */
	int sending;
	siginfo_t sending_info;
	bool in_code;		/* ... while it makes no call */
	int64_t in_code_since;	/* ms: since when such a signal is its next event; 0: it is not */
	uint64_t in_code_ns;	/* its processor time then */
	/* Signal to be sent with the outcome of the call (EINTR). */
	int at_exit;
	siginfo_t at_exit_info;
	uint64_t suspend_mask; /* PHASE_SUSPEND: address of the mask, until the wait has begun */
	/* Elastic clocks: the exit part of a reading that only the leader made is still to come. */
	bool drops_exit;
	int64_t early_since;	/* ms; since when it waits for a timer to be set (timer.h); 0: it does not */
	bool read_clock; /* its last call was a reading of the monotonic clock; see tempname.h */
	int64_t waiting_since;	/* ms; when it began to wait for the leader's next event */
	int64_t idle_ms;	/* of that: in which nothing of the leader's was there; see divergence.c */
	struct order order;
	struct history history;
	uint64_t position;	/* compared calls */
	struct counter counter;
	struct call_ctx cx;
	struct mem_process mem;
	UT_hash_handle hh;
};

/* A dead process: what its parent's wait is answered with is the leader's, this only says when. */
struct fdead {
	uint32_t canonical;
	pid_t pid;
	UT_hash_handle hh;
};

struct fthreads {
	struct fthread *by_tid;
	struct fdead *dead;
	const uint8_t *key;
};

struct fthread *fthread_find(struct fthreads *t, pid_t tid);
struct fthread *fthread_of_canonical(struct fthreads *t, uint32_t canonical);
/* process NULL: a new one. NULL when out of memory. */
struct fthread *fthread_add(struct fthreads *t, pid_t tid, struct fprocess *process);
void fthread_set_process(struct fthread *f, struct fprocess *process);
void fthread_remove(struct fthreads *t, struct fthread *f);
struct fprocess *fprocess_fork(const struct fprocess *from, pid_t pid);
/* Notes the end of a process that its parent can wait for; fthreads_take_dead(): its pid, once, or 0. */
void fthreads_note_dead(struct fthreads *t, uint32_t canonical, pid_t pid);
pid_t fthreads_take_dead(struct fthreads *t, uint32_t canonical);
void fthreads_free(struct fthreads *t);

#endif
