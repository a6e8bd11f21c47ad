/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture/ptrace: works everywhere, unprivileged.
 *
 * Theory of operation. The variant's seccomp filter returns TRACE for the calls that the table lists
 * and lets local ones run untouched. A traced call stops its thread at its entry, where arguments and
 * outgoing bytes are read, and, when it is compared, at its exit, where the result and incoming bytes
 * are read: two stops, no other. The loop waits for any thread in a blocking waitpid(2); the link
 * thread ends that wait with a signal when the hub has a wish.
 */
#include "capture/ptrace.h"

#include "capture/bpf/clock/clock.h"
#include "variant/proc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void tracee_continue(struct tracee *tr, int signal)
{
	/* Of recorded calls only a stop before them can wait for something. */
	bool step = tr->recording && (tr->pending.n || tr->in_region);

	tr->stopped = false;
	ptrace(step ? PTRACE_SYSCALL : PTRACE_CONT, tr->tid, 0, (void *)(long)signal);
}

void tracee_continue_to_exit(struct tracee *tr, int signal)
{
	tr->stopped = false;
	ptrace(PTRACE_SYSCALL, tr->tid, 0, (void *)(long)signal);
}

/* Stop, continue or interrupt of a whole group, and the first stop of a new thread. */
static void at_group_stop(struct tracer *t, struct tracee *tr, int signal)
{
	(void)t;
	if (tr->state == TRACEE_NEW)
		return; /* waits for its parent's event */
	if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)
		ptrace(PTRACE_LISTEN, tr->tid, 0, 0);
	else if (tr->state == TRACEE_CALL || tr->state == TRACEE_LOCAL_CALL)
		tracee_continue_to_exit(tr, 0);
	else
		tracee_continue(tr, 0);
}

static void at_event(struct tracer *t, struct tracee *tr, int event, int signal)
{
	unsigned long message = 0;

	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		if (tr->skipped_at_step) {
			tr->skipped_at_step = false;
			tracee_continue(tr, 0);
		} else {
			tracee_at_entry(t, tr);
		}
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		if (ptrace(PTRACE_GETEVENTMSG, tr->tid, 0, &message) == 0)
			tracee_at_birth(t, tr, (pid_t)message);
		break;
	case PTRACE_EVENT_EXEC:
		tracee_at_exec(t, tr);
		break;
	case PTRACE_EVENT_STOP:
		at_group_stop(t, tr, signal);
		break;
	default:
		tracee_continue(tr, 0);
	}
}

static void at_death(struct tracer *t, struct tracee *tr, int status)
{
	/* Killed in a call that the kernel has recorded as interrupted. */
	if (tr->recording && tr->state == TRACEE_HELD)
		leader_resume(t->leader, &tr->slot, &tr->call);
	leader_abandon(t->leader, &tr->slot);
	leader_death(t->leader, (uint32_t)tr->tid, status);
	if (tr->tid == t->root)
		t->counts.wait_status = status;
	tracee_remove(&t->tracees, tr);
}

static void at_stop(struct tracer *t, struct tracee *tr, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;
	bool in_call = tr->state == TRACEE_CALL || tr->state == TRACEE_LOCAL_CALL;

	if (event == PTRACE_EVENT_EXEC) {
		recording_forget(tr->recording);
	} else {
		clock_flush(t, tr);
		collector_complete(t, tr, event || (signal & 0x80) ? 0 : signal);
	}
	if (event)
		at_event(t, tr, event, signal & 0x7f);
	else if (signal == (SIGTRAP | 0x80) && tr->recording && !in_call)
		tracee_at_step(t, tr);
	else if (signal == (SIGTRAP | 0x80))
		tracee_at_exit(t, tr);
	else
		tracee_at_signal(t, tr, signal);
}

void tracer_handle(struct tracer *t, pid_t tid, int status)
{
	struct tracee *tr;

	collector_drain(t);
	tr = tracee_find(&t->tracees, tid);
	if (!tr) {
		if (!WIFSTOPPED(status))
			return;
		/* A child whose parent's event is still to come. */
		tr = tracee_add(&t->tracees, tid, NULL);
		if (!tr) {
			t->err = -ENOMEM;
			return;
		}
		tr->state = TRACEE_NEW;
		return;
	}
	tr->stopped = WIFSTOPPED(status);
	if (tr->stopped)
		at_stop(t, tr, status);
	else
		at_death(t, tr, status);
}

static void kill_all(struct tracer *t)
{
	struct tracee *tr, *tmp;

	/* Also their calls are over: the link thread must not announce them any more. */
	HASH_ITER(hh, t->tracees.by_tid, tr, tmp)
	{
		leader_cancel(t->leader, &tr->slot);
		kill(tr->process->pid, SIGKILL);
	}
	/* Stops are of no interest any more: SIGKILL ends them. Not only threads that are known: some
	 * may be at their first stop. */
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			break;
		if (WIFSTOPPED(status))
			kill(tid, SIGKILL);
		else if (tid == t->root)
			t->counts.wait_status = status;
	}
	tracees_free(&t->tracees);
}

static void stop_all(struct tracer *t)
{
	struct tracee *tr, *tmp;

	/* Threads in a stop stay there; the others stop before their next instruction. */
	HASH_ITER(hh, t->tracees.by_tid, tr, tmp)
	ptrace(PTRACE_INTERRUPT, tr->tid, 0, 0);
}

/* Threads that were not to go on yet. */
static void unpark_all(struct tracer *t)
{
	struct tracee *tr, *tmp;

	collector_drain(t); /* and the kernel learns how much room there is */
	HASH_ITER(hh, t->tracees.by_tid, tr, tmp)
	{
		if (tr->parked)
			tracee_unpark(t, tr);
		else if (tr->waits_for_room)
			tracee_swallow_stop(t, tr);
	}
}

static void resume_all(struct tracer *t)
{
	if (t->deferred_tid)
		tracer_handle(t, t->deferred_tid, t->deferred_status);
	t->deferred_tid = 0;
	unpark_all(t);
}

/*
 * A signal for a process is taken by its first thread, if that does not block it, but not while that is in
 * a ptrace stop (kernel/signal.c, wants_signal()), which a leader's threads often are: the handler would
 * run in another thread than it does natively. To the first thread itself it waits for the end of the stop.
 */
static void send_to_program(struct tracer *t, int signal)
{
	struct tracee *first = tracee_find(&t->tracees, t->root);
	uint64_t blocked = UINT64_MAX;
	const char *line;
	char text[4096];

	if (first && first->process->refs > 1 && proc_read(t->root, "status", text, sizeof(text)) > 0 &&
	    !strstr(text, "\nState:\tZ") && (line = strstr(text, "\nSigBlk:")))
		sscanf(line + strlen("\nSigBlk:"), "%" SCNx64, &blocked);
	if (blocked >> (signal - 1) & 1)
		kill(t->root, signal);
	else
		syscall(SYS_tgkill, t->root, t->root, signal);
}

/* False: the session is over. From a report or a freeze on (held), no stop is handled until it is
 * resumed. */
static bool obey(struct tracer *t, bool held)
{
	int signal;

	for (;;) {
		if (held)
			leader_wait_wish(t->leader);
		switch (leader_take_wish(t->leader, &signal)) {
		case WISH_NONE:
			if (!held)
				return true;
			break;
		case WISH_RESUME:
			held = false;
			resume_all(t);
			break;
		case WISH_SIGNAL:
			send_to_program(t, signal);
			break;
		case WISH_REPORT:
			/* Recorded calls have no stop of their own at which they could be held. */
			if (t->collector.recorder)
				stop_all(t);
			tracer_report(t);
			held = true;
			break;
		case WISH_FREEZE:
			stop_all(t);
			held = true;
			break;
		case WISH_KILL:
			return false;
		}
	}
}

/* False: the session is over. */
static bool serve(struct tracer *t)
{
	if (!t->tracees.by_tid || t->err ||
	    (leader_wish(t->leader) != WISH_NONE && !obey(t, false)))
		return false;
	if (leader_has_news(t->leader))
		unpark_all(t);
	while (t->forbidden_tid)
		if (tracer_accuse(t) && !obey(t, true))
			return false;
	tracer_send_overdue(t);
	return true;
}

static void loop(struct tracer *t)
{
	bool go_on = true;

	while (go_on) {
		int status;
		pid_t tid;

		collector_lock(t);
		go_on = serve(t);
		collector_unlock(t);
		if (!go_on)
			return;
		tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno != EINTR)
			return;
		collector_lock(t);
		if (tid > 0)
			tracer_handle(t, tid, status);
		collector_unlock(t);
	}
}

/* A follower may find a difference long after the leader's end: the last calls are kept for it. */
static void stay_for_reports(struct tracer *t)
{
	int signal;

	leader_ended(t->leader, &t->counts);
	for (;;) {
		enum leader_wish wish = leader_take_wish(t->leader, &signal);

		if (wish == WISH_KILL)
			return;
		if (wish == WISH_REPORT)
			tracer_report(t);
		leader_wait_wish(t->leader);
	}
}

/* The program's first instruction. */
static void begin(struct tracer *t, struct tracee *tr)
{
	collector_lock(t);
	/* Calls that are made for it are not its own. */
	tr->state = TRACEE_CALL;
	clock_at_exec(t, tr);
	tr->state = TRACEE_RUNNING;
	tracee_continue(tr, 0);
	collector_unlock(t);
}

int capture_ptrace(const struct capture *c)
{
	struct tracer t = {
		.start = c->start,
		.leader = c->leader,
		.root = c->pid,
		.tracees = { .key = c->start->key },
	};
	struct tracee *tr;
	int r = 0;

	t.tracees.recorded = c->recorder;
	t.tracees.alone = c->recorder ? &c->recorder->shared->variant.alone : NULL;
	tr = tracee_add(&t.tracees, c->pid, NULL);
	if (!tr)
		return -ENOMEM;
	policy_index_init(&t.policy, &c->start->rules);
	tr->process->loader = c->loader;
	if (c->recorder)
		r = collector_start(&t, c->recorder);
	if (r < 0) {
		t.err = r;
	} else {
		begin(&t, tr);
		loop(&t);
	}
	collector_stop(&t);
	tracer_stop_ticking(&t);
	kill_all(&t);
	t.deferred_tid = 0;
	leader_counts(t.leader, &t.counts.events, &t.counts.bytes);
	if (t.err == 0)
		stay_for_reports(&t);
	return t.err;
}
