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

#define RECORD_PARTS_MAX 8
#define RECORD_STRING_MAX 4096u /* as the kernel's own bound for paths, with the NUL */

enum record_what {
	RECORD_BYTES,
	RECORD_STRING, /* up to its NUL */
	RECORD_IOVEC,  /* the array, and what its elements point to */
	/* A struct msghdr, its iovec, and: */
	RECORD_MSG_SENT,     /* address, control data, what its elements point to */
	RECORD_MSG_ROOM,     /* nothing: what is about to be received */
	RECORD_MSG_RECEIVED, /* address, control data, as much of what its elements point to as the result says */
};

/* Besides RECORD_MSG_*: an array of struct mmsghdr. What was received of each, its own length says. */
#define RECORD_MANY	   0x10u
#define RECORD_MMSG_SIZE   64u	 /* struct mmsghdr, the same on every LP64 ISA */
#define RECORD_MMSG_MAX	   1024u /* the kernel looks at no more of them */

/* Where a length comes from. */
enum record_len {
	RECORD_LEN_CONST, /* value */
	RECORD_LEN_ARG,	  /* a native argument */
	RECORD_LEN_RET,	  /* the result, 0 when negative */
	RECORD_LEN_DEREF, /* the u32 that a native argument points to */
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
	__u8 arg;   /* RECORD_LEN_ARG, RECORD_LEN_DEREF: native argument number */
	__u8 width; /* enum record_width of that argument */
	__u8 zero;
	__u32 value; /* RECORD_LEN_CONST */
};

/* Memory behind one argument: min(len, cap) * scale bytes, or elements of an iovec, or a message. */
struct record_part {
	__u8 what; /* enum record_what, RECORD_MANY */
	__u8 arg;  /* native argument: the address; NULL: nothing there */
	__u8 out;  /* 1: there when the call has succeeded only */
	__u8 flags; /* RECORD_PART_* */
	__u8 with;  /* 1 + a native argument: when that is 0, the kernel does not look here; 0: none */
	__u8 zero[3];
	__u32 scale;
	struct record_number len, cap;
};

#define RECORD_PART_CAPPED 0x1u /* cap holds */
#define RECORD_PART_BITS   0x8u /* len are bits: it is so many bytes as these need */
#define RECORD_PART_ALWAYS 0x4u /* the kernel writes it after a failure too */
#define RECORD_PART_WHOLE  0x2u /* what the kernel writes of it is not what it reads of it */

#define RECORD_ON   0x1u /* recorded */
#define RECORD_SUBS 0x2u /* sub-calls, known by arguments sel[0] and sel[1], have their own */
/* There is a record of the call's entry as well: memory that comes in may be overwritten by what goes out, or
 * other threads depend on the call's beginning. */
#define RECORD_ENTRY 0x4u
#define RECORD_CLOCK 0x8u /* it tells the time */
/* RECORD_ENTRY only for the sake of other threads: when there are none, all is recorded at the exit. */
#define RECORD_OTHERS 0x10u

/* Whether there is a record of the entry. */
enum record_begins {
	RECORD_BEGINS = 1,	      /* always */
	RECORD_BEGINS_FOR_OTHERS = 2, /* when there are other threads */
};

struct record_desc {
	__u8 flags;
	__u8 n_parts;
	__u8 n_entry; /* the first of them are recorded at the entry, the others at the exit */
	__u8 sel[2];  /* RECORD_SUBS: native arguments; 0xff: none */
	__u8 entry_args; /* RECORD_ENTRY: only when one of these native arguments is not 0; 0: always */
	/* Bits of native arguments: when all are 0, only the first part can be there, at the entry and at the
	 * exit. */
	__u8 more_entry, more_exit;
	__u8 null_args; /* bits of native arguments: recorded only when they are all 0 */
	__u8 begins;	/* of a call number: enum record_begins of it and its sub-calls, together */
	__u8 zero[2];
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
 * irregular or local, or because it needs more than a description can say. Where a pointer to memory
 * that is such may be NULL, calls are recorded in which it is.
 */
bool record_describe(enum isa isa, const struct call_row *row, struct record_desc *ret);

/*
 * From now on calls of these canonical rows (whose element is not 0) are not recorded in this process: their
 * monitor has to hold them at their entry. Borrowed for good; NULL: none.
 */
void record_hold(const uint64_t by_call[_CALL_MAX]);

/* A call of the row with these native arguments is recorded. */
bool call_is_recorded(enum isa isa, const struct call_row *row, const uint64_t args[CALL_ARGS_MAX]);

/* The part is a message or an array of them. */
static inline bool record_is_message(const struct record_part *p)
{
	return (p->what & ~RECORD_MANY) >= RECORD_MSG_SENT;
}

/*
 * What comes in can no longer be read when this call has ended: it may have been overwritten by what went
 * out. missing: bits of the entry parts that could not be recorded. Not looked at: what of a message the kernel
 * writes into it (capture/bpf/message.h).
 */
bool record_is_overwritten(const struct record_desc *d, uint32_t missing, const uint64_t args[CALL_ARGS_MAX],
			   int64_t ret);

/* The description of a call number: its row's, and the selectors of its sub-calls. */
void record_describe_nr(enum isa isa, long nr, struct record_desc *ret);
#endif

#endif
