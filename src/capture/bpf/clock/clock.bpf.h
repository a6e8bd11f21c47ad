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
/* Times left in vain at the end of a call, before they are not left there any more: each is cheaper than a
 * call that asks for the time. */
#define CLOCK_IN_VAIN 8

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

static __always_inline void learn(__u8 *behind, int is_read)
{
	if (is_read)
		*behind = CLOCK_IN_VAIN;
	else if (*behind)
		--*behind;
}

/* kinds: of what was read behind the last call. */
static __always_inline void clock_learn(struct clock_slot *s, __u32 kinds)
{
	__u32 i = s->last & (CLOCK_CALLS_MAX - 1);

	learn(&s->fine_behind[i], kinds & CLOCK_FINE);
	learn(&s->coarse_behind[i], kinds & CLOCK_COARSE);
}

static __always_inline struct clock_time in_parts(__u64 ns)
{
	return (struct clock_time){ (__s64)(ns / NS_PER_S), (__s64)(ns % NS_PER_S) };
}

static __always_inline void clock_leave(struct clock_slot *s, __u32 kinds)
{
	/* In this order: a call of another thread that ends before the time is taken is not later than it, and
	 * one that ends after that takes it back (at_end()). */
	s->open = 1;
	/* Its reader is this processor, or comes behind a switch of it. */
	__sync_lock_test_and_set(&s->valid, kinds);
	s->left = bpf_ktime_get_ns();
	if (kinds & CLOCK_FINE) {
		s->mono = in_parts(s->left);
		s->real = in_parts(bpf_ktime_get_tai_ns() - (__u64)shared.variant.tai * NS_PER_S);
	}
}

/* A call is over. told: enum clock_kind that it was asked for, or 0. When that is so, or the program is likely
 * to ask, its thread reads without a call from now on. Only the first thread does, and not while there are
 * readings of an earlier time. */
static __always_inline void clock_set(struct clock_slot *s, const struct task_struct *t, __u32 nr, __u32 told)
{
	__u32 i = nr & (CLOCK_CALLS_MAX - 1);

	if (t->pid != t->tgid || s->open)
		return;
	if (told)
		clock_learn(s, told);
	s->last = nr;
	if (told || s->fine_behind[i] || s->coarse_behind[i])
		clock_leave(s, (told || s->fine_behind[i] ? CLOCK_FINE : 0) |
				       (told || s->coarse_behind[i] ? CLOCK_COARSE : 0));
}

/* enum clock_kind of the readings from taken on. */
static __always_inline __u32 kinds_of(const struct clock_notes *notes, __u64 taken)
{
	__u32 kinds = 0, what;

	for (__u32 i = 0; i < CLOCK_READINGS_MAX; i++) {
		if (taken + i == notes->readings)
			break;
		what = notes->what[(taken + i) & (CLOCK_READINGS_MAX - 1)];
		kinds |= what == CLOCK_READ_COARSE ? CLOCK_COARSE : CLOCK_FINE;
	}
	return kinds;
}

/* own: by the thread that reads. Else it may be about to note another one: only what is read after the number
 * is true for all that the number counts. False: they are not there. */
static __always_inline int read_notes(struct clock_slot *s, int own, struct clock_notes *ret)
{
	const struct clock_page *page = (const struct clock_page *)s->page;
	__u64 n;

	if (bpf_probe_read_user(ret, sizeof(*ret), &page->notes))
		return 0;
	if (own || ret->readings == s->taken)
		return 1;
	n = ret->readings;
	__sync_val_compare_and_swap(&s->taken, n, n); /* a barrier */
	if (bpf_probe_read_user(ret, sizeof(*ret), &page->notes))
		return 0;
	ret->readings = n;
	return 1;
}

/* One record of all readings up to the latest. Threads of the process may claim them at the same time. The
 * record's place is taken first: whoever finds them claimed writes behind it. enum clock_claimed. */
static __always_inline int clock_claim(struct clock_slot *s, int own)
{
	__u64 taken = *(volatile __u64 *)&s->taken;
	struct clock_notes notes;
	struct writing w;
	__u32 kinds;
	int r;

	if (!read_notes(s, own, &notes))
		return CLOCK_UNREAD;
	if (notes.readings == taken)
		return CLOCK_DONE;
	kinds = kinds_of(&notes, taken);
	if (!begin_record(&w, RING_SLOTS_LAST))
		return CLOCK_FULL;
	fill_data(w.record, RECORD_READINGS, 0, 0, s->pid);
	w.record->ret = (__s64)(notes.readings - taken);
	w.record->arg[0] = (__u64)s->real.sec;
	w.record->arg[1] = (__u64)s->real.nsec;
	w.record->arg[2] = (__u64)s->mono.sec;
	w.record->arg[3] = (__u64)s->mono.nsec;
	w.record->arg[4] = taken;
	w.record->arg[5] = kinds & CLOCK_COARSE ? clock_coarse(s->left, notes.coarse) : 0;
	__builtin_memcpy(w.record->piece, notes.what, sizeof(notes.what));
	clock_learn(s, kinds);
	r = __sync_val_compare_and_swap(&s->taken, taken, notes.readings) == taken ? CLOCK_DONE : CLOCK_AGAIN;
	if (r == CLOCK_AGAIN)
		w.record->kind = RECORD_NONE;
	end_record(&w);
	return r;
}

/* At the beginning of a call of its first thread: what that has read since its last call. What others find
 * meanwhile was claimed by now, or they find nothing. enum clock_claimed. */
static __always_inline int clock_flush(struct clock_slot *s)
{
	__u64 before = s->taken;
	int r = CLOCK_AGAIN;

	for (int i = 0; i < CLOCK_TRIES && r == CLOCK_AGAIN; i++)
		r = clock_claim(s, 1);
	if (r == CLOCK_DONE && s->taken == before)
		clock_learn(s, 0);
	if (r == CLOCK_DONE)
		s->open = s->valid = 0;
	return r;
}

#endif
