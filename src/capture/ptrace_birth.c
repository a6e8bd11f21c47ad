/* SPDX-License-Identifier: Apache-2.0 */
/* Children of the leader's threads, and programs that replace it. */
#include "capture/ptrace.h"

#include "capture/bpf/clock/clock.h"
#include "capture/bpf/present.h"
#include "isa/cpu.h"
#include "variant/auxv.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ptrace.h>

static uint64_t clone_flags(const struct tracee *tr)
{
	/* clone3's flags are behind a pointer; of all its users only threads share tables. */
	return tr->call.arg[0];
}

void tracee_at_birth(struct tracer *t, struct tracee *tr, pid_t child)
{
	struct tracee *c = tracee_find(&t->tracees, child);
	bool shares = clone_flags(tr) & CLONE_THREAD, has_stopped;
	struct process *p = shares ? tr->process : process_fork(tr->process, child);

	if (!p) {
		tracer_fail(t, -ENOMEM, "follow a child");
		return;
	}
	if (!shares && (clone_flags(tr) & CLONE_FILES)) {
		tr->process->shares_files = true;
		p->shares_files = true;
		performer_free(&tr->process->performer);
	}
	if (c)
		tracee_remove(&t->tracees, c);
	has_stopped = c;
	c = tracee_add(&t->tracees, child, p);
	if (c) {
		c->state = TRACEE_RUNNING;
		clock_at_birth(t, tr, p, clone_flags(tr) & CLONE_VM);
		/* Before its parent's event came; otherwise its first stop comes now. */
		if (has_stopped)
			tracee_continue(c, 0);
	} else {
		tracer_fail(t, -ENOMEM, "follow a child");
	}
	/* Emitted before the call returns: with vfork(2) that is after the child's whole life. */
	leader_pause(t->leader, &tr->slot);
	tracee_emit(t, tr, child);
	if (c)
		c->counter = tr->counter;
	tracee_continue_to_exit(tr, 0);
}

/*
 * A thread that is not the first one has become the process, with the first one's id (execve(2)); the
 * others are dead and reported. For the streams: the call returned in the thread that made it, which
 * makes no further one, and the first thread has ended.
 */
static void take_over(struct tracer *t, struct tracee *first, struct tracee *by)
{
	if (by->state == TRACEE_CALL && !by->emitted) {
		leader_pause(t->leader, &by->slot);
		tracee_emit(t, by, 0);
	}
	leader_abandon(t->leader, &first->slot);
	leader_death(t->leader, (uint32_t)first->tid, 0);
	tracee_remove(&t->tracees, by);
	first->state = TRACEE_CALL;
	first->emitted = true;
	first->pending.n = 0;
	first->at_boundary = false;
	first->parked = false;
	first->waits_for_room = false;
}

void tracee_at_exec(struct tracer *t, struct tracee *tr)
{
	unsigned long former = 0;
	struct loader_place place = { 0 };
	int r = auxv_edit(tr->tid, NULL, &place), clocks;
	struct tracee *by;

	if (r < 0 && r != -ESRCH)
		tracer_fail(t, r, "edit the auxiliary vector");
	loader_find(tr->tid, &place, &tr->process->loader);
	if (tr->recording)
		present_data(tr->tid);
	vdt_exec(tr->process->vdt);
	performer_free(&tr->process->performer);
	for (int i = 1; i < NSIG; i++)
		if (!tr->process->handlers[i].ignored)
			tr->process->handlers[i] = (struct handler){ 0 };
	if (ptrace(PTRACE_GETEVENTMSG, tr->tid, 0, &former) == 0 && (pid_t)former != tr->tid &&
	    (by = tracee_find(&t->tracees, (pid_t)former)))
		take_over(t, tr, by);
	tr->process->most_threads = 1;
	if (tr->state == TRACEE_CALL && !tr->emitted) {
		leader_pause(t->leader, &tr->slot);
		tracee_emit(t, tr, 0);
	}
	r = isa_cpu_hide(tr->tid);
	clocks = r < 0 ? 0 : clock_at_exec(t, tr);
	if (clocks)
		r = clocks;
	if (r == 1) {
		tr->state = TRACEE_RUNNING;
		tracee_continue(tr, 0);
	} else if (r == 0) {
		tracee_continue_to_exit(tr, 0);
	} else if (r != -ESRCH) {
		tracer_fail(t, r, "hide the processor");
	}
}
