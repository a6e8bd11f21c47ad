/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals of a follower. Only two kinds reach its program: those that the leader's thread got, sent
 * here at the same call boundary (or, when it made no call for long, at an unknown place before its next
 * one), and faults that the leader's thread had too. Everything else that
 * the follower's own kernel sends (SIGCHLD of its own children) is dropped: the leader's counterpart
 * comes as an event.
 *
 * Some calls wait with a signal mask of their own (sigsuspend, ppoll): the signal that ends them is
 * blocked before and after. Only the kernel can run a handler under such a mask, so the follower's
 * executes the wait too: rt_sigsuspend(2) as it is, any other as one, with the signal pending.
 */
#include "replay/replay.h"

#include "isa/cpu.h"

#include "base/clock.h"
#include "replay/timer.h"
#include "variant/proc.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_fault(int signal, const siginfo_t *info)
{
	switch (signal) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGTRAP:
	case SIGSYS:
		return info->si_code > 0; /* raised by the kernel for what the thread did */
	default:
		return false;
	}
}

/* The leader's thread got it before it came to a place where it blocks all signals, as
 * pthread_create(3) does around clone(2); this one is there already, and would wait for ever. */
void replay_unblock(const struct fthread *f, int signal)
{
	uint64_t blocked;

	if (f->stop != STOP_TRACE ||
	    ptrace(PTRACE_GETSIGMASK, f->tid, sizeof(blocked), &blocked) < 0)
		return;
	blocked &= ~(UINT64_C(1) << (signal - 1));
	ptrace(PTRACE_SETSIGMASK, f->tid, sizeof(blocked), &blocked);
}

void replay_send_signal(struct replay *rp, struct fthread *f, int signal, const void *siginfo)
{
	f->sending = signal;
	memcpy(&f->sending_info, siginfo, sizeof(f->sending_info));
	timer_own_value(f, (uint8_t *)&f->sending_info);
	syscall(SYS_tgkill, f->process->pid, f->tid, signal);
}

/* Where the call's own mask is in memory; 0: it has none. */
static uint64_t own_mask(struct fthread *f)
{
	const uint64_t *arg = f->native.arg;
	uint64_t pair[2];

	if (f->native.row != f->native.canon)
		return 0; /* poll, select, epoll_wait, pause: forms without a mask */
	switch (f->leader.id) {
	case CALL_RT_SIGSUSPEND:
		return arg[0];
	case CALL_PPOLL:
		return arg[3];
	case CALL_EPOLL_PWAIT:
	case CALL_EPOLL_PWAIT2:
		return arg[4];
	case CALL_PSELECT6:
		if (arg[5] && f->mem.mem.read(&f->mem.mem, arg[5], pair, sizeof(pair)) == sizeof(pair))
			return pair[0];
		return 0;
	default:
		return 0;
	}
}

bool replay_signal_at_exit(struct replay *rp, struct fthread *f)
{
	uint64_t mask = f->leader.ret == -EINTR && f->stop == STOP_NOTIFY ? own_mask(f) : 0;
	int signal = f->at_exit;
	bool blocked = mask && replay_is_blocked(f, signal);

	f->at_exit = 0;
	replay_send_signal(rp, f, signal, &f->at_exit_info);
	if (!blocked)
		return false;
	f->phase = PHASE_SUSPEND;
	if (f->leader.id == CALL_RT_SIGSUSPEND) {
		answer_continue(rp, f);
		return true;
	}
	f->suspend_mask = mask;
	ptrace(PTRACE_INTERRUPT, f->tid, 0, 0);
	answer_restart(rp, f);
	return true;
}

void replay_begin_suspend(struct fthread *f)
{
	struct isa_regs regs;

	if (isa_regs_get(f->tid, &regs) < 0)
		return; /* killed meanwhile */
	isa_regs_set_restart_nr(&regs, call_rows[CALL_RT_SIGSUSPEND].nr[isa_native]);
	isa_regs_set_arg(&regs, 0, f->suspend_mask);
	isa_regs_set_arg(&regs, 1, sizeof(uint64_t));
	isa_regs_set(f->tid, &regs);
	f->suspend_mask = 0;
	ptrace(PTRACE_CONT, f->tid, 0, 0);
}

/* The handler's frame keeps the registers of the call that the program made. */
static void end_suspend(struct fthread *f)
{
	struct isa_regs regs;

	f->phase = PHASE_NONE;
	if (isa_regs_get(f->tid, &regs) < 0)
		return;
	for (int i = 0; i < CALL_ARGS_MAX; i++)
		isa_regs_set_arg(&regs, i, f->native.arg[i]);
	isa_regs_set_restart_nr(&regs, f->native.nr);
	isa_regs_set(f->tid, &regs);
}

void replay_at_signal(struct replay *rp, struct fthread *f, int signal)
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, f->tid, 0, &info) < 0)
		return; /* killed meanwhile */
	if (counter_answer(&f->counter, f->tid, &info) ||
	    loader_leave(&f->process->loader, f->tid, &info)) {
		ptrace(PTRACE_CONT, f->tid, 0, 0);
	} else if (f->sending == signal && !is_fault(signal, &info)) {
		f->sending = 0;
		f->in_code = false;
		if (f->phase == PHASE_SUSPEND)
			end_suspend(f);
		ptrace(PTRACE_SETSIGINFO, f->tid, 0, &f->sending_info);
		ptrace(PTRACE_CONT, f->tid, 0, (void *)(long)signal);
	} else if (signal == SIGSEGV && is_fault(signal, &info) && isa_cpu_emulate(f->tid)) {
		ptrace(PTRACE_CONT, f->tid, 0, 0);
	} else if (is_fault(signal, &info)) {
		f->stop = STOP_SIGNAL;
		f->fault = signal;
		f->fault_info = info;
		f->waiting_since = time_now_ms();
		replay_advance(rp, f);
	} else {
		ptrace(PTRACE_CONT, f->tid, 0, 0);
	}
}

/* As the leader's thread, it computes or sleeps in a futex. Until then it may come to its next call, which is
 * the better place. */
static bool has_waited(struct fthread *f, int64_t now)
{
	char state;

	if (!f->in_code_since) {
		f->in_code_since = now;
		f->in_code_ns = proc_run_ns(f->tid);
		return false;
	}
	return (now > f->in_code_since && proc_state(f->tid, &state) == 0 && state == 'S') ||
	       proc_run_ns(f->tid) - f->in_code_ns > 2 * IN_CODE_AFTER_MS * 1000000;
}

void replay_send_in_code(struct replay *rp)
{
	int64_t now = time_now_ms();

	for (struct fthread *f = rp->threads.by_tid; f; f = f->hh.next) {
		struct event e = { .call = &f->leader };
		struct reader r;

		if (f->dead || f->stop != STOP_NONE || f->phase != PHASE_NONE || f->sending || !f->canonical ||
		    stream_next(f->stream) != NEXT_IN_CODE || !has_waited(f, now) ||
		    !stream_peek(f->stream, &r) || event_decode(&r, &e) < 0)
			continue;
		f->in_code_since = 0;
		f->in_code = true;
		replay_taken(rp, f);
		replay_send_signal(rp, f, e.signal, e.siginfo);
	}
}
