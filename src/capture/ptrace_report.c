/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's half of an alarm. */
#include "capture/ptrace.h"

#include "base/clock.h"
#include "match/report.h"
#include "variant/stack.h"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_DEADLINE_MS 300

static struct tracee *choose(struct tracer *t, uint32_t tid)
{
	struct tracee *tr = tracee_find(&t->tracees, (pid_t)tid);

	if (!tr)
		tr = tracee_find(&t->tracees, t->root);
	return tr ? tr : t->tracees.by_tid;
}

/* Brings a running thread to a stop. True: *ret_status is what waitpid(2) said, not yet handled. */
static bool interrupt(struct tracee *tr, int *ret_status)
{
	int64_t deadline = deadline_after_ms(STOP_DEADLINE_MS);

	if (ptrace(PTRACE_INTERRUPT, tr->tid, 0, 0) < 0)
		return false;
	while (deadline_left_ms(deadline) > 0) {
		if (waitpid(tr->tid, ret_status, __WALL | WNOHANG) == tr->tid)
			return true;
		usleep(1000);
	}
	return false;
}

bool tracer_accuse(struct tracer *t)
{
	struct tracee *tr = tracee_find(&t->tracees, t->forbidden_tid);
	struct strv frames = { 0 };
	struct writer w = { 0 };
	struct report r;

	t->forbidden_tid = 0;
	if (!tr)
		return false;
	report_init(&r, REPORT_POLICY_FORBIDDEN);
	r.tid = (uint32_t)tr->tid;
	r.position = t->position - 1;
	report_set_call(&r, SIDE_LEADER, &tr->call);
	report_set_history(&r, SIDE_LEADER, &t->history);
	stack_unwind(tr->tid, true, &frames);
	report_set_stack(&r, SIDE_LEADER, &frames);
	report_encode(&w, &r);
	leader_send(t->leader, FRAME_VERDICT, w.data, w.len);
	report_free(&r);
	strv_free(&frames);
	writer_free(&w);
	return true;
}

void tracer_report(struct tracer *t)
{
	struct tracee *tr = choose(t, leader_report_tid(t->leader));
	struct strv frames = { 0 };
	struct writer w = { 0 };
	struct report r;
	bool had_to_stop = false;
	int status = 0;

	report_init(&r, REPORT_NONE);
	report_set_history(&r, SIDE_LEADER, &t->history);
	if (tr) {
		r.threads = tr->process->most_threads;
		had_to_stop = !tr->stopped && interrupt(tr, &status);
		if (tr->stopped || (had_to_stop && WIFSTOPPED(status)))
			stack_unwind(tr->tid, true, &frames);
		report_set_stack(&r, SIDE_LEADER, &frames);
	}
	report_encode(&w, &r);
	leader_send(t->leader, FRAME_REPORTED, w.data, w.len);
	if (had_to_stop) {
		t->deferred_tid = tr->tid;
		t->deferred_status = status;
	}
	report_free(&r);
	strv_free(&frames);
	writer_free(&w);
}
