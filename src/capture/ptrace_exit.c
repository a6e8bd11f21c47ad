/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the leader: from the exit stop to the event. */
#include "capture/ptrace.h"

#include "variant/decide.h"
#include "variant/libcrypto.h"
#include "variant/script.h"

#include <errno.h>
#include <linux/close_range.h>
#include <sys/mman.h>

/* Kernel-internal results of an interrupted call (include/linux/errno.h); a tracer sees them. */
#define ERESTARTSYS 512
#define ERESTART_RESTARTBLOCK 516

bool result_restarts(int64_t ret)
{
	return ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK;
}

/* Whether a handler runs before the thread's next instruction is part of what the call did: a signal
 * that ended its waiting, one that it has sent to its own thread (raise(3), SIGPIPE) or unblocked. */
static bool handler_may_follow(const struct tracee *tr, int64_t ret)
{
	if (ret == -EINTR || result_restarts(ret))
		return true;
	return (tr->sent || tr->native.canon->irregular == IRR_KILL || ret == -EPIPE ||
		tr->native.canon == &call_rows[CALL_RT_SIGPROCMASK]) &&
	       tracee_has_signal(tr);
}

void tracee_forget_descriptors(struct tracee *tr)
{
	const struct call_row *row = tr->native.canon;
	struct performer *p = &tr->process->performer;

	if (row->irregular == IRR_CLOSE && row->n_args > 1) {
		performer_forget_range(p, (unsigned)tr->call.arg[0], (unsigned)tr->call.arg[1]);
		/* From then on the threads of the process have different tables. */
		if (tr->call.arg[2] & CLOSE_RANGE_UNSHARE)
			tr->process->shares_files = true;
	} else if (row->irregular == IRR_CLOSE) {
		performer_forget(p, (int)tr->call.arg[0]);
	} else if (row->irregular == IRR_DUP && row->n_args > 1 && row->parent == call_row_id(row)) {
		performer_forget(p, (int)tr->call.arg[1]);
	} else if (row == &call_rows[CALL_SETSOCKOPT_SO_RCVLOWAT]) {
		performer_forget_range(p, 0, ~0u);
	}
}

/* A mapping of a virtual file: followers, which have no such file, get its bytes. */
static void add_mapping(struct tracer *t, struct tracee *tr, int64_t ret)
{
	if (tr->native.canon->irregular != IRR_MMAP || ret < 0 || (tr->call.arg[3] & MAP_ANONYMOUS))
		return;
	tracer_captured(t, tr, call_add_memory(&tr->cx, &tr->call, 0, (uint64_t)ret, tr->call.arg[1]));
}

/* The process is another program by now, which tr may not be the first thread of. */
static void add_script(struct tracer *t, struct tracee *tr, int64_t ret)
{
	if (tr->native.canon->irregular == IRR_EXECVE && ret == 0)
		tracer_captured(t, tr, script_note(tr->process->pid, &tr->cx, tr->exec_args, &tr->call));
}

void tracee_emit(struct tracer *t, struct tracee *tr, int64_t ret)
{
	if (!tracer_captured(t, tr, call_capture_out(&tr->cx, &tr->native, ret, &tr->call)))
		return;
	add_mapping(t, tr, ret);
	add_script(t, tr, ret);
	call_virtual_effects(&tr->call, tr->process->vdt);
	/* Another thread may have used the descriptor until the very end. */
	tracee_forget_descriptors(tr);
	history_complete(&t->history, &tr->call);
	leader_exit(t->leader, &tr->slot, &tr->call);
	if (!call_is_elastic(&tr->call))
		counter_after_call(&tr->counter);
	tr->emitted = true;
	t->counts.replayed++;
}

void tracee_emit_held(struct tracer *t, struct tracee *tr)
{
	tr->state = TRACEE_RUNNING;
	tracee_emit(t, tr, result_restarts(tr->held_ret) ? -EINTR : tr->held_ret);
}

void tracee_at_exit(struct tracer *t, struct tracee *tr)
{
	struct isa_regs regs;
	int64_t ret;

	if (isa_regs_get(tr->tid, &regs) < 0)
		return;
	tracee_unmask_ignored(tr);
	ret = isa_regs_ret(&regs);
	if (tr->state == TRACEE_LOCAL_CALL) {
		if (tr->native.canon->irregular == IRR_MMAP && ret >= 0)
			libcrypto_patch(tr->tid, (int)tr->native.arg[4], (uint64_t)ret,
				      tr->native.arg[1], tr->native.arg[5]);
		call_local_effects(&tr->native, &tr->call, ret, tr->process->vdt);
	} else if (tr->state == TRACEE_CALL && !tr->emitted) {
		leader_pause(t->leader, &tr->slot);
		if (handler_may_follow(tr, ret)) {
			tr->held_ret = ret;
			tr->state = TRACEE_HELD;
			tracee_continue(tr, 0);
			return;
		}
		tracee_emit(t, tr, ret);
	}
	tr->state = TRACEE_RUNNING;
	tracee_continue(tr, 0);
}
