/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that the runtime itself makes. asm/unistd_64.h */
#ifndef CHIRAL_MTD_RUNTIME_CALLS_H
#define CHIRAL_MTD_RUNTIME_CALLS_H

enum {
	OWN_read = 0,
	OWN_write = 1,
	OWN_mmap = 9,
	OWN_madvise = 28,
	OWN_exit_group = 231,
	OWN_getrandom = 318,
};

#endif
