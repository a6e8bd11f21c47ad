/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of the heap that are free but not zeros yet. Giving a page back costs a system call, and a
 * fault when it is used again; an allocator frees and takes the same ranges at each request. So the
 * last ones are kept, and made zeros by hand when they are used again.
 * In shared memory: both nodes know them.
 */
#ifndef CHIRAL_MTD_RUNTIME_FREED_H
#define CHIRAL_MTD_RUNTIME_FREED_H

#include <stdint.h>

#define FREED_MAX   32u		/* ranges that are kept */
#define FREED_LARGE (256u << 10)	/* bytes; larger ranges are given back at once: 8 MiB at most are kept */

struct range {
	uint64_t start, end;
};

struct freed {
	uint64_t n;
	struct range range[FREED_MAX];	/* oldest first; apart from each other */
};

/* The range is free from now on, and no part of it is kept yet. */
void freed_keep(struct freed *f, struct range r);
/* The range is used from now on: it reads as zeros. */
void freed_clean(struct freed *f, struct range r);

/* memory.c: the pages become zeros, on both nodes. */
void memory_give_back(struct range r);

#endif
