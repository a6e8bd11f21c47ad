/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of chiral.h, and what of the C library needs the thread at a switch point: fork. The
 * runtime is told what is wanted; the point of chiral_point(), which every program has, does it.
 */
#include <errno.h>

#include "chiral.h"
#include "mtd.h"
#include "syscall.h"

/* Called on the way to somewhere else: it may not be optimised away, nor into its callers. */
__attribute__((noinline)) void chiral_point(void)
{
	__asm__ volatile("" ::: "memory");
}

int chiral_moves(void)
{
	return __mtd_moves();
}

enum chiral_isa chiral_isa(void)
{
	return __mtd_isa();
}

int chiral_protect(int on)
{
	return __mtd_protect(on);
}

int chiral_switch(void)
{
	if (__mtd_want(MTD_WANT_SWITCH) < 0)
		return -1;
	chiral_point();
	return 0;
}

/* In place of the system call: -errno, 0 in the child. */
long __chiral_fork(void)
{
	long r = __mtd_want(MTD_WANT_FORK);

	if (r == -ENOSYS)	/* it does not move: its memory is its own */
		return __syscall(SYS_fork);
	if (r < 0)
		return r;
	chiral_point();
	return __mtd_forked();
}
