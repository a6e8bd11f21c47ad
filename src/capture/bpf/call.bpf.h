/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Records of a call: as few as its memory needs. Part of record.bpf.c. */
#ifndef CHIRAL_CAPTURE_BPF_CALL_BPF_H
#define CHIRAL_CAPTURE_BPF_CALL_BPF_H

#include "capture/bpf/lengths.bpf.h"
#include "capture/bpf/pieces.bpf.h"
#include "capture/bpf/rings.bpf.h"

#define SIGKILL 9
#define SIGSTOP 19

static __always_inline void fill_call(struct record *r, const struct job *j, __u64 addr, __u32 len, int vector)
{
	r->kind = (__u8)j->kind;
	r->string = 0;
	r->vector = (__u8)vector;
	r->tid = j->tid;
	r->addr = addr;
	r->len = len;
	r->nr = j->nr;
	r->ret = j->ret;
	r->pc = REGS_PC(j->regs);
	r->arg[0] = j->arg[0];
	r->arg[1] = j->arg[1];
	r->arg[2] = j->arg[2];
	r->arg[3] = j->arg[3];
	r->arg[4] = j->arg[4];
	r->arg[5] = j->arg[5];
}

/* With a reason, the thread executes nothing more before its tracer has seen it; at an entry, nothing more
 * than the call. */
static __always_inline int end_call(const struct job *j, struct writing *w, int reason)
{
	if (reason != RECORD_COMPLETE)
		w->record->len = 0;
	w->record->reason = (__u8)reason;
	end_record(w);
	if (reason != RECORD_COMPLETE)
		bpf_send_signal_thread(SIGSTOP);
	if (j->wake)
		ring_bell();
	return 0;
}

/* More threads than there are slots kept back: nobody can say what this one did, so it does nothing any
 * more, and the monitor ends the session. */
static __always_inline int give_up(void)
{
	__sync_fetch_and_add(&shared.lost, 1);
	bpf_send_signal(SIGKILL);
	return 0;
}

static __always_inline int stop_thread(const struct job *j, int reason)
{
	struct writing w;

	if (!begin_record(&w, RING_SLOTS_LAST))
		return give_up();
	fill_call(w.record, j, 0, 0, 0);
	return end_call(j, &w, reason);
}

/* A call with at most one piece of memory. */
static __always_inline int put_call(const struct job *j, __u64 addr, __u64 len)
{
	struct writing w;

	if (!begin_record(&w, RING_SLOTS_LAST))
		return give_up();
	fill_call(w.record, j, addr, (__u32)len, 0);
	/* Copying nothing would take a third of the time of a record. */
	return end_call(j, &w, len ? copy_memory(&w, addr, len) : RECORD_COMPLETE);
}

/* The kernel has looked at the part. */
static __always_inline int is_there(const struct job *j, const struct record_part *p)
{
	return arg_of(j, p->arg) && !(p->with && !arg_of(j, p->with - 1)) &&
	       !(p->out && j->ret < 0 && p->what != RECORD_IOVEC);
}

static __always_inline int put_part(const struct job *j, const struct record_part *p)
{
	__u64 max = !p->out ? ~0ULL : j->ret > 0 ? (__u64)j->ret : 0;

	return is_there(j, p) ? put_memory(p->what, arg_of(j, p->arg), part_len(j, p), max, j->tid) : 0;
}

struct parts {
	const struct job *j;
	const struct record_desc *d;
	__u32 from;
	__u32 missing; /* bits */
	int err;
};

static long next_part(__u32 i, struct parts *p)
{
	__u32 at = p->from + i;
	int err;

	if (at >= RECORD_PARTS_MAX)
		return 1;
	err = put_part(p->j, &p->d->part[at]);
	if (!err)
		return 0;
	if (!p->err)
		p->err = err;
	p->missing |= 1u << at;
	/* What else there is at the entry may be overwritten later. */
	return p->j->kind != RECORD_ENTERED;
}

/* The part is bytes that have room in a record: *ret of them, 0 when they are not there. */
static __always_inline int is_short(const struct job *j, const struct record_part *p, __u64 *ret)
{
	*ret = 0;
	if (p->what != RECORD_BYTES)
		return 0;
	if (is_there(j, p))
		*ret = part_len(j, p);
	return *ret <= RECORD_PIECE_MAX;
}

static __always_inline const struct record_part *part_at(const struct record_desc *d, unsigned i)
{
	return &d->part[i & (RECORD_PARTS_MAX - 1)];
}

/* The last record of an entry says what is missing when its own piece is. */
static __always_inline int put_last(struct job *j, const struct record_desc *d, unsigned i, __u64 len)
{
	if (j->kind == RECORD_ENTERED)
		j->ret = 1u << (i & (RECORD_PARTS_MAX - 1));
	return put_call(j, len ? arg_of(j, part_at(d, i)->arg) : 0, len);
}

/* Anything: DATA records, and the last part with the call if it is short. At least one part. */
static __always_inline int put_parts(struct job *j, const struct record_desc *d, unsigned from, unsigned to)
{
	struct parts p = { j, d, from, 0, 0 };
	unsigned n = to - from;
	__u64 len;
	int last = is_short(j, part_at(d, to - 1), &len);

	/* Its body is verified once, whatever the number of parts. */
	bpf_loop(last ? n - 1 : n, next_part, &p, 0);
	if (!p.err)
		return last ? put_last(j, d, to - 1, len) : put_call(j, 0, 0);
	if (j->kind != RECORD_ENTERED)
		return stop_thread(j, p.err);
	if (last)
		next_part(n - 1, &p);
	j->ret = p.missing;
	return stop_thread(j, p.err);
}

/* What the first n elements of iov point to, behind them. 0 or enum record_reason. */
static __always_inline int put_elements(struct writing *w, const struct record_iov iov[RECORD_VECTOR_MAX],
					__u64 n, __u64 len)
{
	__u64 done = n * sizeof(*iov), end = done + len;
	__u8 *to = take_bytes(w, end);

	if (!to)
		return RECORD_FULL;
	for (unsigned i = 0; i < RECORD_VECTOR_MAX; i++)
		((struct record_iov *)to)[i] = iov[i]; /* what is too much is overwritten */
	for (unsigned i = 0; i < RECORD_VECTOR_MAX; i++) {
		__u64 here = end - done;

		if (i >= n)
			break;
		if (here > iov[i].len)
			here = iov[i].len;
		barrier_var(here);
		barrier_var(done);
		if (here > RECORD_PIECE_MAX || done > RECORD_PIECE_MAX + RECORD_VECTOR_MAX * sizeof(*iov))
			return RECORD_LARGE;
		if (here && bpf_probe_read_user(to + done, here, (void *)iov[i].addr))
			return RECORD_UNREAD;
		done += here;
	}
	return 0;
}

/* Bytes of the first n elements, at most max. */
static __always_inline __u64 bytes_of(const struct record_iov iov[RECORD_VECTOR_MAX], __u64 n, __u64 max)
{
	__u64 left = max;

	for (unsigned i = 0; i < RECORD_VECTOR_MAX; i++) {
		if (i >= n)
			break;
		left -= iov[i].len < left ? iov[i].len : left;
	}
	return max - left;
}

/* An iovec and nothing else. False: it needs more than one record. */
static __always_inline int put_vector(const struct job *j, const struct record_part *p)
{
	__u64 max = !p->out ? ~0ULL : j->ret > 0 ? (__u64)j->ret : 0;
	__u64 addr = arg_of(j, p->arg), n = part_len(j, p), len;
	struct record_iov iov[RECORD_VECTOR_MAX] = {};
	struct writing w;

	barrier_var(n);
	if (!addr || !n || n > RECORD_VECTOR_MAX || bpf_probe_read_user(iov, n * sizeof(*iov), (void *)addr))
		return 0;
	len = bytes_of(iov, n, max);
	if (len > RECORD_PIECE_MAX)
		return 0;
	if (!begin_record(&w, RING_SLOTS_LAST)) {
		give_up();
		return 1;
	}
	fill_call(w.record, j, addr, (__u32)(n * sizeof(*iov) + len), (int)n);
	end_call(j, &w, put_elements(&w, iov, n, len));
	return 1;
}

/* One of the arguments is not 0. */
static __always_inline int has_any(const struct job *j, __u32 args)
{
	for (unsigned i = 0; i < 6; i++)
		if ((args >> i & 1) && j->arg[i])
			return 1;
	return 0;
}

/* The parts from .. to - 1, of which all but the first are not there when the arguments more are 0. */
static __always_inline int put(struct job *j, const struct record_desc *d, unsigned from, unsigned to,
			       __u32 more)
{
	const struct record_part *p = part_at(d, from);
	__u64 len;

	if (from >= to)
		return put_call(j, 0, 0);
	if (!has_any(j, more)) {
		if (p->what == RECORD_IOVEC && j->kind != RECORD_ENTERED && put_vector(j, p))
			return 0;
		if (is_short(j, p, &len))
			return put_last(j, d, from, len);
	}
	return put_parts(j, d, from, to);
}

#endif
