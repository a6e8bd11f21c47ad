/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/bpf/clock/clock.h"

#include "capture/bpf/take.h"
#include "capture/ptrace.h"
#include "event/memio.h"
#include "isa/vdso.h"

#include <stddef.h>
#include <time.h>

/* Threads that run may claim at the same time. They cannot keep us busy for long. */
#define CLAIMS_MAX 100
#define NS_PER_S   1000000000u

struct readings {
	uint64_t first, n;
	const uint8_t *what;
	struct clock_time real, mono, coarse;
};

static struct clock_time in_parts(uint64_t ns)
{
	return (struct clock_time){ (int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S) };
}

static const struct clock_time *time_of(const struct readings *all, enum clock_reading what)
{
	return what == CLOCK_READ_MONOTONIC ? &all->mono : what == CLOCK_READ_COARSE ? &all->coarse : &all->real;
}

static void take_readings(struct tracer *t, struct tracee *tr, const struct readings *all)
{
	uint64_t n = all->n < CLOCK_READINGS_MAX ? all->n : CLOCK_READINGS_MAX;

	if (n == 0 || !recording_counts(tr))
		return;
	if (tr->state == TRACEE_HELD)
		tracee_emit_held(t, tr);
	recording_go_on(t, tr);
	tr->recording->taken++;
	for (uint64_t i = 0; i < n; i++) {
		enum clock_reading what = all->what[(all->first + i) % CLOCK_READINGS_MAX];

		/* What a program says of its clocks that is not so its followers will not agree with. */
		if (what >= _CLOCK_READ_MAX)
			what = CLOCK_READ_REALTIME;
		clock_readings_emit(t, tr, what, time_of(all, what));
	}
}

void clock_take(struct tracer *t, struct tracee *tr, const struct record *r)
{
	const struct readings all = {
		.first = r->arg[4],
		.n = (uint64_t)r->ret,
		.what = r->piece,
		.real = { (int64_t)r->arg[0], (int64_t)r->arg[1] },
		.mono = { (int64_t)r->arg[2], (int64_t)r->arg[3] },
		.coarse = in_parts(r->arg[5]),
	};

	take_readings(t, tr, &all);
}

/* Lets the kernel's programs know; they may have claimed the same meanwhile (clock.bpf.h). False: again. */
static bool claim(struct tracer *t, struct tracee *first)
{
	struct clock_slot *s = first->process->clock;
	uint64_t taken = __atomic_load_n(&s->taken, __ATOMIC_ACQUIRE);
	struct clock_page page;
	struct readings all;
	uint64_t n;

	if (mem_get(&first->mem.mem, s->page, &page, sizeof(page), NULL) < 0 || page.notes.readings == taken)
		return true;
	/* Only what is read after the number is true for all that the number counts. */
	n = page.notes.readings;
	if (mem_get(&first->mem.mem, s->page, &page, sizeof(page), NULL) < 0)
		return true;
	all = (struct readings){ .first = taken, .n = n - taken, .what = page.notes.what,
				 .real = s->real, .mono = s->mono,
				 .coarse = in_parts(clock_coarse(s->left, page.notes.coarse)) };
	if (!__atomic_compare_exchange_n(&s->taken, &taken, n, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return false;
	take_readings(t, first, &all);
	return true;
}

void clock_flush(struct tracer *t, struct tracee *tr)
{
	struct clock_slot *s = tr->process ? tr->process->clock : NULL;
	struct tracee *first;

	if (!s || !s->open)
		return;
	first = tracee_find(&t->tracees, tr->process->pid);
	for (int i = 0; first && i < CLAIMS_MAX && !claim(t, first); i++)
		;
	/* What another thread has claimed is in the ring since. */
	if (tr->process->most_threads > 1)
		collector_drain(t);
	/* It may be about to note one: its next call looks again. */
	if (first == tr)
		s->valid = 0;
}

void clock_release(struct process *p)
{
	if (p->clock)
		p->clock->pid = 0;
	p->clock = NULL;
}

static int put_word(pid_t pid, const struct clock_slot *s, size_t offset, uint64_t value)
{
	struct mem_process m;

	mem_process_init(&m, pid);
	return mem_put(&m.mem, s->page + offset, &value, sizeof(value));
}

/* A copy of its parent's memory: a slot of its own, in the same array. */
static void give_own_slot(struct tracer *t, const struct clock_slot *from, const struct process *parent,
			  struct process *child)
{
	struct clock_slot *s = recorder_clock_slot(t->collector.recorder, child->pid);
	uint64_t there = parent->clock_slots;

	if (s) {
		*s = (struct clock_slot){ .page = from->page, .taken = from->taken };
		there += (uint64_t)(s - recorder_clock_slots(t->collector.recorder)) * sizeof(*s);
	}
	if (put_word(child->pid, from, offsetof(struct clock_page, thread), 0) < 0 ||
	    put_word(child->pid, from, offsetof(struct clock_page, slot), s ? there : 0) < 0 || !s)
		return; /* killed meanwhile */
	s->pid = (uint32_t)child->pid;
	child->clock = s;
	child->clock_slots = parent->clock_slots;
}

void clock_at_birth(struct tracer *t, const struct tracee *parent, struct process *child, bool shares_memory)
{
	struct process *p = parent->process;
	uint64_t thread;

	if (!p->clock)
		return;
	if (!shares_memory) {
		give_own_slot(t, p->clock, p, child);
	} else if (child != p) {
		/* Two processes would use one page (vfork(2)): not any more. */
		put_word(p->pid, p->clock, offsetof(struct clock_page, slot), 0);
		clock_release(p);
	} else if (parent->tid == p->pid && isa_thread_pointer(parent->tid, &thread) == 0) {
		put_word(p->pid, p->clock, offsetof(struct clock_page, thread), thread);
	}
}
