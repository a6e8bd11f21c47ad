/* SPDX-License-Identifier: Apache-2.0 */
/* Matching: a held thread against the events of its stream. */
#include "replay/elastic.h"
#include "replay/order.h"
#include "replay/replay.h"
#include "replay/timer.h"

#include "base/clock.h"
#include "base/log.h"
#include "replay/tempname.h"
#include "variant/decide.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static void send_ack(struct replay *rp)
{
	uint64_t body[2] = { rp->streams.taken_events, rp->streams.taken_bytes };

	rp->acked_events = body[0];
	rp->acked_bytes = body[1];
	if (link_send(rp->link, FRAME_ACK, body, sizeof(body)) < 0 || link_flush(rp->link) < 0)
		rp->err = -EPIPE;
}

void replay_send_matched(struct replay *rp, const struct fthread *f)
{
	if (link_send(rp->link, FRAME_MATCHED, &f->canonical, sizeof(f->canonical)) < 0 ||
	    link_flush(rp->link) < 0)
		rp->err = -EPIPE;
}

/* The leader may wait for room in its window. */
void replay_taken(struct replay *rp, struct fthread *f)
{
	stream_pop(&rp->streams, f->stream);
	order_went_on(f);
	if (stream_next(f->stream) >= NEXT_FATAL)
		rp->settling = true;
	if (rp->streams.taken_events - rp->acked_events >= rp->start->window_events / 8 ||
	    rp->streams.taken_bytes - rp->acked_bytes >= rp->start->window_bytes / 8)
		send_ack(rp);
}

static void protocol_error(struct replay *rp, const char *what)
{
	if (rp->err == 0)
		rp->err = log_errno(EPROTO, "the leader's events are malformed (%s)", what);
}

static void describe_leader_call(struct fthread *f, char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");

	if (!out)
		return;
	fprintf(out, "calls ");
	call_print(out, &f->leader);
	fclose(out);
	text[size - 1] = 0;
}

/* The follower faulted: so must the leader. */
static void match_fault(struct replay *rp, struct fthread *f, const struct event *e)
{
	char leader[256] = "", own[128];

	snprintf(own, sizeof(own), "got %s at address %p", sigabbrev_np(f->fault) ?: "a fault",
		 f->fault_info.si_addr);
	if (e->kind == EVENT_SIGNAL && e->when == SIGNAL_IN_CODE) {
		/* It came before: the faulting instruction is executed again after its handler. */
		f->stop = STOP_NONE;
		f->fault = 0;
		replay_taken(rp, f);
		replay_send_signal(rp, f, e->signal, e->siginfo);
		ptrace(PTRACE_CONT, f->tid, 0, 0);
		return;
	}
	if (e->kind == EVENT_SIGNAL && e->signal == f->fault) {
		int signal = f->fault;

		if (!replay_is_caught(f, signal)) {
			if (!replay_may_end(rp, f))
				return;
			f->process->ending = true;
		}
		replay_taken(rp, f);
		f->fault = 0;
		f->stop = STOP_NONE;
		ptrace(PTRACE_CONT, f->tid, 0, (void *)(long)signal);
		return;
	}
	if (e->kind == EVENT_CALL && (e->parts & CALL_PART_ENTRY))
		describe_leader_call(f, leader, sizeof(leader));
	else if (e->kind == EVENT_SIGNAL)
		snprintf(leader, sizeof(leader), "got SIG%s", sigabbrev_np(e->signal) ?: "?");
	else
		snprintf(leader, sizeof(leader), "goes on");
	replay_diverge(rp, f, REPORT_CRASH_ONE_VARIANT, leader, own);
}

static void match_signal(struct replay *rp, struct fthread *f, const struct event *e)
{
	switch ((enum signal_when)e->when) {
	case SIGNAL_AT_EXIT:
		f->at_exit = e->signal;
		memcpy(&f->at_exit_info, e->siginfo, sizeof(f->at_exit_info));
		replay_taken(rp, f);
		break;
	case SIGNAL_FATAL:
		if (!replay_may_end(rp, f))
			return;
		f->process->ending = true;
		/* fall through */
	case SIGNAL_BEFORE:
	case SIGNAL_IN_CODE:
		f->in_code_since = 0;
		replay_taken(rp, f);
		/* A call that was announced comes again after the handler. */
		f->phase = PHASE_NONE;
		replay_send_signal(rp, f, e->signal, e->siginfo);
		answer_restart(rp, f);
		break;
	default: {
		char leader[64];

		snprintf(leader, sizeof(leader), "got SIG%s", sigabbrev_np(e->signal) ?: "?");
		replay_diverge(rp, f, REPORT_CRASH_ONE_VARIANT, leader, "makes this call");
	}
	}
}

static bool match_entry(struct replay *rp, struct fthread *f, unsigned parts)
{
	struct call_mismatch m;

	if (!call_equal(&f->leader, &f->call, &m) &&
	    !(tempname_adopt(f, &m) && call_equal(&f->leader, &f->call, &m))) {
		if (!(parts & CALL_PART_OBSERVED) || !call_equal_but_bytes(&f->leader, &f->call)) {
			replay_diverge_call(rp, f, &m);
			return false;
		}
		replay_notice(rp, f, &m);
	}
	f->read_clock = elastic_reads(&f->leader, CLOCK_MONOTONIC);
	f->phase = PHASE_ENTRY_MATCHED;
	rp->counts.compared++;
	history_add(&f->history, &f->call, f->position++);
	return true;
}

static void match_call(struct replay *rp, struct fthread *f, const struct event *e)
{
	bool is_exit = call_rows[f->leader.id].irregular == IRR_EXIT;

	if (elastic_match(rp, f, e->parts))
		return;
	if (e->parts & CALL_PART_EXIT)
		elastic_note(f);

	if (e->parts & CALL_PART_ENTRY) {
		if (f->phase == PHASE_ENTRY_MATCHED) {
			protocol_error(rp, "two entries of one call");
			return;
		}
		if (!match_entry(rp, f, e->parts))
			return;
	} else if (f->phase != PHASE_ENTRY_MATCHED || f->leader.id != f->call.id) {
		protocol_error(rp, "an exit without its entry");
		return;
	}
	replay_taken(rp, f);
	if (e->parts & CALL_PART_AWAITED)
		replay_send_matched(rp, f);
	if (is_exit) {
		f->phase = PHASE_EXITING;
		replay_robust_exit(rp, f);
		if (f->leader.id == CALL_EXIT_GROUP)
			replay_end(rp, f);
		else
			answer_continue(rp, f);
	} else if (e->parts & CALL_PART_EXIT) {
		replay_outcome(rp, f);
	}
}

void replay_describe_death(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)) ?: "?");
	else
		snprintf(text, size, "exited with status %d", WEXITSTATUS(status));
}

/* This thread is dead: the leader's must have died in the same way. */
static void match_end(struct replay *rp, struct fthread *f, const struct event *e)
{
	char own[64], leader[256] = "goes on";
	bool killed = WIFSIGNALED(f->wait_status);

	replay_describe_death(f->wait_status, own, sizeof(own));
	if (e->kind == EVENT_SIGNAL && killed && e->signal == WTERMSIG(f->wait_status)) {
		replay_taken(rp, f);
		return;
	}
	if (e->kind == EVENT_DEATH) {
		/* Core dumps are a matter of each node's limits. */
		if ((e->wait_status & ~0x80u) == ((unsigned)f->wait_status & ~0x80u) ||
		    f->tid != f->process->pid) {
			struct stream *st = f->stream;

			replay_taken(rp, f);
			fthread_remove(&rp->threads, f);
			streams_drop(&rp->streams, st);
			return;
		}
		replay_describe_death((int)e->wait_status, leader, sizeof(leader));
		replay_diverge(rp, f, killed ? REPORT_CRASH_ONE_VARIANT : REPORT_DIVERGENCE_EXIT,
			       leader, own);
		return;
	}
	/* Killed from outside, as its process was, which is compared where its first thread is. */
	if (f->tid != f->process->pid && killed) {
		replay_taken(rp, f);
		return;
	}
	if (e->kind == EVENT_CALL && (e->parts & CALL_PART_ENTRY))
		describe_leader_call(f, leader, sizeof(leader));
	replay_diverge(rp, f, REPORT_CRASH_ONE_VARIANT, leader, own);
}

/* Matched already; it waits for something of the follower's own. */
static bool waits(const struct fthread *f)
{
	return f->phase == PHASE_REAP ||
	       ((f->phase == PHASE_EXITING || f->phase == PHASE_EXEC) && f->stop != STOP_NONE);
}

void replay_advance(struct replay *rp, struct fthread *f)
{
	bool dead = f->dead;

	while ((f->stop != STOP_NONE || dead) && !rp->diverged && rp->err == 0 && f->stream) {
		struct event e = { .call = &f->leader };
		uint64_t before = rp->streams.taken_events;
		struct reader r;

		if ((!dead && waits(f)) || !stream_peek(f->stream, &r) || !order_is_due(rp, f))
			return;
		if (event_decode(&r, &e) < 0 || !reader_done(&r)) {
			protocol_error(rp, "an event does not decode");
			return;
		}
		if (!dead && timer_is_early(rp, f, &e))
			return;
		if (dead)
			match_end(rp, f, &e);
		else if (f->stop == STOP_SIGNAL)
			match_fault(rp, f, &e);
		else if (e.kind == EVENT_SIGNAL)
			match_signal(rp, f, &e);
		else if (e.kind == EVENT_CALL)
			match_call(rp, f, &e);
		else
			rp->settling = true; /* the leader's thread is gone: replay_settle() */
		/* After its DEATH event a thread is forgotten. */
		if (rp->streams.taken_events == before || (dead && e.kind == EVENT_DEATH))
			return;
	}
}

void replay_advance_all(struct replay *rp)
{
	struct fthread *f, *tmp;

	HASH_ITER(hh, rp->threads.by_tid, f, tmp)
	replay_advance(rp, f);
}

void replay_at_call(struct replay *rp, struct fthread *f)
{
	struct verdict_of_call v;
	int r;

	f->phase = PHASE_NONE;
	/* It was faster than the signal that ends it, or that has to come before this call. */
	if (f->sending && (f->process->ending ||
			   (f->in_code && !replay_is_blocked(f, f->sending)))) {
		if (f->process->ending)
			replay_unblock(f, f->sending);
		answer_restart(rp, f);
		return;
	}
	f->in_code = false;
	if (call_resolve(&f->native) < 0) {
		answer_value(rp, f, -ENOSYS);
		return;
	}
	r = call_capture_in(&f->cx, &f->native, &f->call);
	if (r == -ESRCH) {
		answer_nobody(f);
		return;
	}
	if (r < 0) {
		rp->err = log_errno(-r, "cannot read a call of the follower");
		return;
	}
	v = call_decide(&f->native, &f->call, f->process->vdt, &f->process->loader,
			rp->start->local);
	log_debug("%d %s: decision %d", f->tid, f->native.canon->name, v.decision);
	if (v.decision == DECIDE_REFUSE) {
		rp->counts.local++;
		answer_value(rp, f, -v.err);
	} else if (v.decision == DECIDE_LOCAL) {
		replay_local(rp, f, v.local_path);
	} else {
		f->waiting_since = time_now_ms();
		replay_advance(rp, f);
	}
}
