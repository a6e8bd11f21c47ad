/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program may ask and tell Chiral. Built with `chiral cc` and run with `chiral run --mode mtd`
 * the functions do what they say; built with `chiral cc` and run alone, or built with any other
 * compiler, they do nothing. Nothing has to be linked.
 */
#ifndef CHIRAL_H
#define CHIRAL_H

#ifndef __CHIRAL_MTD__
#include <errno.h>
#include <sys/prctl.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The kernel answers EINVAL: no option of prctl(2) has this number. */
#define CHIRAL_PR_REGION 0x43485250

enum chiral_isa { CHIRAL_ISA_OTHER, CHIRAL_ISA_X86_64, CHIRAL_ISA_AARCH64 };

#ifdef __CHIRAL_MTD__

/* Does this program move? 1 or 0. */
int chiral_moves(void);
/* The instruction set that executes the caller now. After the next switch point it may be another. */
enum chiral_isa chiral_isa(void);
/* 0: from now on the program stays where it is. Not 0: its points count again, as at the start.
 * Returns what was set before. Signal handlers should not use it. */
int chiral_protect(int on);
/* Moves to the other node now, whatever the points file and chiral_protect() say. 0, or -1 when the
 * program does not move (or is in a signal handler). */
int chiral_switch(void);

#else

static inline int chiral_moves(void)
{
	return 0;
}

static inline enum chiral_isa chiral_isa(void)
{
#if defined(__x86_64__)
	return CHIRAL_ISA_X86_64;
#elif defined(__aarch64__)
	return CHIRAL_ISA_AARCH64;
#else
	return CHIRAL_ISA_OTHER;
#endif
}

static inline int chiral_protect(int on)
{
	(void)on;
	return 0;
}

static inline int chiral_switch(void)
{
	return -1;
}

#endif

/*
 * For programs that run as variants: between chiral_region(1) and chiral_region(0) each system call of the
 * calling thread waits until the followers have made the same one, as with --level lockstep; a rule of
 * the policy about a call counts more. Calls that the kernel records (--capture bpf) do not wait.
 * Elsewhere nothing happens. Leaves errno alone.
 */
static inline void chiral_region(int on)
{
#ifdef __CHIRAL_MTD__
	(void)on;
#else
	int before = errno;

	prctl(CHIRAL_PR_REGION, (unsigned long)(on != 0), 0ul, 0ul, 0ul);
	errno = before;
#endif
}

#ifdef __cplusplus
}
#endif

#endif
