/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Memory of a call that needs records of its own: DATA records. Part of record.bpf.c. */
#ifndef CHIRAL_CAPTURE_BPF_PIECES_BPF_H
#define CHIRAL_CAPTURE_BPF_PIECES_BPF_H

#include "calls/recorded.h"
#include "capture/bpf/rings.bpf.h"

static __always_inline void fill_data(struct record *r, int kind, __u64 addr, __u32 len, __u32 tid)
{
	r->kind = (__u8)kind;
	r->string = 0;
	r->reason = 0;
	r->vector = 0;
	r->tid = tid;
	r->addr = addr;
	r->len = len;
	r->nr = 0;
}

/* DATA record. 0, or why there is none. Verified by itself, so that loops around it cost the verifier nothing. */
__noinline int put_piece(__u64 addr, __u64 len, __u32 tid)
{
	struct writing w;
	int err;

	if (!begin_record(&w, RING_SLOTS / 4))
		return RECORD_FULL;
	err = copy_memory(&w, addr, len);
	fill_data(w.record, err ? RECORD_NONE : RECORD_DATA, addr, (__u32)len, tid);
	end_record(&w);
	return err;
}

/* n bytes of a string, with its NUL, into room for max. 0: it is longer, -1: it cannot be read. */
static __always_inline long read_string(struct writing *w, __u64 addr, const __u32 max, int *ret_full)
{
	__u8 *to = take_bytes(w, max);
	long n;

	*ret_full = !to;
	if (!to)
		return -1;
	n = bpf_probe_read_user_str(to, max, (void *)addr);
	if (n <= 0)
		return -1;
	return n < max ? n : 0;
}

/* Most are short. */
__noinline int put_string(__u64 addr, __u32 tid)
{
	struct writing w;
	int full;
	long n;

	if (!begin_record(&w, RING_SLOTS / 4))
		return RECORD_FULL;
	n = read_string(&w, addr, 256, &full);
	if (n == 0)
		n = read_string(&w, addr, RECORD_STRING_MAX, &full);
	fill_data(w.record, n > 0 ? RECORD_DATA : RECORD_NONE, addr, n > 0 ? (__u32)n : 0, tid);
	w.record->string = 1;
	end_record(&w);
	if (n > 0)
		return 0;
	return full ? RECORD_FULL : n == 0 ? RECORD_LARGE : RECORD_UNREAD;
}

/* All of a buffer, in pieces. */
__noinline int put_bytes(__u64 addr, __u64 len, __u32 tid)
{
	int err;

	for (unsigned i = 0; i < RECORD_PIECES_MAX; i++) {
		if (len <= RECORD_PIECE_MAX)
			return len ? put_piece(addr, len, tid) : 0;
		err = put_piece(addr, RECORD_PIECE_MAX, tid);
		if (err)
			return err;
		addr += RECORD_PIECE_MAX;
		len -= RECORD_PIECE_MAX;
	}
	return RECORD_LARGE;
}

/* The array, then max bytes of what it describes. */
__noinline int put_iovec(__u64 addr, __u64 count, __u64 max, __u32 tid)
{
	struct record_iov iov;
	int err;

	if (count > RECORD_IOV_MAX)
		return RECORD_LARGE;
	err = put_piece(addr, count * sizeof(iov), tid);
	if (err)
		return err;
	for (unsigned i = 0; i < RECORD_IOV_MAX; i++) {
		if (i >= count || !max)
			return 0;
		if (bpf_probe_read_user(&iov, sizeof(iov), (void *)(addr + i * sizeof(iov))))
			return RECORD_UNREAD;
		if (iov.len > max)
			iov.len = max;
		err = put_bytes(iov.addr, iov.len, tid);
		if (err)
			return err;
		max -= iov.len;
	}
	return 0;
}

/* The header as it is now, so that what it points to is what is recorded, whatever other threads do to it. */
static __always_inline int put_header(__u64 addr, const struct record_mmsg *m, __u32 len, __u32 tid)
{
	struct writing w;
	__u8 *to;

	if (!begin_record(&w, RING_SLOTS / 4))
		return RECORD_FULL;
	to = take_bytes(&w, sizeof(*m));
	fill_data(w.record, to ? RECORD_DATA : RECORD_NONE, addr, len, tid);
	if (to)
		*(struct record_mmsg *)to = *m;
	end_record(&w);
	return to ? 0 : RECORD_FULL;
}

/* what: of struct record_part; max: bytes that were moved. */
__noinline int put_message(__u64 addr, __u32 what, __u64 max, __u32 tid)
{
	struct record_mmsg m = {};
	__u32 len = what & RECORD_MANY ? sizeof(m) : sizeof(m.msg);
	int err;

	if (bpf_probe_read_user(&m, len, (void *)addr))
		return RECORD_UNREAD;
	err = put_header(addr, &m, len, tid);
	if (err)
		return err;
	if ((what & ~RECORD_MANY) == RECORD_MSG_ROOM)
		return put_bytes(m.msg.iov, m.msg.iov_len * sizeof(struct record_iov), tid);
	if (what == (RECORD_MSG_RECEIVED | RECORD_MANY))
		max = m.len;
	if (m.msg.name && m.msg.name_len)
		err = put_piece(m.msg.name,
				m.msg.name_len > RECORD_NAME_MAX ? RECORD_NAME_MAX : m.msg.name_len, tid);
	if (!err && m.msg.control && m.msg.control_len)
		err = put_piece(m.msg.control, m.msg.control_len, tid);
	return err ? err : put_iovec(m.msg.iov, m.msg.iov_len, max, tid);
}

/* Of room there is one record for each; it could hardly be regained when the call has filled it. */
static __always_inline int put_messages(__u64 addr, __u32 what, __u64 n, __u32 tid)
{
	int err;

	if (n > RECORD_SENT_MAX && what != (RECORD_MSG_ROOM | RECORD_MANY))
		return RECORD_LARGE;
	for (unsigned i = 0; i < RECORD_MMSG_MAX; i++) {
		if (i >= n)
			break;
		err = put_message(addr, what, ~0ULL, tid);
		if (err)
			return err;
		addr += RECORD_MMSG_SIZE;
	}
	return 0;
}

/* Memory of any kind, as struct record_part says. max: bytes that were moved. */
__noinline int put_memory(__u32 what, __u64 addr, __u64 len, __u64 max, __u32 tid)
{
	if (what == RECORD_STRING)
		return put_string(addr, tid);
	if (what == RECORD_IOVEC)
		return put_iovec(addr, len, max, tid);
	if (what & RECORD_MANY)
		return put_messages(addr, what, len, tid);
	return what >= RECORD_MSG_SENT ? put_message(addr, what, max, tid) : put_bytes(addr, len, tid);
}

#endif
