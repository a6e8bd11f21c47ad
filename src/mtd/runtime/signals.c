/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal handlers of the program. The kernel's handler, in the home process, only notes the signal; the
 * program's own is called where the program is in a state that can go on anywhere: at a switch point,
 * or around a system call. It runs to its end on the node where the thread is, and does not switch.
 */
#include "mtd/runtime/runtime.h"

#include "calls.h"

#define EINVAL	 22
#define ENOSYS	 38
#define N_SIGNALS 64

enum { NR_rt_sigaction = 13 };
enum { SIG_ILL = 4, SIG_BUS = 7, SIG_FPE = 8, SIG_KILL = 9, SIG_SEGV = 11, SIG_STOP = 19 };

#define SA_RESETHAND	0x80000000ul
#define HANDLER_DEFAULT 0ul
#define HANDLER_IGNORE	1ul

struct info {
	char bytes[128];	/* siginfo_t: the same on both ISAs */
};

/* In shared memory: the thread finds it on either node. */
struct signals {
	uint64_t pending;	/* bit n-1: signal n; set by home's handler only */
	struct kernel_action action[N_SIGNALS];
	struct info info[N_SIGNALS];
	uint32_t handling;	/* the program's handler runs */
	uint32_t woken;		/* a handler ran at a point, and no call was made since */
};

#define SIGNALS ((struct signals *)(MTD_SIGNALS))

static int is_fault(long signal)
{
	return signal == SIG_ILL || signal == SIG_BUS || signal == SIG_FPE || signal == SIG_SEGV;
}

/* context: of a signal's handler. */
static void stop_waiting(void *context)
{
	uint64_t *at = (uint64_t *)((char *)context + CONTEXT_PC);

	if (*at >= (uint64_t)mtd_wait_begins && *at < (uint64_t)mtd_wait_ends)
		*at = (uint64_t)mtd_wait_stopped;
}

/* Called by the kernel, at home, on the home process's stack. */
static void note(int signal, const struct info *info, void *context)
{
	SIGNALS->info[signal - 1] = *info;
	__atomic_fetch_or(&SIGNALS->pending, 1ull << (signal - 1), __ATOMIC_SEQ_CST);
	look_at_next_point();
	if (!SIGNALS->handling)
		stop_waiting(context);
}

/* Should a call that the signal interrupted begin again? */
static int call_handler(unsigned n)
{
	struct kernel_action *action = &SIGNALS->action[n];
	uint64_t handler = action->handler;
	int restart = (action->flags & SA_RESTART) != 0;

	if (handler == HANDLER_DEFAULT || handler == HANDLER_IGNORE)
		return 1;
	if (action->flags & SA_RESETHAND)
		action->handler = HANDLER_DEFAULT;
	if (action->flags & SA_SIGINFO)
		((void (*)(int, struct info *, void *))handler)((int)n + 1, &SIGNALS->info[n], NULL);
	else
		((void (*)(int))handler)((int)n + 1);
	return restart;
}

int signals_deliver(void)
{
	struct signals *s = SIGNALS;
	int64_t count = __mtd_count;
	uint64_t pending;
	int restart = 1;

	if (mtd_node.role == ROLE_ALONE || s->handling || __mtd_mode != MTD_RUN)
		return 0;
	s->handling = 1;
	while (__mtd_mode == MTD_RUN &&
	       (pending = __atomic_load_n(&s->pending, __ATOMIC_SEQ_CST))) {
		unsigned n = (unsigned)__builtin_ctzll(pending);

		__atomic_fetch_and(&s->pending, ~(1ull << n), __ATOMIC_SEQ_CST);
		__mtd_count = INT64_MAX;
		restart &= call_handler(n);
	}
	s->handling = 0;
	if (__mtd_mode == MTD_RUN)
		__mtd_count = count;
	return restart;
}

int signals_pending(void)
{
	return mtd_node.role != ROLE_ALONE &&
	       __atomic_load_n(&SIGNALS->pending, __ATOMIC_RELAXED) && !SIGNALS->handling;
}

void signals_woke(int yes)
{
	SIGNALS->woken = (uint32_t)yes;
}

int signals_have_woken(void)
{
	return mtd_node.role != ROLE_ALONE && SIGNALS->woken;
}

long signals_wait(long nr, const long *a)
{
	static const uint64_t never;

	return isa_wait_x86_64(SIGNALS->handling ? &never : &SIGNALS->pending, nr, a);
}

int signals_handling(void)
{
	return SIGNALS->handling;
}

/* What was sent to the parent. */
void signals_forget_pending(void)
{
	__atomic_store_n(&SIGNALS->pending, 0, __ATOMIC_SEQ_CST);
}

/* What a handler returns to is this ISA's: the C library's own is an empty C function. */
long signals_set_kernel_action(const long *a)
{
	long args[6] = { a[0], a[1], a[2], a[3] };
	struct kernel_action action;

	if (a[1]) {
		action = *(const struct kernel_action *)a[1];
		action.restorer = isa_signal_return();
		action.flags = action.restorer ? action.flags | SA_RESTORER : action.flags & ~SA_RESTORER;
		args[1] = (long)&action;
	}
	return isa_call_x86_64(NR_rt_sigaction, args);
}

/* rt_sigaction at home, for a thread on either node. */
long signals_set_action(const long *a)
{
	const struct kernel_action *new = (const struct kernel_action *)a[1];
	struct kernel_action *old = (struct kernel_action *)a[2], before, kernel;
	long signal = a[0], r;

	if (signal < 1 || signal > N_SIGNALS || a[3] != 8)
		return -EINVAL;
	before = SIGNALS->action[signal - 1];
	if (new && new->handler != HANDLER_DEFAULT && new->handler != HANDLER_IGNORE && is_fault(signal)) {
		warn_number("a program that moves cannot handle its own faults; refused for signal ",
			    (uint64_t)signal);
		return -ENOSYS;
	}
	if (new) {
		long args[6] = { signal, (long)&kernel, 0, 8, 0, 0 };

		kernel = *new;
		if (new->handler != HANDLER_DEFAULT && new->handler != HANDLER_IGNORE) {
			kernel.handler = (uint64_t)note;
			/* The call has to return for the handler to be called: __mtd_syscall() restarts it. */
			kernel.flags = (new->flags | SA_SIGINFO) & ~(SA_RESETHAND | SA_RESTART);
		}
		r = signals_set_kernel_action(args);
		if (r < 0)
			return r;
		SIGNALS->action[signal - 1] = *new;
	}
	if (old)
		*old = before;
	return 0;
}
