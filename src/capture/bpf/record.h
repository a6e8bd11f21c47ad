/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Records: what the program in the kernel (record.bpf.c) says about a call.
 *
 * A call is a CALL record, with the last piece of its memory, after any number of DATA records of the
 * same thread with the pieces before. Some calls have an ENTERED record of the same form before that,
 * from their beginning. Pieces of one argument are in order and adjacent. Addresses, lengths of arguments
 * and bytes are the program's.
 *
 * Records are in a ring of slots, what does not fit into a slot in a ring of bytes; both are arrays that
 * the kernel's programs write and the monitor maps. A writer takes a slot first and bytes then, by
 * adding to a position, and the slot is complete when its turn is its position and one: nobody ever
 * waits for a lock or for memory of another processor. What the variant chooses is never where a turn
 * is looked for, so bytes of an earlier round are never taken for a record.
 *
 * Why not the kernel's own ring buffer: each of its records locks, and makes the processor wait until all
 * that was written before has reached memory that the monitor's processor has just read.
 *
 * This header is for the program in the kernel too: types of linux/types.h only.
 */
#ifndef CHIRAL_CAPTURE_BPF_RECORD_H
#define CHIRAL_CAPTURE_BPF_RECORD_H

#include <linux/types.h>

#define RECORD_CALLS_MAX  512u	/* call numbers are below this; a power of two */
#define RECORD_PIECE_MAX  8192u /* bytes of one record */
#define RECORD_PIECES_MAX 32u	/* of one argument: what is longer is left to the tracer */
#define RECORD_IOV_MAX	  16u	/* elements of an iovec; with more it is left to the tracer */
#define RECORD_NAME_MAX	  128u	/* struct sockaddr_storage: no address is longer */
#define RECORD_SENT_MAX	  64u	/* messages of one call with what they point to; with more it is left to the tracer */
#define RECORD_VECTOR_MAX 4u	/* elements of an iovec that are one record with what they point to */
#define RECORD_INLINE_MAX 16u	/* bytes in the slot itself */
#define RECORD_INLINE	  (~0ull)

/*
 * Powers of two. Half of each may be in use, or what the leader's window has room for, before threads are
 * stopped, each with one record; the last slots are for processors that looked at the same time: they
 * write nothing when there are more of them.
 */
#define RING_SLOTS	  32768u
#define RING_SLOTS_LAST 4096u
#define RING_BYTES	  (16u << 20)
/* A record's bytes are in one place, also when they begin shortly before the end of the ring. */
#define RING_BYTES_OVER 32768u

enum record_kind {
	RECORD_NONE, /* it was begun in vain */
	RECORD_DATA,
	RECORD_CALL,
	RECORD_ENTERED, /* as CALL */
	RECORD_WHOLE,	/* CALL that would have an ENTERED one before it if there were other threads; of the same form */
	RECORD_READINGS, /* ret readings of clocks (clock/page.h), from number arg[4] on; the piece in the slot is
			  * what they were, arg[0..3] the time, real and monotonic, s and ns each, arg[5] the coarse
			  * monotonic one, ns */
};

/*
 * Why a record is not complete: its thread gets SIGSTOP before it executes anything, and the tracer,
 * which sees that, reads the memory itself. Of an entry: after the call.
 */
enum record_reason {
	RECORD_COMPLETE,
	RECORD_FULL,	/* little room in the rings */
	RECORD_UNREAD,	/* memory that is not there, or not in the page tables */
	RECORD_LARGE,
	RECORD_SIGNALS, /* what the call means depends on signals that wait */
	_RECORD_REASON_MAX,
};

struct record_iov {
	__u64 addr;
	__u64 len; /* may be more than the piece has */
};

/* A struct msghdr, the same on every LP64 ISA. */
struct record_msg {
	__u64 name;
	__u32 name_len, pad;
	__u64 iov, iov_len;
	__u64 control, control_len;
	__u32 flags, pad2;
};

struct record_mmsg {
	struct record_msg msg;
	__u32 len, pad;
};

struct record {
	__u64 turn;  /* written last: the slot's position + 1 */
	__u64 base;  /* bytes before this position belong to earlier records */
	__u64 at;    /* position of the piece, or RECORD_INLINE: it is in this slot */
	__u8 kind;   /* enum record_kind */
	__u8 string; /* the piece ends with the NUL of a string */
	__u8 reason; /* CALL, ENTERED: enum record_reason */
	__u8 vector; /* the piece is so many struct record_iov, and behind them what they point to */
	__u32 tid;
	__u64 addr; /* of the piece */
	__u32 len;  /* bytes of the piece */
	__u32 nr;   /* CALL, ENTERED, as what follows */
	__s64 ret;  /* ENTERED: bits of the parts that are missing */
	__u64 pc;
	__u64 arg[6];
	__u8 piece[RECORD_INLINE_MAX];
} __attribute__((aligned(64)));

/* What program and monitor share besides the rings: what is written by different processors lies in
 * different cache lines. */
struct record_shared {
	__u64 slots; /* positions: the next slot, the next byte; only the kernel's programs add */
	__u64 bytes;
	__u64 lost;  /* calls of which not even the CALL record had room: never, or all is over */

	struct {
		__u64 slots, bytes; /* positions up to which the monitor needs nothing any more */
		__u32 wanted;	    /* the monitor sleeps until something comes */
		__u32 woken;	    /* it has been woken since it last looked */
		__u64 room_slots, room_bytes; /* of which half wakes the monitor */
	} reader __attribute__((aligned(64)));

	struct {
		__u64 tracer; /* address of the tracer's task; 0: nothing is recorded */
		__s64 tai;    /* seconds that CLOCK_TAI is ahead of CLOCK_REALTIME */
		__u32 alone;  /* there is one thread in all */
	} variant __attribute__((aligned(64)));
};

#endif
