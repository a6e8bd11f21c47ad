/* SPDX-License-Identifier: Apache-2.0 */
/* From the record of a call to its event: what the tracer does at an entry and an exit stop. */
#include "capture/bpf/take.h"

#include "base/log.h"
#include "calls/recorded.h"
#include "capture/bpf/message.h"
#include "capture/ptrace.h"
#include "variant/decide.h"

#include <errno.h>
#include <signal.h>

void recording_fail(struct tracer *t, const struct tracee *tr, int err, const char *what)
{
	if (t->err == 0)
		t->err = log_errno(err, "the record of a call of thread %d %s", (int)tr->tid, what);
}

static void set_native(struct tracee *tr, const struct record *r)
{
	struct native_call *n = &tr->native;

	*n = (struct native_call){ .isa = isa_native, .nr = (long)r->nr, .pc = r->pc };
	for (int i = 0; i < CALL_ARGS_MAX; i++)
		n->arg[i] = r->arg[i];
}

/* The thread has gone on after a call that was interrupted. True: the call was executed anew. */
static bool settle_held(struct tracer *t, struct tracee *tr, const struct record *r)
{
	bool again = result_restarts(tr->held_ret) && (long)r->nr == tr->native.nr;

	if (tr->state != TRACEE_HELD)
		return false;
	if (again)
		tr->state = TRACEE_RUNNING;
	else
		tracee_emit_held(t, tr);
	return again;
}

/* signal: that the thread is stopped with, 0 when it is not stopped. */
static bool handler_may_follow(const struct tracee *tr, int64_t ret, int signal)
{
	if (ret == -EINTR || result_restarts(ret))
		return true;
	return ret == -EPIPE && signal && (signal == SIGPIPE || tracee_has_signal(tr));
}

/* A compared call begins, for the streams. */
static void count_compared(struct tracer *t, struct tracee *tr)
{
	t->counts.compared++;
	if (!tr->slot.announced)
		history_add(&t->history, &tr->call, t->position++);
}

/* The record is gone before the call's event is made. */
static void keep_call(struct tracer *t, struct tracee *tr)
{
	if (call_record_own(&tr->call) < 0)
		recording_fail(t, tr, ENOMEM, "cannot be kept");
}

static void end_compared(struct tracer *t, struct tracee *tr, int64_t ret, int signal)
{
	if (handler_may_follow(tr, ret, signal)) {
		tr->held_ret = ret;
		tr->state = TRACEE_HELD;
		keep_call(t, tr);
	} else {
		tracee_emit(t, tr, ret);
		call_record_forget(&tr->call);
	}
}

bool recording_counts(const struct tracee *tr)
{
	return tr->state == TRACEE_RUNNING || tr->state == TRACEE_HELD;
}

void recording_go_on(struct tracer *t, struct tracee *tr)
{
	tr->recording->look_at = 0;
	/* A signal that was sent again and has not come by now is blocked: it comes when it comes. */
	tr->in_code = false;
	tr->at_boundary = false;
	tr->pending.sent_here = 0;
	tr->pending.n_sent_here = 0;
	/* The link thread must not look at a call that changes. */
	leader_pause(t->leader, &tr->slot);
}

/* Entry part from mem into tr->call. *ret_local: the call is nobody's business. False: it is not to be used. */
static bool take_entry(struct tracer *t, struct tracee *tr, const struct record *r, struct mem *mem,
		       bool *ret_local)
{
	struct verdict_of_call v;
	bool again = settle_held(t, tr, r), ok;

	recording_go_on(t, tr);
	set_native(tr, r);
	if (call_resolve(&tr->native) < 0) {
		recording_fail(t, tr, ENOSYS, "has no row");
		return false;
	}
	tr->cx.mem = mem;
	ok = tracer_captured(t, tr, call_capture_in(&tr->cx, &tr->native, &tr->call));
	tr->cx.mem = &tr->mem.mem;
	if (!ok)
		return false;
	v = call_decide(&tr->native, &tr->call, tr->process->vdt, &tr->process->loader, t->start->local);
	if (v.decision == DECIDE_REFUSE)
		recording_fail(t, tr, EPROTO, "is one that should have been refused");
	*ret_local = v.decision == DECIDE_LOCAL;
	if (v.decision == DECIDE_COMPARE && !again)
		count_compared(t, tr);
	return true;
}

/* signal: that the thread is stopped with, else 0. */
static void take_exit(struct tracer *t, struct tracee *tr, int64_t ret, struct mem *mem, bool local,
		      int signal)
{
	leader_pause(t->leader, &tr->slot);
	tr->cx.mem = mem;
	if (!local) {
		end_compared(t, tr, ret, signal);
	} else {
		t->counts.local++;
		/* What a close frees was free at its entry. */
		if (tr->native.canon->irregular != IRR_CLOSE)
			call_local_effects(&tr->native, &tr->call, ret, tr->process->vdt);
	}
	tr->cx.mem = &tr->mem.mem;
}

/* Effects of a call that other threads may meet before it ends. mem: of its entry. */
static void begin_for_others(struct tracer *t, struct tracee *tr, struct mem *mem, bool local)
{
	if (local) {
		if (tr->native.canon->irregular == IRR_CLOSE)
			call_local_effects(&tr->native, &tr->call, 0, tr->process->vdt);
		return;
	}
	tr->cx.mem = mem;
	tracee_register_cookie(t, tr);
	tr->cx.mem = &tr->mem.mem;
}

/* The call that has ended began without a whole record: what that lacks is in mem. */
static bool take_missed_entry(struct tracer *t, struct tracee *tr, const struct record *r, struct mem *mem,
			      bool *ret_local)
{
	struct overlay both;

	overlay_init(&both, &tr->recording->at_entry, mem);
	if (!take_entry(t, tr, r, &both.mem, ret_local))
		return false;
	begin_for_others(t, tr, &both.mem, *ret_local);
	return true;
}

/* The call has ended. mem: of its exit, and of its entry too unless that was recorded. */
void recording_take_call(struct tracer *t, struct tracee *tr, const struct record *r,
		      struct mem *mem, int signal)
{
	struct recording *rec = tr->recording;
	bool local = rec->entered_local;

	t->counts.recorded++;
	if (!rec->entered && !(rec->entry_missing ? take_missed_entry(t, tr, r, mem, &local)
						  : take_entry(t, tr, r, mem, &local)))
		return;
	if (r->kind == RECORD_WHOLE && !rec->entered && !rec->entry_missing)
		begin_for_others(t, tr, mem, local);
	rec->entered = false;
	rec->entry_missing = RECORD_COMPLETE;
	rec->look_at = 0;
	take_exit(t, tr, r->ret, mem, local, signal);
	if (rec->pieces.missed)
		recording_fail(t, tr, EFAULT, "lacks some of its memory");
}

/* Other threads may meet the effects of a call before it ends. */
void recording_take_entered(struct tracer *t, struct tracee *tr, const struct record *r)
{
	struct recording *rec = tr->recording;

	if (!take_entry(t, tr, r, &rec->pieces.mem, &rec->entered_local))
		return;
	rec->entered = true;
	keep_call(t, tr);
	begin_for_others(t, tr, &rec->pieces.mem, rec->entered_local);
	if (!rec->entered_local)
		leader_resume(t->leader, &tr->slot, &tr->call);
	if (rec->pieces.missed)
		recording_fail(t, tr, EFAULT, "lacks some of its memory");
}

/* The call whose entry could not be recorded: the thread is stopped, and its memory is what the call has left.
 * False: that is not what it began with. */
bool recording_is_readable_still(struct tracee *tr, const struct record *r)
{
	uint64_t args[CALL_ARGS_MAX];
	const struct call_row *row = call_row_of_nr(isa_native, (long)r->nr);
	struct record_desc d;

	for (int i = 0; i < CALL_ARGS_MAX; i++)
		args[i] = r->arg[i];
	if (!row || !record_describe(isa_native, call_row_sub(row, args), &d) ||
	    record_is_overwritten(&d, tr->recording->missing, args, r->ret))
		return false;
	for (unsigned i = 0; i < d.n_entry; i++)
		if ((tr->recording->missing >> i & 1) && record_is_message(&d.part[i]) &&
		    !message_is_as_before(&tr->mem.mem, &d.part[i], args, r->ret))
			return false;
	return true;
}
