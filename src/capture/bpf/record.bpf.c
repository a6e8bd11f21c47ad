/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The recorder: programs in the kernel that run at the end and at the beginning of every system call of
 * this machine, and make records of those of the variant that the call table says are recorded.
 *
 * Theory of operation. The variant is known by its tracer: a thread belongs to it exactly when the
 * monitor's thread is its ptrace parent, which nothing that it does can change. Arguments are still in
 * the registers when a call ends, and the memory that belongs to them has just been used by the
 * kernel. What a description (calls/recorded.h) says is copied into the rings, straight from the
 * variant's memory. A call that cannot be recorded completely - the rings have little room, a page is
 * not there, too much is moved - is recorded without memory, and its thread is sent SIGSTOP: that is
 * handled on its way back to user space, before its next instruction, and the tracer sees it and reads
 * the memory. So nothing is lost, and who is too fast waits.
 *
 * Few calls are recorded at their beginning too: those whose memory is both read and written, and those
 * whose effect other threads meet before they end.
 *
 * Nothing here knows a call or an ISA.
 */
#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/time.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf_regs.h"
#include "calls/recorded.h"
#include "capture/bpf/record.h"
#include "capture/bpf/lengths.bpf.h"
#include "capture/bpf/pieces.bpf.h"
#include "capture/bpf/rings.bpf.h"
#include "capture/bpf/clock/clock.bpf.h"

#define SIGKILL 9
#define SIGSTOP 19
#define EPIPE	32

/* In the kernel it is used under the GPL, which its helpers ask for. */
char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct record_sub);
	__type(value, struct record_desc);
} subs SEC(".maps");

const volatile struct record_desc descs[RECORD_CALLS_MAX];
/* The monitor's pid namespace, when it is not the first one. */
const volatile __u64 pidns_dev, pidns_ino;

static __always_inline __u32 own_tid(struct task_struct *t)
{
	struct bpf_pidns_info ns = {};

	if (!pidns_ino)
		return (__u32)t->pid;
	if (bpf_get_ns_current_pid_tgid(pidns_dev, pidns_ino, &ns, sizeof(ns)))
		return 0;
	return ns.pid;
}

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

static __always_inline int put_part(const struct job *j, const struct record_part *p)
{
	__u64 addr = arg_of(j, p->arg), max = !p->out ? ~0ULL : j->ret > 0 ? (__u64)j->ret : 0;

	if (!addr || (p->with && !arg_of(j, p->with - 1)) ||
	    (p->out && j->ret < 0 && p->what != RECORD_IOVEC))
		return 0;
	return put_memory(p->what, addr, part_len(j, p), max, j->tid);
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
	if (arg_of(j, p->arg) && !(p->with && !arg_of(j, p->with - 1)) && !(p->out && j->ret < 0))
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
static __always_inline int put(struct job *j, const struct record_desc *d, unsigned from, unsigned to, __u32 more)
{
	const struct record_part *p = part_at(d, from);
	__u64 len;

	if (from >= to)
		return put_call(j, 0, 0);
	if (to - from == 1 || !has_any(j, more)) {
		if (p->what == RECORD_IOVEC && j->kind != RECORD_ENTERED && put_vector(j, p))
			return 0;
		if (is_short(j, p, &len))
			return put_last(j, d, from, len);
	}
	return put_parts(j, d, from, to);
}

static __always_inline int is_variants(const struct task_struct *t)
{
	return t->ptrace && (__u64)t->parent == shared.variant.tracer;
}

/* Of a call's number. */
static __always_inline const struct record_desc *desc_of(struct pt_regs *regs)
{
	long nr = REGS_NR(regs);

	if (nr < 0 || nr >= RECORD_CALLS_MAX)
		return NULL;
	return (const struct record_desc *)&descs[nr & (RECORD_CALLS_MAX - 1)];
}

/* The description of the call with number's description d, or NULL: it is not recorded. Fills j, but for ret and kind. */
static __always_inline const struct record_desc *begin(struct job *j, struct task_struct *t,
						       struct pt_regs *regs, const struct record_desc *d)
{
	const struct record_desc *sub;
	long nr = REGS_NR(regs);

	j->regs = regs;
	j->nr = (__u32)nr;
	j->arg[0] = REGS_ARG0(regs);
	j->arg[1] = REGS_ARG1(regs);
	j->arg[2] = REGS_ARG2(regs);
	j->arg[3] = REGS_ARG3(regs);
	j->arg[4] = REGS_ARG4(regs);
	j->arg[5] = REGS_ARG5(regs);
	j->arg[6] = j->arg[7] = 0;
	if (d->flags & RECORD_SUBS) {
		struct record_sub key = { .nr = (__u32)nr };

		if (d->sel[0] != 0xff)
			key.value[0] = (__u32)arg_of(j, d->sel[0]);
		if (d->sel[1] != 0xff)
			key.value[1] = (__u32)arg_of(j, d->sel[1]);
		sub = bpf_map_lookup_elem(&subs, &key);
		if (sub)
			d = sub;
		else if (!(d->flags & RECORD_ON))
			return NULL;
	}
	/* Then the filter has stopped the thread, and the tracer captures the call. */
	if (d->null_args && has_any(j, d->null_args))
		return NULL;
	j->tid = own_tid(t);
	return d;
}

/* Readings come before what a call of another thread may tell of them, and no reading after it is of a time
 * before it. The slot of the thread's process, or NULL. */
static __always_inline struct clock_slot *at_end(const struct task_struct *t)
{
	struct clock_slot *s = clock_of(t);

	if (!s || !s->open)
		return s;
	__sync_lock_test_and_set(&s->valid, 0);
	if (t->pid != t->tgid)
		clock_claim(s, 0);
	return s;
}

/* True: readings could not be read, and the thread must not go on behind its call. Negative: there is no room. */
static __always_inline int at_beginning(const struct task_struct *t)
{
	struct clock_slot *s = clock_of(t);
	int r;

	if (!s || !s->open)
		return 0;
	if (t->pid != t->tgid) {
		clock_claim(s, 0);
		return 0;
	}
	r = clock_flush(s);
	return r == CLOCK_FULL ? -1 : r != CLOCK_DONE;
}

/* enum clock_kind, or 0. (gettimeofday's first argument is an address.) */
static __always_inline __u32 told_clock(const struct job *j, const struct record_desc *d)
{
	if (!(d->flags & RECORD_CLOCK))
		return 0;
	return j->arg[0] == CLOCK_MONOTONIC_COARSE ? CLOCK_COARSE : CLOCK_FINE;
}

/* enum record_begins: of which calls there are entries. */
static __always_inline __u32 begins_now(void)
{
	return shared.variant.alone ? RECORD_BEGINS : RECORD_BEGINS | RECORD_BEGINS_FOR_OTHERS;
}

/* Nobody is there who could meet the call's effect before it ends. */
static __always_inline int alone_in(const struct record_desc *d)
{
	return (d->flags & RECORD_OTHERS) && shared.variant.alone;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(record_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *t = bpf_get_current_task_btf();
	const struct record_desc *d;
	struct clock_slot *clock;
	struct job j = { .ret = ret, .kind = RECORD_CALL };

	if (!is_variants(t))
		return 0;
	clock = at_end(t);
	d = desc_of(regs);
	if (!d || !(d->flags & (RECORD_ON | RECORD_SUBS)))
		return 0;
	d = begin(&j, t, regs, d);
	if (!d)
		return 0;
	if (alone_in(d))
		j.kind = RECORD_WHOLE;
	if (clock)
		clock_set(clock, t, j.nr, told_clock(&j, d));
	if (!rings_have_room(&j.wake))
		return stop_thread(&j, RECORD_FULL);
	if (ret == -EPIPE)
		return stop_thread(&j, RECORD_SIGNALS);
	if (j.kind == RECORD_WHOLE)
		return put(&j, d, 0, d->n_entry, d->more_entry);
	return put(&j, d, d->n_entry, d->n_parts, d->more_exit);
}

/* What the rings keep back is used as well: the thread is stopped when the call ends. */
SEC("tp_btf/sys_enter")
int BPF_PROG(record_entry, struct pt_regs *regs, long nr)
{
	struct task_struct *t = bpf_get_current_task_btf();
	const struct record_desc *d;
	struct job j = { .kind = RECORD_ENTERED };
	int unread;

	if (!is_variants(t))
		return 0;
	unread = at_beginning(t);
	if (unread < 0)
		return give_up();
	d = desc_of(regs);
	if (!d || !(unread ? d->flags & (RECORD_ON | RECORD_SUBS) : d->begins & begins_now()))
		return 0;
	d = begin(&j, t, regs, d);
	if (d && unread) {
		j.ret = 0xffffffff; /* all of its parts */
		return stop_thread(&j, RECORD_UNREAD);
	}
	if (!d || !(d->flags & RECORD_ENTRY) || (d->entry_args && !has_any(&j, d->entry_args)) ||
	    alone_in(d))
		return 0;
	rings_have_room(&j.wake);
	return put(&j, d, 0, d->n_entry, d->more_entry);
}

/* Run once by the tracer's thread: who it is. */
SEC("syscall")
int learn_tracer(void *ctx)
{
	struct task_struct *t = bpf_get_current_task_btf();

	shared.variant.tracer = (__u64)t;
	return 0;
}
