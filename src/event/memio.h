/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes over struct mem. Internal to src/event. */
#ifndef CHIRAL_EVENT_MEMIO_H
#define CHIRAL_EVENT_MEMIO_H

#include "event/mem.h"

/* Smallest page of any ISA: whether a string goes on is asked page by page. */
#define MEM_PAGE 4096u

/* 0 when all n bytes were read, else -EFAULT or -ESRCH; *ret_got (may be NULL): the bytes read. */
int mem_get(struct mem *mem, uint64_t addr, void *buf, size_t n, size_t *ret_got);

/* 0 when all n bytes were written, else -EFAULT or -ESRCH. */
int mem_put(struct mem *mem, uint64_t addr, const void *buf, size_t n);

/*
 * Bytes at addr up to a NUL or cap. *ret_len: bytes before the NUL. 1 when the NUL was found, 0
 * when cap bytes came without one, -EFAULT when the memory ended before.
 */
int mem_get_str(struct mem *mem, uint64_t addr, char *buf, size_t cap, size_t *ret_len);

#endif
