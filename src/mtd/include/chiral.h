/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program may ask and tell Chiral. Built with `chiral cc` and run with `chiral run --mode mtd`
 * the functions do what they say; built with `chiral cc` and run alone, or built with any other
 * compiler, they do nothing. Nothing has to be linked.
 */
#ifndef CHIRAL_H
#define CHIRAL_H

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif
