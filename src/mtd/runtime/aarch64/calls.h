/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that the runtime itself makes. asm-generic/unistd.h */
#ifndef CHIRAL_MTD_RUNTIME_CALLS_H
#define CHIRAL_MTD_RUNTIME_CALLS_H

enum {
	OWN_read = 63,
	OWN_write = 64,
	OWN_mmap = 222,
	OWN_madvise = 233,
	OWN_exit_group = 94,
	OWN_getrandom = 278,
};

#endif
