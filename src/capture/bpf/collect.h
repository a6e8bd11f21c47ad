/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture/bpf: records of the kernel become events.
 *
 * Theory of operation. The variant's seccomp filter lets the recorded calls run, and stops it, as for
 * capture/ptrace, at the others: those that are irregular or that a record cannot hold. A second thread
 * of the monitor, the collector, takes records out of the ring, by a timer while there are some, and
 * makes the events that the tracer would have made: the same functions, with the pieces of the record in
 * place of the thread's memory. Tracer and collector take turns (collector_lock()).
 *
 * One order. Records of a thread are in the ring in its program order, and whatever stops a thread
 * comes after the calls that it has completed: so the tracer empties the ring before it handles a stop.
 * While the tracer captures a call of a thread itself, the records of that call are dropped. Of calls
 * that are recorded at their entry too, that record decides and remembers, as an entry stop does; the
 * event is made at the end.
 *
 * Signals. A signal that finds a thread outside of a recorded call waits for its next call, as always;
 * that call has no stop of its own, so such a thread is continued to its next entry stop, whatever call
 * it is, and that call is captured by the tracer.
 *
 * The recorder's SIGSTOP cannot be blocked. SIGCONT takes it back, but stops a seized thread itself before
 * that goes on (kernel/signal.c, ptrace_trap_notify()): the tracer sees it in any case. The other way round,
 * SIGSTOP takes back a SIGCONT that waits because the program has blocked it: such a one may be lost.
 *
 * An ignored signal interrupts traced threads too. A call that it ended for good, although it would not
 * have natively, is executed anew by the tracer, which masks such signals (ptrace_signal.c).
 *
 * A call that blocks has no record yet. A thread of which nothing came for a while is looked at
 * (/proc/TID/syscall), and the call that it waits in is announced.
 */
#ifndef CHIRAL_CAPTURE_BPF_COLLECT_H
#define CHIRAL_CAPTURE_BPF_COLLECT_H

#include "capture/bpf/clock/readings.h"
#include "capture/bpf/pieces.h"
#include "capture/bpf/recorder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

struct tracer;
struct tracee;

LIST_HEAD(recordings, recording);

struct collector {
	struct recorder *recorder;
	struct recordings open; /* whose pieces are borrowed from the ring */
	struct clock_readings readings;
	pthread_mutex_t lock;
	pthread_t thread;
	_Atomic bool ending;
};

/* What a thread's records have brought so far. */
struct recording {
	struct pieces pieces;
	struct pieces at_entry;	 /* of an entry that could not be recorded whole; owned */
	uint32_t missing;	 /* bits of the parts that are not in them */
	bool is_open;
	LIST_ENTRY(recording) open;
	bool entered;		 /* in a call whose entry part is in tracee.call; */
	bool entered_local;	 /* which is nobody's business */
	uint8_t entry_missing;	 /* enum record_reason: why the entry of its call is not whole */
	bool incomplete;	 /* the thread stops before its next instruction: see rest */
	struct record rest;
	uint64_t taken;		 /* CALL and ENTERED records so far */
	int64_t look_at;	 /* ms; 0: there was a record since the last look */
	int look_after;		 /* ms, until the look after that */
};

/* NULL when out of memory. */
struct recording *recording_new(void);
void recording_free(struct recording *rec);
/* The thread has executed another program. What is not over is not its own: of another thread, which had its
 * id, and whose memory is gone. NULL: nothing. */
void recording_forget(struct recording *rec);

/* The calling thread is the tracer, whose variant is stopped. 0 or -errno. */
int collector_start(struct tracer *t, struct recorder *recorder);
/* The tracer's thread; the lock is not held. No record is taken afterwards. */
void collector_stop(struct tracer *t);

/* Without a collector they do nothing. */
void collector_lock(struct tracer *t);
void collector_unlock(struct tracer *t);

/* Lock held, as for what follows. Takes everything that was recorded before now. */
void collector_drain(struct tracer *t);

/* At any stop of a thread, after collector_drain(): completes its record. signal: of a signal stop,
 * else 0. */
void collector_complete(struct tracer *t, struct tracee *tr, int signal);

/* Looks at quiet threads; ms until the next look, -1 when there is none to come. */
int collector_look(struct tracer *t);

#endif
