/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program asks for by name (chiral.h; mtd/libc/api.c): to stay, to move now, to fork. A wish is
 * kept in shared memory, for the thread may be on either node when it is fulfilled: at the point of
 * chiral_point(), which the caller passes next.
 */
#include "mtd/runtime/runtime.h"

#define ENOSYS 38
#define EAGAIN 11

int __mtd_moves(void)
{
	return mtd_node.link >= 0;
}

int __mtd_protect(int on)
{
	int before = !control()->stays;

	if (mtd_node.link < 0)
		return 0;
	control()->stays = !on;
	draw_count();
	return before;
}

long __mtd_want(int what)
{
	if (mtd_node.role == ROLE_ALONE || (what == MTD_WANT_SWITCH && mtd_node.link < 0))
		return -ENOSYS;
	/* A handler was called by the runtime, which cannot unwind. */
	if (signals_handling())
		return -EAGAIN;
	control()->want = (uint64_t)what;
	control()->want_ssp = (uint64_t)__mtd_ssp;
	__mtd_count = -1;
	return 0;
}

long __mtd_forked(void)
{
	return control()->forked;
}
