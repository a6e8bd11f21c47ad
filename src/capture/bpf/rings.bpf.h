/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The writer's side of the rings (record.h). Part of record.bpf.c. */
#ifndef CHIRAL_CAPTURE_BPF_RINGS_BPF_H
#define CHIRAL_CAPTURE_BPF_RINGS_BPF_H

#include <linux/types.h>
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf_regs.h"
#include "capture/bpf/record.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RING_SLOTS);
	__type(key, __u32);
	__type(value, struct record);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, RING_BYTES + RING_BYTES_OVER);
} bytes SEC(".maps");

/* Only to wake the monitor. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* the loader makes it a page */
} bell SEC(".maps");

struct record_shared shared;

/* A record being written. */
struct writing {
	struct record *record;
	__u64 turn;
};

/* True when the rings have room for a call; *ret_wake: the monitor is to be woken after it. */
static __always_inline int rings_have_room(int *ret_wake)
{
	__u64 n_slots = shared.slots - shared.reader.slots;
	__u64 n_bytes = shared.bytes - shared.reader.bytes;

	*ret_wake = 0;
	if (shared.reader.wanted ||
	    ((n_slots > shared.reader.room_slots / 2 || n_bytes > shared.reader.room_bytes / 2) &&
	     !shared.reader.woken)) {
		shared.reader.wanted = 0;
		shared.reader.woken = 1;
		*ret_wake = 1;
	}
	return n_slots < shared.reader.room_slots && n_bytes < shared.reader.room_bytes;
}

static __always_inline void ring_bell(void)
{
	__u64 one = 1;

	bpf_ringbuf_output(&bell, &one, sizeof(one), BPF_RB_FORCE_WAKEUP);
}

/* False: not even the slots kept back are free. */
static __always_inline int begin_record(struct writing *w, __u64 keep_back)
{
	__u64 base = *(volatile __u64 *)&shared.bytes, at;
	__u32 i;

	if (shared.slots - shared.reader.slots >= RING_SLOTS - keep_back)
		return 0;
	at = __sync_fetch_and_add(&shared.slots, 1);
	i = at & (RING_SLOTS - 1);
	w->record = bpf_map_lookup_elem(&slots, &i);
	if (!w->record)
		return 0; /* it is always there */
	w->turn = at + 1;
	w->record->base = base;
	w->record->at = RECORD_INLINE;
	return 1;
}

static __always_inline void end_record(struct writing *w)
{
	PUBLISH(&w->record->turn, w->turn);
}

/* Room for len bytes of the record. NULL: there is none, and what was taken comes back with the slot. */
static __always_inline __u8 *take_bytes(struct writing *w, __u64 len)
{
	const __u32 zero = 0;
	__u64 at = __sync_fetch_and_add(&shared.bytes, (len + 7) & ~7ull);
	__u8 *ring = bpf_map_lookup_elem(&bytes, &zero);

	if (!ring || at + len - shared.reader.bytes > RING_BYTES)
		return NULL;
	w->record->at = at;
	return ring + (at & (RING_BYTES - 1));
}

/* len bytes at addr into the record. 0 or enum record_reason. */
static __always_inline int copy_memory(struct writing *w, __u64 addr, __u64 len)
{
	__u8 *to = w->record->piece;

	/* The compiler may not compare one copy of it and use another: the verifier would not see. */
	barrier_var(len);
	if (len <= RECORD_INLINE_MAX)
		return bpf_probe_read_user(to, len, (void *)addr) ? RECORD_UNREAD : 0;
	barrier_var(len);
	if (len > RECORD_PIECE_MAX)
		return RECORD_LARGE;
	to = take_bytes(w, len);
	if (!to)
		return RECORD_FULL;
	return bpf_probe_read_user(to, len, (void *)addr) ? RECORD_UNREAD : 0;
}

#endif
