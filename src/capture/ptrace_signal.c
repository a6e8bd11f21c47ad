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

#include "isa/cpu.h"

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
		.once = sa.flags & SA_RESETHAND,
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

static bool stops_or_continues(int signal)
{
	switch (signal) {
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

/* signal(7): what happens without a handler. */
static bool default_is_harmless(int signal)
{
	return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH ||
	       stops_or_continues(signal);
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

/* Nothing of the program runs for it, and nothing ends. */
static bool is_harmless(const struct tracee *tr, int signal)
{
	const struct handler *h = &tr->process->handlers[signal];

	return h->ignored || (!h->installed && default_is_harmless(signal));
}

/* Into the kernel, which runs the handler. */
static void deliver(struct tracee *tr, int signal)
{
	struct handler *h = &tr->process->handlers[signal];

	if (h->once)
		*h = (struct handler){ 0 };
	tracee_continue(tr, signal);
}

/* The thread is on its way out of a call that was interrupted, or has sent the signal. */
static void deliver_in_call(struct tracer *t, struct tracee *tr, int signal, const siginfo_t *info)
{
	const struct handler *h = &tr->process->handlers[signal];

	tr->rewound = false;
	if (call_restarts(tr, h)) {
		leader_cancel(t->leader, &tr->slot);
		emit_signal(t, tr, SIGNAL_BEFORE, signal, info);
		tr->state = TRACEE_RUNNING;
	} else {
		emit_signal(t, tr, SIGNAL_AT_EXIT, signal, info);
		tracee_emit_held(t, tr);
	}
	deliver(tr, signal);
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

/* Of the signals that wait; the kernel says them in the order of their coming. */
#define PEEKED_MAX 64

static bool any_handled(const struct tracee *tr, bool shared, uint64_t blocked)
{
	struct __ptrace_peeksiginfo_args args = {
		.flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0,
		.nr = PEEKED_MAX,
	};
	siginfo_t info[PEEKED_MAX];
	long n = ptrace(PTRACE_PEEKSIGINFO, tr->tid, &args, info);

	for (long i = 0; i < n; i++) {
		int signal = info[i].si_signo;

		if (signal > 0 && signal < NSIG && !(blocked >> (signal - 1) & 1) &&
		    !is_harmless(tr, signal))
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

/* signal(7), "EINTR whatever SA_RESTART says", as far as the kernel does not begin the call anew when no
 * handler runs. */
static bool ends_for_good(const struct tracee *tr)
{
	switch (call_row_id(tr->native.canon)) {
	case CALL_EPOLL_PWAIT:
	case CALL_EPOLL_PWAIT2:
		return tr->call.arg[4] == 0; /* with a mask of its own the call has that one */
	case CALL_RT_SIGTIMEDWAIT:
	case CALL_SEMOP:
	case CALL_SEMTIMEDOP:
		return true;
	default:
		return false;
	}
}

void tracee_mask_ignored(struct tracee *tr)
{
	uint64_t mask;

	if (!ends_for_good(tr) ||
	    ptrace(PTRACE_GETSIGMASK, tr->tid, sizeof(mask), &tr->mask_before) < 0)
		return;
	mask = tr->mask_before;
	for (int i = 1; i < NSIG; i++)
		if (is_harmless(tr, i) && !stops_or_continues(i))
			mask |= (uint64_t)1 << (i - 1);
	tr->masks_ignored = mask != tr->mask_before &&
			    ptrace(PTRACE_SETSIGMASK, tr->tid, sizeof(mask), &mask) == 0;
}

void tracee_unmask_ignored(struct tracee *tr)
{
	if (tr->masks_ignored)
		ptrace(PTRACE_SETSIGMASK, tr->tid, sizeof(tr->mask_before), &tr->mask_before);
	tr->masks_ignored = false;
}

/*
 * A recorded call had no entry stop at which ignored signals could be masked. It is executed anew by the
 * tracer, which does that: it may last longer by what it had waited already. True: the thread is continued.
 */
static bool execute_anew(struct tracee *tr, int signal)
{
	struct isa_regs regs;

	if (tr->rewound) {
		tracee_continue_to_exit(tr, signal);
		return true;
	}
	if (!tr->recording || tr->state != TRACEE_HELD || tr->held_ret != -EINTR || !ends_for_good(tr) ||
	    tracee_has_signal(tr) || isa_regs_get(tr->tid, &regs) < 0)
		return false;
	isa_regs_set_arg(&regs, 0, tr->native.arg[0]);
	if (isa_syscall_rewind(tr->tid, &regs, (int)tr->native.nr) < 0)
		return false;
	tr->held_ret = -ERESTARTNOINTR;
	tr->rewound = true;
	tracee_continue_to_exit(tr, signal);
	return true;
}

/* No handler runs: followers need not know. An interrupted call returns or goes on by itself; its event
 * waits while another signal is still to come. */
static void deliver_harmless(struct tracer *t, struct tracee *tr, int signal)
{
	/* A stop ends such calls also when it goes on (signal(7)). */
	if (!stops_or_continues(signal) && execute_anew(tr, signal))
		return;
	if (tr->state == TRACEE_HELD && !result_restarts(tr->held_ret) && !tracee_has_signal(tr))
		tracee_emit_held(t, tr);
	tracee_continue(tr, signal);
}

/* The kernel's program has stopped the thread (record.bpf.c); what it was for is done. Its event is in the
 * stream: the thread makes no further ones until the followers have come as far. */
void tracee_swallow_stop(struct tracer *t, struct tracee *tr)
{
	tr->waits_for_room = !leader_has_room(t->leader);
	if (tr->waits_for_room || execute_anew(tr, 0))
		return;
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
	tracee_restore_siginfo(tr, &info);
	if (tr->recording && signal == SIGSTOP && info.si_code == SI_KERNEL) {
		tracee_swallow_stop(t, tr);
		return;
	}
	if (counter_answer(&tr->counter, tr->tid, &info) ||
	    loader_leave(&tr->process->loader, tr->tid, &info) ||
	    (signal == SIGSEGV && is_fault(signal, &info) && isa_cpu_emulate(tr->tid))) {
		tracee_continue(tr, 0);
	} else if (is_fault(signal, &info)) {
		emit_signal(t, tr, SIGNAL_FAULT, signal, &info);
		tracee_continue(tr, signal);
	} else if (is_harmless(tr, signal)) {
		deliver_harmless(t, tr, signal);
	} else if (!h->installed) {
		deliver_fatal(t, tr, signal, &info);
	} else if (tr->state == TRACEE_HELD) {
		deliver_in_call(t, tr, signal, &info);
	} else if (tr->at_boundary) {
		tr->at_boundary = false;
		emit_signal(t, tr, SIGNAL_BEFORE, signal, &info);
		deliver(tr, signal);
	} else if (tr->in_code && tr->state == TRACEE_RUNNING) {
		tr->in_code = false;
		emit_signal(t, tr, SIGNAL_IN_CODE, signal, &info);
		deliver(tr, signal);
	} else {
		tracee_put_aside(t, tr, &info);
	}
}
