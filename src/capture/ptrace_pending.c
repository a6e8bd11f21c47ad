/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals of the leader that found their thread in user code: they are put aside, and sent again where
 * they may come.
 *
 * Theory of operation. That is at the entry of the thread's next compared call. The call comes again
 * after the handler, and it has to be executed in the end however fast signals rain: of a standard signal
 * one is delivered at a boundary, like one that is pending twice. A thread that makes no compared call is
 * sent its signal where it is: at once when it sleeps (in a futex, which is local), else when it has
 * computed for IN_CODE_AFTER_MS. Followers do the same at an unknown other instruction, so a handler that
 * does more than to tell that it was run may then make a difference.
 */
#include "capture/ptrace.h"

#include "base/clock.h"
#include "variant/proc.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TICK_MS 20
#define FIRST_QUEUED 32	  /* SIGRTMIN of the kernel: standard signals are pending once only */
#define BOUNDARY_MAX 64u  /* deliveries before a call that has to be executed in the end */

static uint64_t bit(int signal)
{
	return (uint64_t)1 << (signal - 1);
}

static bool is_queued(int signal)
{
	return signal >= FIRST_QUEUED;
}

static bool is_pending(const struct pending_signals *p, int signal)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->info[i].si_signo == signal)
			return true;
	return false;
}

static bool grow(struct pending_signals *p)
{
	unsigned cap = p->cap ? 2 * p->cap : 4;
	siginfo_t *info;

	if (p->n < p->cap)
		return true;
	if (cap > PENDING_SIGNALS_MAX)
		return false;
	info = realloc(p->info, cap * sizeof(*info));
	if (!info)
		return false;
	p->info = info;
	p->cap = cap;
	return true;
}

static void start_ticking(struct tracer *t)
{
	const struct itimerspec every = { { 0, TICK_MS * 1000000 }, { 0, TICK_MS * 1000000 } };
	struct sigevent sev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };

	if (t->ticking)
		return;
	if (!t->has_timer) {
		sev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
		t->has_timer = timer_create(CLOCK_MONOTONIC, &sev, &t->timer) == 0;
	}
	t->ticking = t->has_timer && timer_settime(t->timer, 0, &every, NULL) == 0;
}

static void pause_ticking(struct tracer *t)
{
	const struct itimerspec off = { 0 };

	timer_settime(t->timer, 0, &off, NULL);
	t->ticking = false;
}

void tracer_stop_ticking(struct tracer *t)
{
	if (t->has_timer)
		timer_delete(t->timer);
	t->has_timer = false;
	t->ticking = false;
}

void tracee_put_aside(struct tracer *t, struct tracee *tr, const siginfo_t *info)
{
	struct pending_signals *p = &tr->pending;

	if ((is_queued(info->si_signo) || !is_pending(p, info->si_signo)) && grow(p)) {
		if (p->n == 0) {
			p->since = time_now_ms();
			p->since_ns = proc_run_ns(tr->tid);
		}
		p->info[p->n++] = *info;
		start_ticking(t);
	}
	tracee_continue(tr, 0);
}

static siginfo_t take(struct pending_signals *p, unsigned i)
{
	siginfo_t info = p->info[i];

	p->n--;
	memmove(p->info + i, p->info + i + 1, (p->n - i) * sizeof(*p->info));
	return info;
}

/* rt_sigqueueinfo(2) lets nobody pretend to be the kernel or kill(2): such a signal is sent as our own,
 * and tracee_restore_siginfo() knows what it was. */
static void send_again(struct tracee *tr, siginfo_t *info)
{
	struct pending_signals *p = &tr->pending;

	if (info->si_code < 0 && info->si_code != SI_TKILL &&
	    syscall(SYS_rt_tgsigqueueinfo, tr->process->pid, tr->tid, info->si_signo, info) == 0)
		return;
	if (!p->resent)
		p->resent = calloc(NSIG, sizeof(*p->resent));
	if (p->resent)
		p->resent[info->si_signo] = *info;
	syscall(SYS_tgkill, tr->process->pid, tr->tid, info->si_signo);
}

void tracee_restore_siginfo(struct tracee *tr, siginfo_t *info)
{
	siginfo_t *was = tr->pending.resent ? &tr->pending.resent[info->si_signo] : NULL;

	if (!was || !was->si_signo || info->si_code != SI_TKILL || info->si_pid != getpid())
		return;
	*info = *was;
	was->si_signo = 0;
	ptrace(PTRACE_SETSIGINFO, tr->tid, 0, info);
}

bool tracee_send_pending(struct tracee *tr)
{
	struct pending_signals *p = &tr->pending;
	siginfo_t info;

	p->sent_here = 0;
	p->n_sent_here = 0;
	if (p->n == 0)
		return false;
	info = take(p, 0);
	send_again(tr, &info);
	return true;
}

/* The first one that was not delivered here before. */
static int choose(const struct pending_signals *p)
{
	for (unsigned i = 0; i < p->n && p->n_sent_here < BOUNDARY_MAX; i++)
		if (!(p->sent_here & bit(p->info[i].si_signo)))
			return (int)i;
	return -1;
}

bool tracee_deliver_pending(struct tracee *tr, struct isa_regs *regs)
{
	struct pending_signals *p = &tr->pending;
	int i = choose(p);
	siginfo_t info;

	if (i < 0) {
		p->sent_here = 0;
		p->n_sent_here = 0;
		return false;
	}
	if (isa_syscall_rewind(tr->tid, regs, (int)tr->native.nr) < 0)
		return true; /* killed meanwhile */
	info = take(p, (unsigned)i);
	if (!is_queued(info.si_signo))
		p->sent_here |= bit(info.si_signo);
	p->n_sent_here++;
	send_again(tr, &info);
	tr->at_boundary = true;
	tracee_continue(tr, 0);
	return true;
}

void tracee_pass_on_pending(struct tracee *tr)
{
	struct pending_signals *p = &tr->pending;
	uint64_t blocked;

	if (p->n == 0 || ptrace(PTRACE_GETSIGMASK, tr->tid, sizeof(blocked), &blocked) < 0)
		return;
	for (unsigned i = 0; i < p->n;) {
		if (!(blocked & bit(p->info[i].si_signo))) {
			i++;
			continue;
		}
		if (p->info[i].si_code != SI_TKILL)
			kill(tr->process->pid, p->info[i].si_signo);
		take(p, i);
	}
}

/* In user code, or in a local call: nobody else knows of the thread. */
static bool is_overdue(const struct tracee *tr, int64_t now)
{
	const struct pending_signals *p = &tr->pending;
	char state;

	if (p->n == 0 || tr->in_code || tr->stopped || tr->state != TRACEE_RUNNING || now - p->since < TICK_MS ||
	    proc_state(tr->tid, &state) < 0)
		return false;
	return state == 'S' || proc_run_ns(tr->tid) - p->since_ns > IN_CODE_AFTER_MS * 1000000;
}

void tracer_send_overdue(struct tracer *t)
{
	int64_t now = time_now_ms();
	struct tracee *tr, *tmp;
	bool waits = false;

	if (!t->ticking || now < t->tick_at)
		return;
	t->tick_at = now + TICK_MS;
	HASH_ITER(hh, t->tracees.by_tid, tr, tmp)
	{
		struct pending_signals *p = &tr->pending;

		if (is_overdue(tr, now)) {
			siginfo_t info = take(p, 0);

			tr->in_code = true;
			p->since = now;
			p->since_ns = proc_run_ns(tr->tid);
			send_again(tr, &info);
		}
		waits = waits || p->n;
	}
	if (!waits)
		pause_ticking(t);
}
