/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program in the kernel that records the variant's calls (record.bpf.c), as its monitor holds it:
 * loaded, attached, its ring, and what both share.
 */
#ifndef CHIRAL_CAPTURE_BPF_RECORDER_H
#define CHIRAL_CAPTURE_BPF_RECORDER_H

#include "capture/bpf/clock/page.h"
#include "capture/bpf/record.h"
#include "capture/bpf/ring.h"

#include <sys/types.h>

struct record_bpf;
struct ring_buffer;

struct recorder {
	struct record_bpf *program;
	volatile struct record_shared *shared;
	struct ring ring;
	struct clock_slot *clocks; /* CLOCK_SLOTS; NULL: they are of no use */
	struct ring_buffer *bell; /* what the kernel wakes us with */
	int wake_fd;  /* epoll, edge-triggered: ready when the kernel or a thread of ours wakes us */
	int event_fd; /* recorder_wake() */
};

/*
 * Loads the program for this ISA. It records nothing yet. 0, or -errno with one sentence of why in
 * *ret_why (static): no privilege, no types of the kernel (BTF), a kernel that is too old.
 */
int recorder_open(struct recorder **ret, const char **ret_why);

/* The calling thread is the variant's tracer: from now on calls of whom it traces are recorded. 0 or
 * -errno. */
int recorder_start(struct recorder *r);

/* How many records, and bytes of memory, may wait to be taken: from then on threads are stopped at the end
 * of their calls. Never more than half of the rings. */
void recorder_set_room(struct recorder *r, uint64_t records, uint64_t bytes);

/* One for each process that reads clocks without calls (clock/page.h): NULL when none can. The descriptor is
 * of their array, and the recorder's. */
struct clock_slot *recorder_clock_slots(const struct recorder *r);
int recorder_clock_fd(const struct recorder *r);
/* The slot of that process; NULL: another one has it. */
struct clock_slot *recorder_clock_slot(const struct recorder *r, pid_t pid);

/* The machine's other processes pay nothing any more. */
void recorder_close(struct recorder *r);

/*
 * Waits until the kernel wakes us, but not longer than timeout_us; with a negative one until something
 * is in the ring. It may return early.
 */
void recorder_wait(struct recorder *r, int64_t timeout_us);
/* Ends another thread's recorder_wait(). */
void recorder_wake(struct recorder *r);

#endif
