/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Records: what the program in the kernel (record.bpf.c) says about a call, through a BPF ring buffer.
 *
 * A call is a CALL record, with the last piece of its memory in it, after any number of DATA records
 * of the same thread with the pieces before. Some calls have an ENTERED record of the same form before
 * that, from their beginning. Pieces of one argument are in order and adjacent. Only the kernel writes
 * here; addresses, lengths of arguments and bytes are the program's.
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

enum record_kind {
	RECORD_DATA = 1,
	RECORD_CALL,
	RECORD_ENTERED, /* as CALL; ret is 0 */
};

/*
 * Why a record is not complete: its thread gets SIGSTOP before it executes anything, and the tracer,
 * which sees that, reads the memory itself. Of an entry: after the call.
 */
enum record_reason {
	RECORD_COMPLETE,
	RECORD_FULL,	/* little room in the ring */
	RECORD_UNREAD,	/* memory that is not there, or not in the page tables */
	RECORD_LARGE,
	RECORD_SIGNALS, /* what the call means depends on signals that wait */
	_RECORD_REASON_MAX,
};

struct record {
	__u8 kind;   /* enum record_kind */
	__u8 string; /* the piece ends with the NUL of a string */
	__u8 reason; /* CALL, ENTERED: enum record_reason */
	__u8 vector; /* the piece is a struct record_iov, and behind it what that points to */
	__u32 tid;
	__u64 addr; /* of the piece */
	__u32 len;  /* bytes of the piece, behind the record */
	__u32 nr;   /* CALL, ENTERED, as what follows */
};

/* An iovec of one element: most have no more. */
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

struct record_call {
	struct record head;
	__s64 ret;
	__u64 pc;
	__u64 arg[6];
};

/* What program and monitor share besides the ring. */
struct record_shared {
	__u64 tracer;	 /* address of the tracer's task; 0: nothing is recorded */
	__u64 wake_at;	 /* bytes in the ring that wake the monitor */
	__u64 stop_at;	 /* bytes in the ring from which on threads are stopped */
	__u32 wanted;	 /* the monitor sleeps until something comes */
	__u32 woken;	 /* it has been woken since it last looked */
	__u64 lost;	 /* calls of which not even the CALL record had room: never, or all is over */
	__u32 tracer_pid; /* as the kernel's programs see it */
	__u32 zero;
};

#endif
