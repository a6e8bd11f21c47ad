/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a process, which ends its threads wherever they are.
 *
 * Theory of operation. The leader's events say how far each of its threads came: after the last one
 * comes DEATH. The follower's threads have to come as far before they are ended, or calls would remain
 * that nobody has compared, and that an attacker could hide there. So what ends a process (exit_group,
 * execve, a fatal signal, a kill) waits until its other threads have nothing left but DEATH. A thread
 * that is computing then is ended where it is, for it has nothing more to say.
 */
#include "replay/elastic.h"
#include "replay/order.h"
#include "replay/replay.h"

#include "variant/proc.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static uint64_t signal_set(const struct fthread *f, const char *field)
{
	char text[4096], *line;
	uint64_t set = 0;

	if (proc_read(f->tid, "status", text, sizeof(text)) < 0)
		return 0;
	line = strstr(text, field);
	if (line)
		sscanf(line + strlen(field), "%" SCNx64, &set);
	return set;
}

bool replay_is_caught(const struct fthread *f, int signal)
{
	return signal_set(f, "\nSigCgt:") >> (signal - 1) & 1;
}

bool replay_is_blocked(const struct fthread *f, int signal)
{
	return signal_set(f, "\nSigBlk:") >> (signal - 1) & 1;
}

/* A thread that is still being made will have events of its own. */
static bool is_done(const struct fthread *f)
{
	return f->dead || (f->phase != PHASE_CLONE && stream_next(f->stream) == NEXT_DEATH);
}

bool replay_may_end(struct replay *rp, struct fthread *f)
{
	for (struct fthread *g = rp->threads.by_tid; g; g = g->hh.next) {
		if (g == f || g->process != f->process)
			continue;
		while (!g->dead && elastic_drop(rp, g))
			;
		if (is_done(g))
			continue;
		rp->settling = true;
		return false;
	}
	return true;
}

static bool is_held(const struct fthread *f)
{
	return f->stop == STOP_NOTIFY || f->stop == STOP_TRACE;
}

void replay_end(struct replay *rp, struct fthread *f)
{
	if (!replay_may_end(rp, f))
		return;
	if (f->phase == PHASE_EXEC) {
		replay_exec(rp, f);
	} else {
		f->process->ending = true;
		answer_continue(rp, f);
	}
}

/* f is the process's own doing: another thread of it has ended it, or is about to. */
static bool is_being_ended(const struct replay *rp, const struct fprocess *p)
{
	if (p->ending)
		return true;
	for (const struct fthread *f = rp->threads.by_tid; f; f = f->hh.next)
		if (f->process == p && (f->phase == PHASE_EXITING || f->phase == PHASE_EXEC ||
					f->sending || f->stop == STOP_SIGNAL))
			return true;
	return false;
}

/*
 * f cannot be ended yet: others have still something to do, for which they may need a lock that f has. If all
 * that f wants is the time, it goes on with an old one, up to a call that means something.
 */
static void read_meanwhile(struct replay *rp, struct fthread *f)
{
	if (f->stop != STOP_NOTIFY || f->call.id != CALL_CLOCK_GETTIME || !order_may_read(rp, f))
		return;
	f->phase = PHASE_NONE; /* the leader's thread was ended inside of the same call */
	elastic_answer(rp, f);
}

/* The leader's process was ended from outside, or by what its follower has not done. */
static void settle_death(struct replay *rp, struct fthread *f)
{
	struct event e = { .call = &f->leader };
	struct reader r;
	char text[64];

	if (!replay_may_end(rp, f)) {
		read_meanwhile(rp, f);
		return;
	}
	if (is_being_ended(rp, f->process))
		return;
	if (!stream_peek(f->stream, &r) || event_decode(&r, &e) < 0)
		return; /* replay_advance() says so */
	if (WIFSIGNALED(e.wait_status) && WTERMSIG(e.wait_status) == SIGKILL) {
		f->process->ending = true;
		kill(f->process->pid, SIGKILL);
	} else if (is_held(f) && !elastic_answer(rp, f)) {
		replay_describe_death((int)e.wait_status, text, sizeof(text));
		replay_diverge(rp, f, REPORT_CRASH_ONE_VARIANT, text, "goes on");
	}
}

/* A fatal signal of a thread that makes no call in which it could get it. */
static void settle_fatal(struct replay *rp, struct fthread *f)
{
	struct event e = { .call = &f->leader };
	struct reader r;

	if (f->stop != STOP_NONE) {
		replay_advance(rp, f);
		if (stream_next(f->stream) == NEXT_FATAL && !replay_may_end(rp, f))
			read_meanwhile(rp, f);
		return;
	}
	if (f->phase != PHASE_NONE || f->sending) {
		rp->settling = true; /* its call returns soon */
		return;
	}
	if (!replay_may_end(rp, f) || !stream_peek(f->stream, &r) || event_decode(&r, &e) < 0)
		return;
	f->process->ending = true;
	replay_taken(rp, f);
	replay_send_signal(rp, f, e.signal, e.siginfo);
}

static void settle_thread(struct replay *rp, struct fthread *f)
{
	if (f->dead || !f->canonical)
		return;
	if ((f->phase == PHASE_EXITING || f->phase == PHASE_EXEC) && is_held(f)) {
		replay_end(rp, f);
		return;
	}
	switch (stream_next(f->stream)) {
	case NEXT_FATAL:
		settle_fatal(rp, f);
		break;
	case NEXT_DEATH:
		settle_death(rp, f);
		break;
	default:
		if (f->stop == STOP_SIGNAL || f->early_since)
			replay_advance(rp, f);
	}
}

void replay_settle(struct replay *rp)
{
	struct fthread *f, *tmp;

	rp->settling = false;
	HASH_ITER(hh, rp->threads.by_tid, f, tmp)
	{
		if (rp->diverged || rp->err < 0)
			return;
		settle_thread(rp, f);
	}
}
