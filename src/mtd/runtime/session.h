/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the launcher gives the two processes of a program that moves, and what they tell each other.
 * Freestanding; fixed sizes, little endian, the same on both ISAs.
 *
 * The launcher starts both with CHIRAL_MTD=ROLE:MEMORY:CONFIG:LINK in the environment: home or other,
 * and the descriptors of the memory file (MTD_MEMORY_SIZE), of the sealed configuration and of a
 * stream socket to the peer. Without the variable the program runs alone and does not move.
 *
 * With CHIRAL_MTD=ROLE:MEMORY:CONFIG:LINK:PAGES:HOW the memory file is this node's only. LINK and PAGES
 * (a stream socket too) then lead to the pager, which passes on what goes to the peer and keeps the
 * memory of both nodes the same; HOW is what enum mtd_how names.
 */
#ifndef CHIRAL_MTD_RUNTIME_SESSION_H
#define CHIRAL_MTD_RUNTIME_SESSION_H

#include <stdint.h>

#define MTD_ENVIRONMENT "CHIRAL_MTD"
#define MTD_CONFIG_MAGIC 0x3244544dul	/* "MTD2" */
#define MTD_MAX_FUNCTIONS 65536u
#define MTD_LOCAL_SIZE	  4096u

/* A direction: from home to the other node, or back. */
enum { MTD_FROM_HOME, MTD_TO_HOME, _MTD_DIRECTION_MAX };
enum { MTD_AT_ENTRY, MTD_AT_EXIT, _MTD_WHERE_MAX };

/*
 * The probabilities. Instead of one draw at each point, the number of points to pass is drawn when
 * the thread begins to run on a node: geometric with the largest probability of that direction; the
 * point that is reached then is taken with its own probability divided by the largest. The binary
 * digits of a geometric number are independent: digit k is 1 with probability bit[k] / 2^64.
 */
struct mtd_config {
	uint32_t magic;
	uint32_t n_functions;		/* rates that follow, at most MTD_MAX_FUNCTIONS */
	uint32_t generation;		/* odd: the launcher is writing */
	uint32_t zero;
	uint64_t build_id[2];
	/* Files that the other node opens itself: paths, each with its 0, one that ends with * stands for
	 * all that begin so; an empty one ends them. The last byte is 0. For the whole session. */
	char local[MTD_LOCAL_SIZE];
	uint32_t largest[_MTD_DIRECTION_MAX];	/* parts per million; 0: never */
	uint64_t bit[_MTD_DIRECTION_MAX][64];
	struct mtd_rate {
		uint32_t ppm[_MTD_WHERE_MAX][_MTD_DIRECTION_MAX];
	} rate[];
};

enum mtd_tick {
	MTD_TICK_POINT,		/* a point decides to switch */
	MTD_TICK_UNWOUND,	/* the last record is written */
	MTD_TICK_ARRIVED,	/* the other process has been told */
	MTD_TICK_REWOUND,	/* the innermost function is there again */
	MTD_TICK_DRAWN,		/* it goes on: the next count is drawn */
	_MTD_TICK_MAX,
};

/* The first page of the shared region MTD_CONTROL: counters for the launcher. The program itself can
 * write there, so nothing may rely on them. */
struct mtd_control {
	uint64_t switches, calls, frames, record_bytes;
	uint64_t record_top;	/* end of the newest frame record */
	uint64_t stays;		/* the program has asked not to be moved */
	uint64_t want, want_ssp;	/* enum mtd_want, and the top of the shadow stack then */
	int64_t forked;		/* the result of fork */
	/* For measuring: when the program has set it, the runtime notes the time of what it does at the
	 * last switch from home ([0]) and the last one back ([1]), in ticks of isa_ticks(). */
	uint64_t watch;
	uint64_t tick[2][_MTD_TICK_MAX];
};

/* Also in mtd/libc/mtd.h. */
enum mtd_want { MTD_WANT_NOTHING, MTD_WANT_SWITCH, MTD_WANT_FORK };

enum mtd_message_type {
	MTD_HELLO = 1,	/* v[0..1]: build id; v[2]: role. First message of each side */
	MTD_SWITCH,	/* the thread goes on at the receiver; v[0] end of the records, v[1] top of the
			 * shadow stack before it unwound, v[2] frames: what a pager sends along */
	MTD_CALL,	/* to home: v[0] number (x86-64), v[1..6] arguments (mtd/runtime/carry.c) */
	MTD_RESULT,	/* from home: v[0] result */
	MTD_END,	/* the program ended (v[0] status); nothing follows */
	MTD_DISCARD,	/* home to its pager: v[0] address, v[1] bytes become zeros; answered by RESULT */
	_MTD_MESSAGE_MAX,
};

/* Small data of a call, in the message. */
#define MTD_CARRY_MAX  3u	/* pointers among its arguments */
#define MTD_CARRY_SIZE 192u	/* bytes of all of them */

struct mtd_message {
	uint32_t type;
	uint32_t carried;	/* CALL: pointers whose data is here, by bit; v[] has its size */
	int64_t v[7];
	uint8_t data[MTD_CARRY_SIZE];	/* CALL, and the RESULT of one that carries some */
};

/* How a node notices what its program does with pages that are not there. */
enum mtd_how {
	MTD_HOW_AUTO,	/* userfaultfd where the kernel has it, else faults */
	MTD_HOW_UFFD,	/* userfaultfd(2) */
	MTD_HOW_SEGV,	/* mprotect(2) and SIGSEGV; not where the kernel reads and writes the memory, at home */
	_MTD_HOW_MAX,
};

/* What a program and its pager say to each other on PAGES. */
enum mtd_page_message_type {
	MTD_PAGES_BEGIN = 1,	/* to the pager, first: address: size of .data and .bss; access: 0 and a
				 * userfaultfd in SCM_RIGHTS, or the error that stands for it */
	MTD_PAGES_GO,		/* from it, the answer: access: an enum mtd_how, not AUTO */
	/* MTD_HOW_SEGV only: */
	MTD_PAGE_FAULT,		/* to the pager: address; the program waits */
	MTD_PAGE_ACCESS,	/* from it: access (0-2: none, read, write) that there is now; go on */
	MTD_PAGE_LOWER,		/* from it, with MTD_PAGES_SIGNAL: take access away down to this one */
	MTD_PAGE_LOWERED,	/* to the pager: done */
	MTD_PAGE_CRASH,		/* from it: the fault is the program's own */
};

struct mtd_page_message {
	uint32_t type, access;
	uint64_t address;
};

/* SIGUSR1, SIGUSR2: home has the program's signals, so that they are free on the other node. */
#define MTD_PAGES_SIGNAL 10
#define MTD_LOOK_SIGNAL	 12

/* Of processor time on the other node: as long as a thread that makes no call may not hear of a signal. */
#define MTD_LOOK_MS 50

#endif
