/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/counter.h"

#include "isa/counter.h"

#include <sys/prctl.h>

/* About what a stop costs, so that a loop that waits for some cycles ends in its time. */
#define PER_READING (UINT64_C(1) << 14)
/* Room for a thousand readings between two calls. */
#define PER_CALL (UINT64_C(1) << 24)
/* Programs take 0 for "no counter". */
#define FIRST (UINT64_C(1) << 32)

void counter_switch_off(void)
{
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
}

void counter_after_call(struct counter *c)
{
	c->value = (c->value / PER_CALL + 1) * PER_CALL;
}

bool counter_answer(struct counter *c, pid_t tid, const siginfo_t *info)
{
	/* A memory fault has a code of its own. */
	if (info->si_signo != SIGSEGV || info->si_code != SI_KERNEL ||
	    !isa_counter_answer(tid, FIRST + c->value + PER_READING))
		return false;
	c->value += PER_READING;
	return true;
}
