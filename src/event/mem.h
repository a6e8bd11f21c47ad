/* SPDX-License-Identifier: Apache-2.0 */
/* Access to a variant's memory. The implementation may be process_vm_*(2) or, in tests, an array */
#ifndef CHIRAL_EVENT_MEM_H
#define CHIRAL_EVENT_MEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MEM_RANGES_MAX 64u

struct mem_range {
	uint64_t addr, len;
};

struct mem {
	/*
	 * Reads or writes up to len bytes at addr; returns the bytes moved, which is short when a
	 * page in the middle is not accessible, or -errno when none could be moved (-EFAULT), or
	 * -ESRCH when the process is gone.
	 */
	ssize_t (*read)(struct mem *mem, uint64_t addr, void *buf, size_t len);
	ssize_t (*write)(struct mem *mem, uint64_t addr, const void *buf, size_t len);
	/*
	 * Reads n (at most MEM_RANGES_MAX) ranges one after another into buf, which takes all of
	 * them: their sum, or anything else when not all could be read. NULL: not there.
	 */
	ssize_t (*read_ranges)(struct mem *mem, const struct mem_range *ranges, size_t n, void *buf,
			       size_t len);
	/* len bytes at addr where they are, for as long as the implementation says; NULL: they are not in one
	 * place. NULL: not there. */
	const uint8_t *(*peek)(struct mem *mem, uint64_t addr, size_t len);
};

#endif
