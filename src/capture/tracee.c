/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/tracee.h"

#include "capture/bpf/clock/clock.h"
#include "capture/bpf/collect.h"

#include <stdlib.h>

static int64_t cookie_to_object(void *owner, int epfd, uint64_t cookie)
{
	struct process *p = ((struct tracee *)owner)->process;

	return vdt_epoll_object(p->vdt, epfd, cookie);
}

static uint64_t cookie_of_object(void *owner, int epfd, int64_t object)
{
	struct process *p = ((struct tracee *)owner)->process;

	return vdt_epoll_cookie(p->vdt, epfd, object);
}

static const struct cookie_ops cookies = {
	.to_object = cookie_to_object,
	.to_cookie = cookie_of_object,
};

struct tracee *tracee_find(struct tracees *t, pid_t tid)
{
	struct tracee *tr;

	if (t->last && t->last->tid == tid)
		return t->last;
	HASH_FIND(hh, t->by_tid, &tid, sizeof(tid), tr);
	t->last = tr;
	return tr;
}

static void process_free(struct process *p)
{
	if (!p)
		return;
	clock_release(p);
	performer_free(&p->performer);
	vdt_free(p->vdt);
	free(p);
}

static void process_unref(struct process *p)
{
	if (p && --p->refs == 0)
		process_free(p);
}

static struct process *process_new(pid_t pid)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pid = pid;
	p->vdt = vdt_new();
	if (!p->vdt) {
		free(p);
		return NULL;
	}
	return p;
}

struct process *process_fork(const struct process *from, pid_t pid)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	*p = *from;
	p->refs = 0;
	p->most_threads = 0;
	p->clock = NULL;
	p->performer = (struct performer){ 0 };
	p->pid = pid;
	p->vdt = vdt_copy(from->vdt);
	if (!p->vdt) {
		free(p);
		return NULL;
	}
	return p;
}

static void tell_alone(struct tracees *t)
{
	if (t->alone)
		*t->alone = HASH_COUNT(t->by_tid) == 1;
}

struct tracee *tracee_add(struct tracees *t, pid_t tid, struct process *process)
{
	struct tracee *tr = calloc(1, sizeof(*tr));

	if (!tr)
		return NULL;
	if (t->recorded)
		tr->recording = recording_new();
	tr->process = process ? process : process_new(tid);
	if (!tr->process || (t->recorded && !tr->recording)) {
		if (!process)
			process_free(tr->process);
		recording_free(tr->recording);
		free(tr);
		return NULL;
	}
	if (++tr->process->refs > tr->process->most_threads)
		tr->process->most_threads = tr->process->refs;
	tr->tid = tid;
	tr->slot.tid = (uint32_t)tid;
	tr->slot.process = (uint32_t)tr->process->pid;
	mem_process_init(&tr->mem, tid);
	tr->cx = (struct call_ctx){
		.isa = isa_native,
		.mem = &tr->mem.mem,
		.key = t->key,
		.cookies = &cookies,
		.cookies_owner = tr,
	};
	HASH_ADD(hh, t->by_tid, tid, sizeof(tr->tid), tr);
	tell_alone(t);
	return tr;
}

void tracee_remove(struct tracees *t, struct tracee *tr)
{
	if (t->last == tr)
		t->last = NULL;
	HASH_DELETE(hh, t->by_tid, tr);
	tell_alone(t);
	process_unref(tr->process);
	call_record_free(&tr->call);
	recording_free(tr->recording);
	free(tr->pending.info);
	free(tr->pending.resent);
	free(tr);
}

void tracees_free(struct tracees *t)
{
	struct tracee *tr, *tmp;

	HASH_ITER(hh, t->by_tid, tr, tmp)
	tracee_remove(t, tr);
}
