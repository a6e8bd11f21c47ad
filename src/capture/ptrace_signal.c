/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals of the leader.
 *
 * A handler may run only where every variant can run it: at a call. An asynchronous signal that finds
 * the thread in user code is therefore put aside and sent again when the thread enters its next
 * compared call, before that call is executed; the call instruction is repeated after the handler.
 * A call that may block is executed with the signal pending instead, as if it had come a moment later:
 * a program that looks for what its handler did only when its wait returns EINTR would else sleep on.
 * A signal that interrupts a blocking call is delivered there, with the outcome that the kernel gives
 * that call (EINTR or restart, signal(7)). Faults and fatal signals are delivered at once.
 */
#include "capture/ptrace.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ERESTARTSYS 512
#define ERESTARTNOINTR 513

/* struct sigaction as rt_sigaction(2) takes it; equal on both ISAs up to the flags. */
struct kernel_sigaction {
	uint64_t handler;
	uint64_t flags;
};

_Static_assert(sizeof(siginfo_t) == EVENT_SIGINFO_SIZE, "siginfo_t is 128 bytes");

void tracee_note_handler(struct tracee *tr)
{
	unsigned signal = (unsigned)tr->native.arg[0];
	struct kernel_sigaction sa;

	if (!tr->native.arg[1] || signal == 0 || signal >= NSIG)
		return;
	if (tr->mem.mem.read(&tr->mem.mem, tr->native.arg[1], &sa, sizeof(sa)) != sizeof(sa))
		return;
	tr->process->handlers[signal] = (struct handler){
		.installed = sa.handler > 1,
		.ignored = sa.handler == 1,
		.restart = sa.flags & SA_RESTART,
	};
}

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

/* signal(7): what happens without a handler. */
static bool default_is_harmless(int signal)
{
	switch (signal) {
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
	case SIGCONT:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return true;
	default:
		return false;
	}
}

static void emit_signal(struct tracer *t, struct tracee *tr, enum signal_when when, int signal,
			const siginfo_t *info)
{
	leader_signal(t->leader, (uint32_t)tr->tid, when, signal, info);
}

static bool call_restarts(const struct tracee *tr, const struct handler *h)
{
	if (tr->held_ret == -ERESTARTSYS)
		return h->restart;
	return tr->held_ret == -ERESTARTNOINTR;
}

/* The thread is on its way out of a call that was interrupted, or has sent the signal. */
static void deliver_in_call(struct tracer *t, struct tracee *tr, int signal, const siginfo_t *info)
{
	const struct handler *h = &tr->process->handlers[signal];

	if (call_restarts(tr, h)) {
		leader_cancel(t->leader, &tr->slot);
		emit_signal(t, tr, SIGNAL_BEFORE, signal, info);
		tr->state = TRACEE_RUNNING;
	} else {
		emit_signal(t, tr, SIGNAL_AT_EXIT, signal, info);
		tracee_emit_held(t, tr);
	}
	tracee_continue(tr, signal);
}

/* The kernel ends the process: no handler, and no call of it returns any more. */
static void deliver_fatal(struct tracer *t, struct tracee *tr, int signal, const siginfo_t *info)
{
	if (tr->state == TRACEE_HELD && !result_restarts(tr->held_ret) && tr->held_ret != -EINTR)
		tracee_emit_held(t, tr);
	else
		leader_cancel(t->leader, &tr->slot);
	if (tr->state == TRACEE_HELD)
		tr->state = TRACEE_RUNNING; /* its death leaves no call open */
	emit_signal(t, tr, SIGNAL_FATAL, signal, info);
	tracee_continue(tr, signal);
}

static bool any_handled(const struct tracee *tr, bool shared, uint64_t blocked)
{
	struct __ptrace_peeksiginfo_args args = {
		.flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0,
		.nr = PENDING_SIGNALS_MAX,
	};
	siginfo_t info[PENDING_SIGNALS_MAX];
	long n = ptrace(PTRACE_PEEKSIGINFO, tr->tid, &args, info);

	for (long i = 0; i < n; i++) {
		int signal = info[i].si_signo;

		if (signal > 0 && signal < NSIG && !(blocked >> (signal - 1) & 1) &&
		    !tr->process->handlers[signal].ignored)
			return true;
	}
	return false;
}

bool tracee_has_signal(const struct tracee *tr)
{
	uint64_t blocked = 0;

	if (ptrace(PTRACE_GETSIGMASK, tr->tid, sizeof(blocked), &blocked) < 0)
		return false;
	return any_handled(tr, false, blocked) || any_handled(tr, true, blocked);
}

static void put_aside(struct tracee *tr, const siginfo_t *info)
{
	/* Beyond the bound they are lost like a second pending instance of a standard signal. */
	if (tr->n_pending < PENDING_SIGNALS_MAX)
		tr->pending[tr->n_pending++] = *info;
	tracee_continue(tr, 0);
}

/* No handler runs: followers need not know. An interrupted call returns or goes on by itself. */
static void deliver_harmless(struct tracer *t, struct tracee *tr, int signal)
{
	if (tr->state == TRACEE_HELD && !result_restarts(tr->held_ret))
		tracee_emit_held(t, tr);
	tracee_continue(tr, signal);
}

/* The kernel's program has stopped the thread (record.bpf.c); what it was for is done. */
static void tracee_swallow_stop(struct tracer *t, struct tracee *tr)
{
	if (tr->state == TRACEE_HELD && !result_restarts(tr->held_ret) && !tracee_has_signal(tr))
		tracee_emit_held(t, tr);
	tracee_continue(tr, 0);
}

void tracee_at_signal(struct tracer *t, struct tracee *tr, int signal)
{
	const struct handler *h = &tr->process->handlers[signal];
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, tr->tid, 0, &info) < 0)
		return; /* killed meanwhile */
	if (tr->redelivered == signal) {
		tr->redelivered = 0;
		info = tr->redelivered_info;
		ptrace(PTRACE_SETSIGINFO, tr->tid, 0, &info);
	}
	if (tr->recording && signal == SIGSTOP && info.si_code == SI_KERNEL) {
		tracee_swallow_stop(t, tr);
		return;
	}
	if (is_fault(signal, &info)) {
		emit_signal(t, tr, SIGNAL_FAULT, signal, &info);
		tracee_continue(tr, signal);
	} else if (h->ignored || (!h->installed && default_is_harmless(signal))) {
		deliver_harmless(t, tr, signal);
	} else if (!h->installed) {
		deliver_fatal(t, tr, signal, &info);
	} else if (tr->state == TRACEE_HELD) {
		deliver_in_call(t, tr, signal, &info);
	} else if (tr->at_boundary) {
		tr->at_boundary = false;
		emit_signal(t, tr, SIGNAL_BEFORE, signal, &info);
		tracee_continue(tr, signal);
	} else {
		put_aside(tr, &info);
	}
}

void tracee_send_pending(struct tracee *tr)
{
	siginfo_t info = tr->pending[0];

	tr->n_pending--;
	memmove(tr->pending, tr->pending + 1, tr->n_pending * sizeof(tr->pending[0]));
	tr->redelivered = info.si_signo;
	tr->redelivered_info = info;
	syscall(SYS_tgkill, tr->process->pid, tr->tid, info.si_signo);
}

void tracee_deliver_pending(struct tracee *tr, struct isa_regs *regs)
{
	if (isa_syscall_rewind(tr->tid, regs, (int)tr->native.nr) < 0)
		return; /* killed meanwhile */
	tracee_send_pending(tr);
	tr->at_boundary = true;
	tracee_continue(tr, 0);
}
