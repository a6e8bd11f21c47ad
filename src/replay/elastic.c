/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/elastic.h"

#include "replay/order.h"
#include "replay/tempname.h"
#include "variant/decide.h"

#include <errno.h>
#include <string.h>

bool elastic_reads(const struct call_record *c, clockid_t clock)
{
	return c->id == CALL_CLOCK_GETTIME && c->arg[0] == (uint64_t)clock;
}

/*
 * Two clocks are elastic: how often they are read is not compared. jemalloc reads the coarse monotonic
 * clock when a counter runs out that it seeds with an address, so that two variants read it at different
 * moments. A thread that finds a lock taken reads the monotonic clock for its deadline (Python's
 * interpreter lock), and whether it is taken is a matter of chance. A reading has no effect, and its
 * value is the leader's in both.
 */
static bool is_elastic(const struct fthread *f, const struct call_record *c)
{
	return elastic_reads(c, CLOCK_MONOTONIC_COARSE) ||
	       (f->process->threaded && elastic_reads(c, CLOCK_MONOTONIC));
}

void elastic_note(struct fthread *f)
{
	const struct payload *p = call_out_of(&f->leader, 1);
	struct timespec *to = NULL;

	if (elastic_reads(&f->leader, CLOCK_MONOTONIC))
		to = &f->process->monotonic;
	else if (elastic_reads(&f->leader, CLOCK_MONOTONIC_COARSE))
		to = &f->process->coarse;
	if (to && p && p->size == sizeof(*to))
		memcpy(to, payload_data(&f->leader, p), sizeof(*to));
}

/* The leader has read the clock where the follower does something else. */
static void drop_reading(struct replay *rp, struct fthread *f, unsigned parts)
{
	replay_taken(rp, f);
	f->drops_exit = !(parts & CALL_PART_EXIT);
	if (parts & CALL_PART_EXIT)
		elastic_note(f);
	else if (parts & CALL_PART_AWAITED)
		replay_send_matched(rp, f);
}

/* The follower asks for another random number for a name, which will be the leader's: any fits. */
static void answer_retry(struct replay *rp, struct fthread *f)
{
	uint64_t number = 0;
	bool written = f->mem.mem.write(&f->mem.mem, f->native.arg[0], &number, sizeof(number)) ==
		       (ssize_t)sizeof(number);

	answer_value(rp, f, written ? (int64_t)sizeof(number) : -EFAULT);
}

/* The follower reads the clock where the leader did something else. */
static void answer_reading(struct replay *rp, struct fthread *f)
{
	const struct timespec *value = elastic_reads(&f->call, CLOCK_MONOTONIC) ? &f->process->monotonic
									  : &f->process->coarse;
	uint64_t at = f->native.arg[1];
	bool written = !at || f->mem.mem.write(&f->mem.mem, at, value, sizeof(*value)) ==
				      (ssize_t)sizeof(*value);

	answer_value(rp, f, written ? 0 : -EFAULT);
}

/* One of each: jemalloc's reading of the coarse clock is the odd one, the other may be the program's. */
static bool match_two_clocks(struct replay *rp, struct fthread *f, unsigned parts)
{
	if (!is_elastic(f, &f->leader) || !is_elastic(f, &f->call) ||
	    f->leader.arg[0] == f->call.arg[0])
		return false;
	if (elastic_reads(&f->leader, CLOCK_MONOTONIC_COARSE))
		drop_reading(rp, f, parts);
	else
		answer_reading(rp, f);
	return true;
}

/*
 * A change of the signal mask that one variant alone makes is its own affair, as one that only blocks is:
 * on arm64 OpenSSL blocks signals while it tries what the processor can do, on x86-64 it need not try.
 */
static bool match_mask_of_one(struct replay *rp, struct fthread *f, unsigned parts)
{
	if (f->leader.id == f->call.id)
		return false;
	if (f->leader.id == CALL_RT_SIGPROCMASK && !f->at_exit) {
		drop_reading(rp, f, parts); /* as one of the clock: there is no outcome to give */
		return true;
	}
	if (f->call.id != CALL_RT_SIGPROCMASK)
		return false;
	answer_continue(rp, f);
	return true;
}

/* True: the event or the call was a reading, of the clock mostly, that the other side did not make. */
bool elastic_match(struct replay *rp, struct fthread *f, unsigned parts)
{
	if (f->drops_exit && !(parts & CALL_PART_ENTRY)) {
		f->drops_exit = false;
		elastic_note(f);
		replay_taken(rp, f);
		return true;
	}
	if (!(parts & CALL_PART_ENTRY) || f->phase == PHASE_ENTRY_MATCHED)
		return false;
	if (match_mask_of_one(rp, f, parts))
		return true;
	if (tempname_is_retry(f, &f->leader, &f->call)) {
		drop_reading(rp, f, parts);
		return true;
	}
	if (tempname_is_retry(f, &f->call, &f->leader)) {
		answer_retry(rp, f);
		return true;
	}
	if (match_two_clocks(rp, f, parts))
		return true;
	if (is_elastic(f, &f->leader) == is_elastic(f, &f->call))
		return false;
	if (is_elastic(f, &f->leader))
		drop_reading(rp, f, parts);
	else if (order_may_read(rp, f))
		answer_reading(rp, f);
	return true;
}

/* Nothing is left of the leader's thread but readings, and then its death. A thread that goes on would
 * make its own, and is to be given the leader's. */
static bool ends_with_readings(struct fthread *f)
{
	struct event e = { .call = &f->leader };
	struct reader r;
	size_t at = 0;

	while (stream_look(f->stream, &at, &r)) {
		if (event_decode(&r, &e) < 0)
			return false;
		if (e.kind == EVENT_DEATH)
			return true;
		if (e.kind != EVENT_CALL || f->leader.id != CALL_CLOCK_GETTIME ||
		    ((e.parts & CALL_PART_ENTRY) && !is_elastic(f, &f->leader)))
			return false;
	}
	return false;
}

bool elastic_drop(struct replay *rp, struct fthread *f)
{
	struct event e = { .call = &f->leader };
	struct reader r;

	if (f->stop != STOP_NONE || f->phase != PHASE_NONE || !ends_with_readings(f) ||
	    !stream_peek(f->stream, &r) || event_decode(&r, &e) < 0 || e.kind != EVENT_CALL)
		return false;
	if (f->drops_exit)
		return elastic_match(rp, f, e.parts);
	if (!(e.parts & CALL_PART_ENTRY))
		return false;
	drop_reading(rp, f, e.parts);
	return true;
}

bool elastic_answer(struct replay *rp, struct fthread *f)
{
	if (f->stop != STOP_NOTIFY || f->phase != PHASE_NONE || !is_elastic(f, &f->call))
		return false;
	answer_reading(rp, f);
	return true;
}
