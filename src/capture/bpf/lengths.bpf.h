/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A call being recorded, and how much memory belongs to its arguments. Part of record.bpf.c. */
#ifndef CHIRAL_CAPTURE_BPF_LENGTHS_BPF_H
#define CHIRAL_CAPTURE_BPF_LENGTHS_BPF_H

#include <linux/types.h>
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf_regs.h"
#include "calls/recorded.h"

/* A call being recorded. */
struct job {
	struct pt_regs *regs;
	long ret;
	__u64 arg[8]; /* six; any 3-bit index is safe */
	__u32 nr, tid;
	__u32 kind; /* enum record_kind */
	int wake;
};

static __always_inline __u64 arg_of(const struct job *j, unsigned i)
{
	return j->arg[i & 7];
}

/* Not readable: nothing. The part itself tells, for it cannot be read either or is of no use then. */
static __always_inline __u64 number_at(__u64 addr)
{
	__u32 n = 0;

	bpf_probe_read_user(&n, sizeof(n), (void *)addr);
	return n;
}

/* A length, from the register that it may be in, or the constant, and from the result. Functions that
 * are not static are verified by themselves: their branches cost their callers nothing. */
__noinline __u64 number(__u32 kind, __u32 width, __u64 arg, __u64 ret)
{
	__s64 v = (__s64)arg;

	if (kind == RECORD_LEN_CONST)
		return arg;
	if (kind == RECORD_LEN_DEREF)
		return number_at(arg);
	if (kind == RECORD_LEN_RET)
		v = (__s64)ret;
	else if (width == RECORD_U32)
		return (__u32)arg;
	else if (width == RECORD_U64)
		return arg;
	else if (width == RECORD_S32)
		v = (__s32)arg;
	return v > 0 ? (__u64)v : 0;
}

static __always_inline __u64 number_of(const struct job *j, const struct record_number *n)
{
	__u64 arg = n->kind == RECORD_LEN_CONST ? n->value : arg_of(j, n->arg);

	return number(n->kind, n->width, arg, (__u64)j->ret);
}

/* Bytes, or elements of an iovec, of a part with these flags and this scale. What is over 2^32 is far over
 * every bound. */
__noinline __u64 scaled(__u64 n, __u64 cap, __u32 flags, __u32 scale)
{
	if ((flags & RECORD_PART_CAPPED) && n > cap)
		n = cap;
	if (n > 0xffffffff)
		return n;
	return flags & RECORD_PART_BITS ? (n + 7) / 8 : n * scale;
}

static __always_inline __u64 part_len(const struct job *j, const struct record_part *p)
{
	__u64 cap = p->flags & RECORD_PART_CAPPED ? number_of(j, &p->cap) : 0;

	return scaled(number_of(j, &p->len), cap, p->flags, p->scale);
}

#endif
