/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls under way. A call has a record when it ends; the one that a thread sleeps in is found by looking
 * at the thread. It is still in that call, and in none after it, if it was seen there twice and the ring,
 * emptied afterwards, holds no record of it: a call that had ended would be there.
 */
#include "capture/bpf/collect.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "calls/recorded.h"
#include "capture/ptrace.h"
#include "variant/decide.h"
#include "variant/proc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOOK_AFTER_MS 8
#define LOOK_MAX_MS   250 /* as long as it is in user code, or in a call that is nobody's business */

/* proc(5): "running", or the number, six arguments, sp and pc in hex. False: it is not in a call. */
static bool read_syscall(pid_t tid, struct native_call *ret)
{
	char path[64], text[256];
	cleanup_close int fd = -1;
	struct native_call n = { .isa = isa_native };
	uint64_t sp;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len] = 0;
	if (sscanf(text,
		   "%ld 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64
		   " 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64,
		   &n.nr, &n.arg[0], &n.arg[1], &n.arg[2], &n.arg[3], &n.arg[4], &n.arg[5], &sp,
		   &n.pc) != 9)
		return false;
	*ret = n;
	return true;
}

static bool same_call(const struct native_call *a, const struct native_call *b)
{
	return a->nr == b->nr && a->pc == b->pc && !memcmp(a->arg, b->arg, sizeof(a->arg));
}

static bool is_recorded(struct native_call *n)
{
	return call_resolve(n) == 0 && call_is_recorded(n->isa, n->row, n->arg);
}

static bool is_compared(const struct tracer *t, const struct tracee *tr)
{
	return call_decide(&tr->native, &tr->call, tr->process->vdt, &tr->process->loader,
			   t->start->local)
		       .decision == DECIDE_COMPARE;
}

/* At the entry stop of a call that is not executed yet: the tracer waits for us to handle it, so this is
 * still so if it was when the call was read. */
static bool is_at_stop(pid_t tid)
{
	char state;

	return proc_state(tid, &state) < 0 || state == 't';
}

/* True: the thread's call is in tr->call, and it was in that call when the ring was empty. */
static bool find_call(struct tracer *t, struct tracee *tr)
{
	struct native_call now, again;
	uint64_t taken = tr->recording->taken;
	bool known; /* the call that was interrupted goes on */

	if (!read_syscall(tr->tid, &now) || !is_recorded(&now) || is_at_stop(tr->tid))
		return false;
	known = tr->state == TRACEE_HELD && result_restarts(tr->held_ret) &&
		now.nr == tr->native.nr;
	if (!known) {
		if (tr->state == TRACEE_HELD)
			tracee_emit_held(t, tr);
		tr->native = now;
		if (call_capture_in(&tr->cx, &tr->native, &tr->call) < 0 || !is_compared(t, tr))
			return false;
	}
	if (!read_syscall(tr->tid, &again) || !same_call(&now, &again))
		return false;
	collector_drain(t);
	if (tr->recording->taken != taken || tr->recording->incomplete)
		return false;
	if (!known)
		history_add(&t->history, &tr->call, t->position++);
	return true;
}

static void look_at(struct tracer *t, struct tracee *tr)
{
	struct recording *rec = tr->recording;

	if (find_call(t, tr))
		leader_block(t->leader, &tr->slot, &tr->call);
	else if (rec->look_after < LOOK_MAX_MS)
		rec->look_after *= 2;
	rec->look_at = deadline_after_ms(rec->look_after);
}

/* A thread in the tracer's hands is known, and so is one whose call was announced. */
static bool is_of_interest(const struct tracee *tr)
{
	return (tr->state == TRACEE_RUNNING || tr->state == TRACEE_HELD) && !tr->stopped &&
	       !tr->slot.announced && tr->recording && !tr->recording->incomplete &&
	       !tr->recording->entered;
}

int collector_look(struct tracer *t)
{
	int64_t now = time_now_ms(), next = INT64_MAX;
	struct tracee *tr, *tmp;

	HASH_ITER(hh, t->tracees.by_tid, tr, tmp)
	{
		struct recording *rec = tr->recording;

		if (!is_of_interest(tr))
			continue;
		if (rec->look_at == 0) {
			rec->look_after = LOOK_AFTER_MS;
			rec->look_at = now + LOOK_AFTER_MS;
		} else if (rec->look_at <= now) {
			look_at(t, tr);
		}
		if (rec->look_at && rec->look_at < next)
			next = rec->look_at;
	}
	return next == INT64_MAX ? -1 : deadline_left_ms(next);
}
