/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits that a program sets (prlimit64). Those on memory bind what each variant does for itself, so a
 * follower's process gets them too; all others bind calls that the leader alone executes.
 */
#include "replay/replay.h"

#include <string.h>
#include <sys/resource.h>

static bool is_of_memory(uint64_t resource)
{
	return resource == RLIMIT_AS || resource == RLIMIT_DATA || resource == RLIMIT_STACK ||
	       resource == RLIMIT_MEMLOCK;
}

/* Without the right to raise a hard limit the nearest one that is allowed. */
static void set_limit(pid_t pid, int resource, struct rlimit64 l)
{
	struct rlimit64 old;

	if (prlimit64(pid, resource, &l, NULL) == 0 || prlimit64(pid, resource, NULL, &old) < 0)
		return;
	if (l.rlim_max > old.rlim_max)
		l.rlim_max = old.rlim_max;
	if (l.rlim_cur > l.rlim_max)
		l.rlim_cur = l.rlim_max;
	prlimit64(pid, resource, &l, NULL);
}

void replay_set_limit(struct replay *rp, struct fthread *f)
{
	const struct payload *p = call_in_of(&f->call, 2);
	struct fthread *target = f->call.arg[0] ? fthread_of_canonical(&rp->threads,
								       (uint32_t)f->call.arg[0]) : f;
	uint64_t limit[2]; /* canonical struct rlimit: rlim_cur, rlim_max */

	if (f->leader.ret < 0 || !target || !is_of_memory(f->call.arg[1]) || !p ||
	    p->form != PAYLOAD_BYTES || p->size != sizeof(limit))
		return;
	memcpy(limit, payload_data(&f->call, p), sizeof(limit));
	set_limit(target->process->pid, (int)f->call.arg[1],
		  (struct rlimit64){ limit[0], limit[1] });
}
