/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Clocks that are read without a call.
 *
 * Theory of operation. A variant may not see the kernel's vDSO: each reading of a clock has to be an event.
 * A call for each is dear for programs that read clocks more often than anything else. So a program whose
 * calls the kernel records gets a vDSO of ours (vdso.c). Its first reading is a call, which is recorded; the
 * kernel's program (record.bpf.c) leaves the time at its end in the process's slot. Readings that follow get
 * that time, until a thread of the process makes another call or the kernel's coarse clock has passed it. The
 * time is left too at the end of calls (by their number) behind which clocks have been read lately: then even
 * the first reading after them is none. So a clock stands still for a tick of the kernel at the most, and never
 * runs backwards, also between threads. What was read so is noted in the page; at the thread's next call it
 * becomes a record, and each reading an event like any other.
 *
 * The coarse monotonic clock, which the kernel's programs cannot read, the vDSO asks the kernel for. It counts
 * when it is at most CLOCK_COARSE_NEAR_NS before or after the time that was left: what else a program claims
 * is corrected.
 *
 * Only the first thread of a process reads so. The page is the program's own memory: what it says there of
 * its readings is as hostile as everything that it says. Slots are written by the kernel and the monitor
 * alone.
 *
 * This header is for the vDSO and the program in the kernel too: types of linux/types.h only.
 */
#ifndef CHIRAL_CAPTURE_BPF_CLOCK_PAGE_H
#define CHIRAL_CAPTURE_BPF_CLOCK_PAGE_H

#include <linux/types.h>

#define CLOCK_COARSE_NEAR_NS 500000000u

#define CLOCK_READINGS_MAX 16u	 /* between two calls; a power of two */
#define CLOCK_SLOTS	   4096u /* a power of two */

/* In one piece: the image, from the next boundary on the page, and the slots. Of any size that pages have. */
#define CLOCK_AREA_STEP 0x10000u
/* The last word of the image's step, which cannot be written: address of the kernel's clock_gettime. */
#define CLOCK_KERNEL_AT (CLOCK_AREA_STEP - 8)
#define CLOCK_AREA_SIZE (2 * CLOCK_AREA_STEP + CLOCK_SLOTS * sizeof(struct clock_slot))

/* What was read. */
enum clock_reading {
	CLOCK_READ_REALTIME,  /* clock_gettime(CLOCK_REALTIME) */
	CLOCK_READ_MONOTONIC, /* clock_gettime(CLOCK_MONOTONIC) */
	CLOCK_READ_DAY,	      /* gettimeofday(2) */
	CLOCK_READ_COARSE,    /* clock_gettime(CLOCK_MONOTONIC_COARSE) */
	_CLOCK_READ_MAX,
};

struct clock_time {
	__s64 sec, nsec;
};

/* What the kernel's program reads of the page. */
struct clock_notes {
	__u64 readings; /* without a call, since the program began */
	__u8 what[CLOCK_READINGS_MAX]; /* enum clock_reading of reading n at n % CLOCK_READINGS_MAX */
	__u64 coarse; /* ns: what all those of which there is no record were that read the coarse clock */
};

/* The program's own memory. */
struct clock_page {
	struct clock_notes notes;
	__u64 slot;	/* address of the process's struct clock_slot; 0: every reading is a call */
	__u64 thread;	/* thread pointer of the first thread; 0: it is the only one */
	__u64 coarse_readings; /* what notes.readings was behind the last of the coarse clock */
};

/* Kinds of clocks: reading a coarse one costs next to nothing. */
enum clock_kind {
	CLOCK_FINE = 1,
	CLOCK_COARSE = 2,
};

/* The nearest to claimed that counts. */
static inline __u64 clock_coarse(__u64 left, __u64 claimed)
{
	__u64 least = left > CLOCK_COARSE_NEAR_NS ? left - CLOCK_COARSE_NEAR_NS : 0;
	__u64 most = left + CLOCK_COARSE_NEAR_NS;

	return claimed < least ? least : claimed > most ? most : claimed;
}

#define CLOCK_CALLS_MAX 64u /* call numbers that are told apart; a power of two */

/* Read-only for the program. */
struct clock_slot {
	__u32 pid;   /* 0: free */
	__u32 valid; /* enum clock_kind, bits: the times that may be read; then it is open as well */
	__u32 open;  /* there may be readings of which there is no record */
	__u32 last;  /* number of the last recorded call of the first thread that was no reading */
	__u64 taken; /* readings of which there is one */
	__u64 page;  /* address of the process's struct clock_page */
	struct clock_time real, mono;
	__u64 left; /* when, CLOCK_MONOTONIC, ns */
	/* Of calls, by number: how often more the time is left at their end without being read. */
	__u8 fine_behind[CLOCK_CALLS_MAX], coarse_behind[CLOCK_CALLS_MAX];
};

#endif
