/* SPDX-License-Identifier: Apache-2.0 */
/* Scattered bytes of a variant. Internal to src/event. */
#ifndef CHIRAL_EVENT_IOVEC_H
#define CHIRAL_EVENT_IOVEC_H

#include "event/payload.h"

/* A variant's array of count struct iovecs at addr. On every LP64 ISA one is a struct mem_range. */
struct iov {
	struct mem *mem;
	uint64_t addr, count;
};

/* Bytes that the array describes, at most RW_COUNT_MAX as in the kernel. -EFAULT when it cannot be
 * read or the kernel would refuse it (more than IOV_COUNT_MAX elements, a length over 2^63). */
int iov_total(const struct iov *v, uint64_t *ret);

/* The first max bytes, gathered: errors of sink_mem(). */
int iov_gather(const struct iov *v, uint64_t max, struct sink *to);

/* Scatters len bytes: -EPROTO when they do not fit, -EFAULT, -ESRCH. */
int iov_scatter(const struct iov *v, const uint8_t *data, size_t len);

#endif
