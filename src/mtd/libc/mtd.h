/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime does for the C library; see mtd/runtime/runtime.h. */
#ifndef CHIRAL_MTD_LIBC_MTD_H
#define CHIRAL_MTD_LIBC_MTD_H

enum { MTD_WANT_NOTHING, MTD_WANT_SWITCH, MTD_WANT_FORK };

int __mtd_moves(void);
int __mtd_isa(void);	/* enum chiral_isa */
int __mtd_protect(int on);
/* The next point does it. -ENOSYS when the program does not move, -EBUSY in a signal handler. */
long __mtd_want(int what);
/* The result of the fork that was wanted. */
long __mtd_forked(void);
long __chiral_fork(void);

#endif
