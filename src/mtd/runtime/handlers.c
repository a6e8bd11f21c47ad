/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals of the other node's kernel, for the runtime itself: the program's signals are home's. Handlers
 * have a stack of their own, for that of the program may be pages that are not there. They use nothing
 * but the runtime's memory, so one may interrupt another.
 */
#include "mtd/runtime/runtime.h"

#include "calls.h"

#define SA_ONSTACK   0x08000000ul
#define CLOCK_PROCESS_CPUTIME_ID 2

static char handler_stack[65536] __attribute__((aligned(64)));

void handlers_begin(void)
{
	struct {
		void *at;
		uint64_t flags, size;
	} stack = { handler_stack, 0, sizeof(handler_stack) };

	if (isa_call(OWN_sigaltstack, (long)&stack, 0, 0, 0, 0, 0) < 0)
		die("the kernel takes no stack for signal handlers");
}

void handlers_set(int signal, uint64_t handler, uint64_t mask)
{
	struct kernel_action action = { handler, SA_SIGINFO | SA_ONSTACK | SA_RESTART, isa_signal_return(), mask };

	if (action.restorer)
		action.flags |= SA_RESTORER;
	if (isa_call(OWN_rt_sigaction, signal, (long)&action, 0, 8, 0, 0) < 0)
		die("the kernel takes no signal handler");
}

/* ---- looking around -------------------------------------------------------------------------- */

static volatile int look;

void look_at_next_point(void)
{
	look = 1;
	if (__mtd_mode == MTD_RUN)
		__mtd_count = -1;
}

static void on_time(int signal, const void *info, void *context)
{
	(void)signal, (void)info, (void)context;
	look_at_next_point();
}

int look_is_due(void)
{
	return look;
}

void look_done(void)
{
	look = 0;
}

/* Of processor time: a thread that waits for home hears of signals anyway. */
void look_begin(void)
{
	/* struct sigevent, with SIGEV_SIGNAL; struct itimerspec */
	static struct {
		uint64_t value;
		int32_t signal, notify;
		char unused[48];
	} event = { .signal = MTD_LOOK_SIGNAL };
	static const struct {
		int64_t interval_s, interval_ns, s, ns;
	} time = { 0, MTD_LOOK_MS * 1000000ll, 0, MTD_LOOK_MS * 1000000ll };
	static int32_t timer;

	handlers_set(MTD_LOOK_SIGNAL, (uint64_t)on_time, 0);
	if (isa_call(OWN_timer_create, CLOCK_PROCESS_CPUTIME_ID, (long)&event, (long)&timer, 0, 0, 0) < 0 ||
	    isa_call(OWN_timer_settime, timer, 0, (long)&time, 0, 0, 0) < 0)
		die("the kernel gives no timer");
}
