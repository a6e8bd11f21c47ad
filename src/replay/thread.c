/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/thread.h"

#include "replay/timer.h"

#include <errno.h>
#include <stdlib.h>

static int64_t cookie_to_object(void *owner, int epfd, uint64_t cookie)
{
	return vdt_epoll_object(((struct fthread *)owner)->process->vdt, epfd, cookie);
}

static uint64_t cookie_of_object(void *owner, int epfd, int64_t object)
{
	return vdt_epoll_cookie(((struct fthread *)owner)->process->vdt, epfd, object);
}

static const struct cookie_ops cookies = {
	.to_object = cookie_to_object,
	.to_cookie = cookie_of_object,
};

struct fthread *fthread_find(struct fthreads *t, pid_t tid)
{
	struct fthread *f;

	HASH_FIND(hh, t->by_tid, &tid, sizeof(tid), f);
	return f;
}

struct fthread *fthread_of_canonical(struct fthreads *t, uint32_t canonical)
{
	for (struct fthread *f = t->by_tid; f; f = f->hh.next)
		if (f->canonical == canonical)
			return f;
	return NULL;
}

static struct fprocess *process_of(pid_t pid, struct vdt *vdt)
{
	struct fprocess *p = vdt ? calloc(1, sizeof(*p)) : NULL;

	if (!p) {
		vdt_free(vdt);
		return NULL;
	}
	p->pid = pid;
	p->vdt = vdt;
	return p;
}

static void process_unref(struct fprocess *p)
{
	if (p && --p->refs == 0) {
		timer_forget_all(p);
		vdt_free(p->vdt);
		free(p);
	}
}

struct fprocess *fprocess_fork(const struct fprocess *from, pid_t pid)
{
	struct fprocess *p = process_of(pid, vdt_copy(from->vdt));

	if (p) {
		p->loader = from->loader;
		p->moved = from->moved;
		p->monotonic = from->monotonic;
		p->coarse = from->coarse;
	}
	return p;
}

void fthread_set_process(struct fthread *f, struct fprocess *process)
{
	if (++process->refs > process->most_threads)
		process->most_threads = process->refs;
	process_unref(f->process);
	f->process = process;
}

struct fthread *fthread_add(struct fthreads *t, pid_t tid, struct fprocess *process)
{
	struct fthread *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	if (!process)
		process = process_of(tid, vdt_new());
	if (!process) {
		free(f);
		return NULL;
	}
	fthread_set_process(f, process);
	f->tid = tid;
	mem_process_init(&f->mem, tid);
	f->cx = (struct call_ctx){
		.isa = isa_native,
		.mem = &f->mem.mem,
		.key = t->key,
		.cookies = &cookies,
		.cookies_owner = f,
	};
	HASH_ADD(hh, t->by_tid, tid, sizeof(f->tid), f);
	return f;
}

void fthread_remove(struct fthreads *t, struct fthread *f)
{
	HASH_DELETE(hh, t->by_tid, f);
	process_unref(f->process);
	call_record_free(&f->call);
	call_record_free(&f->leader);
	free(f);
}

void fthreads_note_dead(struct fthreads *t, uint32_t canonical, pid_t pid)
{
	struct fdead *d;

	/* Nobody waits for a child whose parent ignores SIGCHLD. */
	if (kill(pid, 0) < 0 && errno == ESRCH)
		return;
	fthreads_take_dead(t, canonical); /* an earlier process of that id, which nobody waited for */
	d = malloc(sizeof(*d));
	if (!d)
		return;
	*d = (struct fdead){ canonical, pid };
	HASH_ADD(hh, t->dead, canonical, sizeof(d->canonical), d);
}

pid_t fthreads_take_dead(struct fthreads *t, uint32_t canonical)
{
	struct fdead *d;
	pid_t pid;

	HASH_FIND(hh, t->dead, &canonical, sizeof(canonical), d);
	if (!d)
		return 0;
	pid = d->pid;
	HASH_DELETE(hh, t->dead, d);
	free(d);
	return pid;
}

void fthreads_free(struct fthreads *t)
{
	struct fthread *f, *tmp;

	HASH_ITER(hh, t->by_tid, f, tmp)
	fthread_remove(t, f);
	while (t->dead)
		fthreads_take_dead(t, t->dead->canonical);
}
