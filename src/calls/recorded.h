/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What a recorder in the kernel has to know of a call: whether it is recorded at all, and which
 * memory belongs to it. Made from the rows of the call table, so that the recorder knows no call.
 *
 * This header is for the program in the kernel too: types of linux/types.h only.
 */
#ifndef CHIRAL_CALLS_RECORDED_H
#define CHIRAL_CALLS_RECORDED_H

#include <linux/types.h>

#define RECORD_PARTS_MAX 4
#define RECORD_STRING_MAX 256u /* strings of this length, with the NUL, are left to the tracer */

enum record_what {
	RECORD_BYTES,
	RECORD_STRING, /* up to its NUL */
	RECORD_IOVEC,  /* the array, and what its elements point to */
};

/* Where a length comes from. */
enum record_len {
	RECORD_LEN_CONST, /* value */
	RECORD_LEN_ARG,	  /* a native argument */
	RECORD_LEN_RET,	  /* the result, 0 when negative */
};

/* How an argument is a number: as the kernel takes it. Negative ones count as 0. */
enum record_width {
	RECORD_S32,
	RECORD_U32,
	RECORD_S64,
	RECORD_U64,
};

struct record_number {
	__u8 kind;  /* enum record_len */
	__u8 arg;   /* RECORD_LEN_ARG: native argument number */
	__u8 width; /* enum record_width of that argument */
	__u8 zero;
	__u32 value; /* RECORD_LEN_CONST */
};

/* Memory behind one argument: min(len, cap) * scale bytes, or elements of an iovec. */
struct record_part {
	__u8 what; /* enum record_what */
	__u8 arg;  /* native argument: the address; NULL: nothing there */
	__u8 out;  /* 1: there when the call has succeeded only */
	__u8 capped;
	__u32 scale;
	struct record_number len, cap;
};

#define RECORD_ON   0x1u /* recorded */
#define RECORD_SUBS 0x2u /* sub-calls are known by arguments sel[0] and sel[1] */

struct record_desc {
	__u8 flags;
	__u8 n_parts;
	__u8 sel[2]; /* RECORD_SUBS: native arguments; 0xff: none */
	__u32 null_args; /* bits of native arguments: recorded only when they are all 0 */
	struct record_part part[RECORD_PARTS_MAX];
};

/* A sub-call's name: the key under which its description is found. */
struct record_sub {
	__u32 nr;
	__u32 value[2];
};

#ifndef __bpf__
#include "calls/table.h"

/*
 * Describes native row `row` (sub-rows included) of an ISA. False: it is not recorded, because it is
 * irregular or local, or because it needs more than a description can say. Memory that the kernel
 * both reads and writes is such: what was in it at the entry is gone at the exit. Where a pointer to it
 * may be NULL, calls are recorded in which it is.
 */
bool record_describe(enum isa isa, const struct call_row *row, struct record_desc *ret);

/* A call of the row with these native arguments is recorded. */
bool call_is_recorded(enum isa isa, const struct call_row *row, const uint64_t args[CALL_ARGS_MAX]);

/* The description of a call number: its row's, or the selectors of its sub-calls. */
void record_describe_nr(enum isa isa, long nr, struct record_desc *ret);
#endif

#endif
