/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: see collect.h. */
#include "capture/bpf/collect.h"

#include "base/clock.h"
#include "base/log.h"
#include "capture/bpf/clock/clock.h"
#include "capture/bpf/present.h"
#include "capture/bpf/take.h"
#include "capture/ptrace.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define DRAIN_EVERY_US 2000	/* while there are records */
#define DRAIN_BUSY_US  10000	/* while there are many: whoever shares a processor with us waits less often */
#define BUSY_RECORDS   400	/* since the last time */
#define IDLE_AFTER_MS  20	/* without one: the kernel wakes us at the next */
#define IDLE_MAX_US    1000000	/* however that goes */

_Static_assert(_RECORD_REASON_MAX - 1 == EXITED_REASONS, "a counter for each reason");

/* ---- the memory of a thread's record --------------------------------------------------------------- */

struct recording *recording_new(void)
{
	struct recording *rec = calloc(1, sizeof(*rec));

	if (rec) {
		pieces_init(&rec->pieces);
		pieces_init(&rec->at_entry);
	}
	return rec;
}

static void recording_reset(struct recording *rec)
{
	if (rec->is_open)
		LIST_REMOVE(rec, open);
	rec->is_open = false;
	pieces_reset(&rec->pieces);
}

void recording_free(struct recording *rec)
{
	if (!rec)
		return;
	recording_reset(rec);
	pieces_free(&rec->pieces);
	pieces_free(&rec->at_entry);
	free(rec);
}

void recording_forget(struct recording *rec)
{
	if (!rec)
		return;
	recording_reset(rec);
	pieces_reset(&rec->at_entry);
	rec->entered = false;
	rec->entry_missing = RECORD_COMPLETE;
	rec->incomplete = false;
	rec->look_at = 0;
}

/* An iovec, and what its elements point to, as much as there is of it. */
static int add_vector(struct pieces *p, const struct record *r, const uint8_t *piece)
{
	struct record_iov iov[RECORD_VECTOR_MAX];
	size_t head = r->vector * sizeof(*iov), left;
	int err;

	if (r->vector > RECORD_VECTOR_MAX || r->len < head)
		return -EPROTO;
	memcpy(iov, piece, head);
	left = r->len - head;
	err = pieces_add(p, r->addr, piece, head, false);
	for (unsigned i = 0; i < r->vector && err == 0; i++) {
		size_t n = iov[i].len < left ? iov[i].len : left;

		err = pieces_add(p, iov[i].addr, piece + r->len - left, n, false);
		left -= n;
	}
	return err;
}

static void add_piece(struct tracer *t, struct tracee *tr, const struct record *r, const uint8_t *piece)
{
	struct recording *rec = tr->recording;
	int err = r->vector ? add_vector(&rec->pieces, r, piece)
			    : pieces_add(&rec->pieces, r->addr, piece, r->len, r->string);

	if (err < 0)
		recording_fail(t, tr, -err, "does not fit");
	if (!rec->is_open)
		LIST_INSERT_HEAD(&t->collector.open, rec, open);
	rec->is_open = true;
}

/* What is recorded becomes events: it may not be more than the window has room for. */
static void bound_records(struct tracer *t)
{
	uint64_t events, bytes;

	leader_room(t->leader, &events, &bytes);
	recorder_set_room(t->collector.recorder, events, bytes);
}

/* It is set once, by a daemon, after a machine has begun. The two are read one after the other. */
static void learn_tai(struct recorder *r)
{
	struct timespec tai, real;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_TAI, &tai);
	r->shared->variant.tai = tai.tv_sec - real.tv_sec - (tai.tv_nsec < real.tv_nsec);
}

/* The records are about to be overwritten: from now on they do not count, their events do. */
static void settle(void *state)
{
	struct tracer *t = state;
	struct recording *rec;

	bound_records(t);
	LIST_FOREACH(rec, &t->collector.open, open)
	if (pieces_own(&rec->pieces) < 0 && t->err == 0)
		t->err = log_errno(ENOMEM, "cannot keep the record of a call");
}

/* ---- records ---------------------------------------------------------------------------------- */

/* Until the call has ended, and the tracer reads what is missing. */
static void keep_entry(struct tracer *t, struct tracee *tr, const struct record *r)
{
	struct recording *rec = tr->recording;
	struct pieces other = rec->at_entry;

	if (pieces_own(&rec->pieces) < 0)
		recording_fail(t, tr, ENOMEM, "cannot be kept");
	rec->at_entry = rec->pieces;
	rec->pieces = other;
	rec->missing = (uint32_t)r->ret;
}

static void on_entered(struct tracer *t, struct tracee *tr, const struct record *r)
{
	struct recording *rec = tr->recording;

	rec->entry_missing = r->reason;
	if (rec->entry_missing)
		keep_entry(t, tr, r);
	else
		recording_take_entered(t, tr, r);
}

static void on_ended(struct tracer *t, struct tracee *tr, const struct record *r)
{
	struct recording *rec = tr->recording;

	if (r->reason == RECORD_COMPLETE && !rec->entry_missing) {
		recording_take_call(t, tr, r, &rec->pieces.mem, 0);
		return;
	}
	rec->rest = *r;
	rec->incomplete = true;
}

/* A call of which nothing is missing. piece: r->len bytes, NULL when that is 0. */
static void take_record(struct tracer *t, struct tracee *tr, const struct record *r, const uint8_t *piece)
{
	struct recording *rec = tr->recording;

	if (!recording_counts(tr)) {
		rec->entry_missing = RECORD_COMPLETE;
		recording_reset(rec);
		return;
	}
	rec->taken++;
	if (r->len)
		add_piece(t, tr, r, piece);
	if (rec->incomplete)
		recording_fail(t, tr, ETIME, "was not completed before the program went on");
	else if (r->kind == RECORD_ENTERED)
		on_entered(t, tr, r);
	else
		on_ended(t, tr, r);
	recording_reset(rec);
}

static void on_record(void *state, const struct record *r, const uint8_t *piece)
{
	struct tracer *t = state;
	struct tracee *tr;

	if (t->err)
		return;
	tr = tracee_find(&t->tracees, (pid_t)r->tid);
	if (!tr)
		t->err = log_errno(EPROTO, "the kernel recorded a call of a thread that is not known");
	else if (r->kind == RECORD_DATA)
		add_piece(t, tr, r, piece);
	else if (r->kind == RECORD_READINGS)
		clock_take(t, tr, r);
	else
		take_record(t, tr, r, piece);
}

static size_t drain(struct tracer *t, bool wait)
{
	struct recorder *r = t->collector.recorder;
	size_t n;

	leader_hold(t->leader);
	n = ring_drain(&r->ring, wait, on_record, settle, t);
	leader_let_go(t->leader);
	if (r->shared->lost && t->err == 0)
		t->err = log_errno(ENOBUFS, "the kernel had no room to record a call of the program");
	return n;
}

void collector_drain(struct tracer *t)
{
	if (t->collector.recorder)
		drain(t, true);
}

/* The kernel has sent the stop while the thread was on its way out of the call. */
static bool is_where_it_was(const struct tracee *tr, const struct record *r)
{
	struct isa_regs regs;
	uint64_t pc;

	if (isa_regs_get(tr->tid, &regs) < 0)
		return true; /* killed meanwhile: it executes nothing */
	pc = isa_regs_pc(&regs);
	/* To begin anew, some kernels have put it back by one instruction already. */
	return pc == r->pc || (result_restarts(r->ret) && r->pc - pc <= 4);
}

void collector_complete(struct tracer *t, struct tracee *tr, int signal)
{
	struct recording *rec = tr->recording;
	struct record r;

	if (!rec || !rec->incomplete)
		return;
	rec->incomplete = false;
	r = rec->rest;
	if (r.reason == RECORD_COMPLETE)
		r.reason = rec->entry_missing;
	if (r.reason < _RECORD_REASON_MAX)
		t->counts.completed[r.reason - 1]++;
	if (!is_where_it_was(tr, &r))
		recording_fail(t, tr, ETIME, "was not completed before the program went on");
	else if (rec->entry_missing && !recording_is_readable_still(tr, &r))
		recording_fail(t, tr, EFAULT,
			       "was not in memory when it began, and is overwritten (--capture ptrace reads it in time)");
	else
		recording_take_call(t, tr, &r, &tr->mem.mem, signal);
	bound_records(t);
}

/* ---- the collector's thread ------------------------------------------------------------------- */

void collector_lock(struct tracer *t)
{
	if (t->collector.recorder)
		pthread_mutex_lock(&t->collector.lock);
}

void collector_unlock(struct tracer *t)
{
	if (t->collector.recorder)
		pthread_mutex_unlock(&t->collector.lock);
}

/* The number of records; when there were none, *ret_look_ms as from collector_look(). */
static size_t collect(struct tracer *t, int *ret_look_ms)
{
	size_t n;

	pthread_mutex_lock(&t->collector.lock);
	n = drain(t, false);
	if (n == 0)
		*ret_look_ms = collector_look(t);
	/* The tracer, which waits for a stop, learns of a failure by a death. */
	if (t->err)
		kill(t->root, SIGKILL);
	pthread_mutex_unlock(&t->collector.lock);
	return n;
}

/* Until a record comes, or it is time to look at threads. */
static void idle(struct recorder *r, int look_ms)
{
	int64_t us = look_ms < 0 || look_ms > IDLE_MAX_US / 1000 ? IDLE_MAX_US : look_ms * 1000;

	r->shared->reader.wanted = 1;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ring_is_empty(&r->ring))
		recorder_wait(r, us);
	r->shared->reader.wanted = 0;
}

static void *collector_main(void *arg)
{
	struct tracer *t = arg;
	struct recorder *r = t->collector.recorder;
	int64_t busy_until = 0;

	while (!t->collector.ending) {
		int look_ms = -1;
		size_t n;

		r->shared->reader.woken = 0;
		learn_tai(r);
		n = collect(t, &look_ms);
		if (n)
			busy_until = deadline_after_ms(IDLE_AFTER_MS);
		if (t->err)
			break;
		if (deadline_left_ms(busy_until) > 0)
			recorder_wait(r, n < BUSY_RECORDS ? DRAIN_EVERY_US : DRAIN_BUSY_US);
		else
			idle(r, look_ms);
	}
	return NULL;
}

int collector_start(struct tracer *t, struct recorder *recorder)
{
	struct collector *c = &t->collector;
	sigset_t all, old;
	int r;

	LIST_INIT(&c->open);
	r = clock_readings_init(&c->readings, t->start->key);
	if (r < 0)
		return log_errno(-r, "cannot make the events of clocks");
	pthread_mutex_init(&c->lock, NULL);
	r = recorder_start(recorder);
	if (r < 0)
		return log_errno(-r, "cannot start recording in the kernel");
	present_data(t->root);
	/* Signals of this process are the tracer's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	c->recorder = recorder;
	r = pthread_create(&c->thread, NULL, collector_main, t);
	if (r)
		c->recorder = NULL;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

void collector_stop(struct tracer *t)
{
	struct collector *c = &t->collector;

	if (c->recorder) {
		c->ending = true;
		recorder_wake(c->recorder);
		pthread_join(c->thread, NULL);
		pthread_mutex_destroy(&c->lock);
		c->recorder = NULL;
	}
	clock_readings_free(&c->readings);
}
