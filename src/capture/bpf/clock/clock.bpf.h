/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Readings of clocks without calls (page.h), in the kernel. Part of record.bpf.c. */
#ifndef CHIRAL_CAPTURE_BPF_CLOCK_CLOCK_BPF_H
#define CHIRAL_CAPTURE_BPF_CLOCK_CLOCK_BPF_H

#include "capture/bpf/clock/page.h"
#include "capture/bpf/pieces.bpf.h"
#include "capture/bpf/rings.bpf.h"
#include "capture/bpf/task.bpf.h"

#define NS_PER_S    1000000000ull
#define CLOCK_TRIES 4
/* Calls after one that was followed by readings for which others are likely to be. */
#define CLOCK_LIKELY 3

enum clock_claimed {
	CLOCK_DONE,
	CLOCK_AGAIN,  /* somebody else has claimed some meanwhile */
	CLOCK_UNREAD, /* the page is not there */
	CLOCK_FULL,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, CLOCK_SLOTS);
	__type(key, __u32);
	__type(value, struct clock_slot);
} clocks SEC(".maps");

/* The slot of its process, or NULL. */
static __always_inline struct clock_slot *clock_of(const struct task_struct *t)
{
	__u32 i = (__u32)t->tgid & (CLOCK_SLOTS - 1);
	struct clock_slot *s = bpf_map_lookup_elem(&clocks, &i);

	return s && s->pid == (__u32)t->tgid ? s : NULL;
}

/* A call is over that has told the time, or behind which the program is likely to ask for it: its thread
 * reads without a call from now on. Only the first thread does, and not while there are readings of an earlier
 * time. */
static __always_inline void clock_set(struct clock_slot *s, const struct task_struct *t, int told)
{
	__u64 mono, real;

	if (t->pid != t->tgid || s->open || (!told && !s->likely))
		return;
	if (!told)
		s->likely--;
	/* In this order: a call of another thread that ends before the time is taken is not later than it, and
	 * one that ends after that takes it back (at_end()). */
	s->open = 1;
	__sync_lock_test_and_set(&s->valid, 1); /* its reader is this processor, or comes behind a switch of it */
	mono = bpf_ktime_get_ns();
	real = bpf_ktime_get_tai_ns() - (__u64)shared.variant.tai * NS_PER_S;
	s->mono.sec = (__s64)(mono / NS_PER_S);
	s->mono.nsec = (__s64)(mono % NS_PER_S);
	s->real.sec = (__s64)(real / NS_PER_S);
	s->real.nsec = (__s64)(real % NS_PER_S);
}

/* One record of all readings up to the latest. Threads of the process may claim them at the same time. The
 * record's place is taken first: whoever finds them claimed writes behind it. enum clock_claimed. */
static __always_inline int clock_claim(struct clock_slot *s)
{
	const struct clock_page *page = (const struct clock_page *)s->page;
	__u64 taken = *(volatile __u64 *)&s->taken, n;
	__u8 what[CLOCK_READINGS_MAX];
	struct writing w;
	int r;

	if (bpf_probe_read_user(&n, sizeof(n), &page->readings))
		return CLOCK_UNREAD;
	if (n == taken)
		return CLOCK_DONE;
	if (bpf_probe_read_user(what, sizeof(what), page->what))
		return CLOCK_UNREAD;
	if (!begin_record(&w, RING_SLOTS_LAST))
		return CLOCK_FULL;
	fill_data(w.record, RECORD_READINGS, 0, 0, s->pid);
	w.record->ret = (__s64)(n - taken);
	w.record->arg[0] = (__u64)s->real.sec;
	w.record->arg[1] = (__u64)s->real.nsec;
	w.record->arg[2] = (__u64)s->mono.sec;
	w.record->arg[3] = (__u64)s->mono.nsec;
	w.record->arg[4] = taken;
	__builtin_memcpy(w.record->piece, what, sizeof(what));
	s->likely = CLOCK_LIKELY;
	r = __sync_val_compare_and_swap(&s->taken, taken, n) == taken ? CLOCK_DONE : CLOCK_AGAIN;
	if (r == CLOCK_AGAIN)
		w.record->kind = RECORD_NONE;
	end_record(&w);
	return r;
}

/* At the beginning of a call of its first thread: what that has read since its last call. What others find
 * meanwhile was claimed by now, or they find nothing. enum clock_claimed. */
static __always_inline int clock_flush(struct clock_slot *s)
{
	int r = CLOCK_AGAIN;

	for (int i = 0; i < CLOCK_TRIES && r == CLOCK_AGAIN; i++)
		r = clock_claim(s);
	if (r == CLOCK_DONE)
		s->open = s->valid = 0;
	return r;
}

#endif
