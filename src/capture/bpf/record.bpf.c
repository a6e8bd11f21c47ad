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
#include "capture/bpf/call.bpf.h"
#include "capture/bpf/rings.bpf.h"
#include "capture/bpf/clock/clock.bpf.h"

#define EPIPE 32

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

/* The description of the call, whose number has description d, or NULL: it is not recorded. Fills j, but for
 * ret and kind. */
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
