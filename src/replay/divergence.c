/* SPDX-License-Identifier: Apache-2.0 */
/* The follower's half of an alarm. */
#include "replay/elastic.h"
#include "replay/replay.h"

#include "base/clock.h"
#include "variant/stack.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_DEADLINE_MS 300
/* A leader that computes on an emulated CPU may take long to reach the fault that its follower had. */
#define FAULT_GRACE_MS 10000
#define DEATH_GRACE_MS 1000
#define READING_GRACE_MS 1000
/* What one look counts at most: while this process, the machine or the link's other end did not run,
 * nobody could have sent anything. */
#define READING_STEP_MS 150

/* Brings a thread that waits for an answer to a stop at which its registers are known, before it runs
 * any instruction. */
static bool stop_for_unwind(struct replay *rp, struct fthread *f)
{
	int64_t deadline = deadline_after_ms(STOP_DEADLINE_MS);
	int status;

	if (f->dead)
		return false;
	if (f->stop == STOP_TRACE || f->stop == STOP_SIGNAL)
		return true;
	if (ptrace(PTRACE_INTERRUPT, f->tid, 0, 0) < 0)
		return false;
	if (f->stop == STOP_NOTIFY)
		answer_restart(rp, f);
	while (deadline_left_ms(deadline) > 0) {
		if (waitpid(f->tid, &status, __WALL | WNOHANG) == f->tid)
			return WIFSTOPPED(status);
		usleep(1000);
	}
	return false;
}

static void send_verdict(struct replay *rp, struct fthread *f, struct report *r)
{
	struct strv frames = { 0 };
	struct writer w = { 0 };

	rp->diverged = true;
	r->tid = f->canonical;
	r->position = f->position;
	r->threads = f->process->most_threads;
	if (stop_for_unwind(rp, f))
		stack_unwind(f->tid, true, &frames);
	report_set_stack(r, SIDE_FOLLOWER, &frames);
	report_set_history(r, SIDE_FOLLOWER, &f->history);
	report_encode(&w, r);
	if (link_send(rp->link, FRAME_VERDICT, w.data, w.len) < 0)
		rp->err = -EPIPE;
	link_flush(rp->link);
	writer_free(&w);
	strv_free(&frames);
	report_free(r);
}

void replay_diverge_call(struct replay *rp, struct fthread *f, const struct call_mismatch *m)
{
	struct report r;

	report_init(&r, REPORT_DIVERGENCE_CALL);
	report_set_mismatch(&r, m, &f->leader, &f->call);
	send_verdict(rp, f, &r);
}

/* Its stack is not looked at: the thread goes on. */
void replay_notice(struct replay *rp, struct fthread *f, const struct call_mismatch *m)
{
	uint8_t bit = (uint8_t)(1u << (f->call.id % 8));
	struct writer w = { 0 };
	struct report r;

	if (rp->noticed[f->call.id / 8] & bit)
		return;
	rp->noticed[f->call.id / 8] |= bit;
	report_init(&r, REPORT_DIVERGENCE_CALL);
	report_set_mismatch(&r, m, &f->leader, &f->call);
	r.tid = f->canonical;
	r.position = f->position;
	report_set_history(&r, SIDE_FOLLOWER, &f->history);
	report_encode(&w, &r);
	if (link_send(rp->link, FRAME_NOTICE, w.data, w.len) < 0 || link_flush(rp->link) < 0)
		rp->err = -EPIPE;
	writer_free(&w);
	report_free(&r);
}

void replay_diverge(struct replay *rp, struct fthread *f, enum report_rule rule,
		    const char *leader_did, const char *follower_did)
{
	struct report r;

	report_init(&r, rule);
	if (leader_did)
		report_set_did(&r, SIDE_LEADER, "%s", leader_did);
	if (follower_did)
		report_set_did(&r, SIDE_FOLLOWER, "%s", follower_did);
	if (!f->dead && (f->stop == STOP_NOTIFY || f->stop == STOP_TRACE))
		report_set_call(&r, SIDE_FOLLOWER, &f->call);
	send_verdict(rp, f, &r);
}

static bool overdue(const struct fthread *f, int64_t now)
{
	struct reader next;
	int64_t grace = f->stop == STOP_SIGNAL ? FAULT_GRACE_MS : DEATH_GRACE_MS;

	if (!f->canonical || f->process->ending || (!f->dead && f->stop != STOP_SIGNAL))
		return false;
	return f->tid == f->process->pid && !stream_peek(f->stream, &next) &&
	       now - f->waiting_since > grace;
}

/* The leader may be idle where its follower has a look at the clock. Too early is worse than late: if the
 * leader's own reading is only on its way, the two go on with different values. */
static void answer_readings(struct replay *rp, int64_t now)
{
	int64_t step = now - rp->readings_at;
	struct reader next;

	rp->readings_at = now;
	for (struct fthread *f = rp->threads.by_tid; f; f = f->hh.next) {
		if (f->stop != STOP_NOTIFY || stream_peek(f->stream, &next)) {
			f->idle_ms = 0;
			continue;
		}
		f->idle_ms += step < READING_STEP_MS ? step : READING_STEP_MS;
		if (f->idle_ms > READING_GRACE_MS && now - f->waiting_since > READING_GRACE_MS &&
		    elastic_answer(rp, f))
			f->idle_ms = 0;
	}
}

void replay_check_deadlines(struct replay *rp)
{
	int64_t now = time_now_ms();

	answer_readings(rp, now);

	for (struct fthread *f = rp->threads.by_tid; f && !rp->diverged; f = f->hh.next) {
		char own[64];
		int signal;

		if (!overdue(f, now))
			continue;
		if (f->dead && WIFEXITED(f->wait_status)) /* its exit call was equal */
			continue;
		signal = f->dead ? WTERMSIG(f->wait_status) : f->fault;
		snprintf(own, sizeof(own), f->dead ? "killed by SIG%s" : "got SIG%s",
			 sigabbrev_np(signal) ?: "?");
		replay_diverge(rp, f, REPORT_CRASH_ONE_VARIANT, "goes on", own);
	}
}
