/* SPDX-License-Identifier: Apache-2.0 */
/* A vDSO of ours for a program that has just been executed. */
#include "capture/bpf/clock/clock.h"

#include "base/log.h"
#include "calls/recorded.h"
#include "capture/bpf/clock/page.h"
#include "capture/ptrace.h"
#include "isa/vdso.h"
#include "variant/auxv.h"
#include "variant/inject.h"
#include "variant/newstack.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock-image.h"

_Static_assert(sizeof(clock_image) <= CLOCK_KERNEL_AT, "the image is before what is behind it");

#define SLOTS_SIZE (CLOCK_SLOTS * sizeof(struct clock_slot))

/* Of the kernel's function in its vDSO, which every process has the same of; 0: not known. */
static uint64_t kernel_function(void)
{
	static uint64_t offset;
	void *vdso, *at;

	if (offset)
		return offset;
	vdso = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
	at = vdso ? dlsym(vdso, isa_vdso_clock_gettime) : NULL;
	if (at)
		offset = (uint64_t)(uintptr_t)at - getauxval(AT_SYSINFO_EHDR);
	if (vdso)
		dlclose(vdso);
	return offset;
}

/* Its calls are recorded, and not held for a rule of the policy. */
static bool is_recorded(unsigned id)
{
	struct record_desc d;

	return record_describe(isa_native, &call_rows[id], &d);
}

static bool is_possible(const struct tracer *t)
{
	return t->collector.recorder && recorder_clock_slots(t->collector.recorder) &&
	       isa_vdso_is_possible() && kernel_function() && is_recorded(CALL_CLOCK_GETTIME) &&
	       is_recorded(CALL_GETTIMEOFDAY);
}

/* The thread makes a call that may not fail. */
static int make(struct injection *in, long nr, const uint64_t arg[6], int64_t *ret)
{
	int r = inject_call(in, nr, arg, ret);

	return r < 0 ? r : *ret < 0 ? (int)*ret : 0;
}

/* The recorder's array at addr, by way of a descriptor that is gone afterwards. */
static int map_slots(struct injection *in, int slots_fd, uint64_t addr)
{
	int64_t monitor, fd, at, closed;
	int r = make(in, SYS_pidfd_open, (uint64_t[6]){ (uint64_t)getpid() }, &monitor);

	if (r < 0)
		return r;
	r = make(in, SYS_pidfd_getfd, (uint64_t[6]){ (uint64_t)monitor, (uint64_t)slots_fd }, &fd);
	if (r == 0) {
		r = make(in, SYS_mmap, (uint64_t[6]){ addr, SLOTS_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED,
						      (uint64_t)fd, 0 }, &at);
		inject_call(in, SYS_close, (uint64_t[6]){ (uint64_t)fd }, &closed);
	}
	inject_call(in, SYS_close, (uint64_t[6]){ (uint64_t)monitor }, &closed);
	return r;
}

/* The image, which cannot be written from here on. */
static int put_image(struct injection *in, uint64_t base)
{
	uint64_t kernel;
	int64_t done;
	int r = newstack_write(in->tid, base, clock_image, sizeof(clock_image));

	if (r == 0)
		r = auxv_show_vdso(in->tid, base, &kernel);
	if (r < 0)
		return r;
	kernel += kernel_function();
	r = newstack_write(in->tid, base + CLOCK_KERNEL_AT, &kernel, sizeof(kernel));
	return r < 0 ? r : make(in, SYS_mprotect,
				(uint64_t[6]){ base, CLOCK_AREA_STEP, PROT_READ | PROT_EXEC }, &done);
}

/* Image, page and slots. *ret: where. The vDSO is shown when all of it is there. */
static int map_area(struct injection *in, struct recorder *r, uint64_t *ret)
{
	int64_t base, done;
	int err = make(in, SYS_mmap,
		       (uint64_t[6]){ 0, CLOCK_AREA_SIZE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0 }, &base);

	if (err < 0)
		return err;
	*ret = (uint64_t)base;
	err = map_slots(in, recorder_clock_fd(r), *ret + 2 * CLOCK_AREA_STEP);
	if (err < 0)
		inject_call(in, SYS_munmap, (uint64_t[6]){ *ret, CLOCK_AREA_SIZE }, &done);
	return err < 0 ? err : put_image(in, *ret);
}

static int install(struct tracer *t, struct tracee *tr, struct injection *in)
{
	struct recorder *r = t->collector.recorder;
	struct process *p = tr->process;
	struct clock_slot *s = recorder_clock_slot(r, p->pid);
	struct clock_page page = { 0 };
	uint64_t base;
	int err;

	if (!s)
		return -EBUSY;
	err = map_area(in, r, &base);
	if (err < 0)
		return err;
	p->clock_slots = base + 2 * CLOCK_AREA_STEP;
	page.slot = p->clock_slots + (uint64_t)(s - recorder_clock_slots(r)) * sizeof(*s);
	*s = (struct clock_slot){ .page = base + CLOCK_AREA_STEP };
	err = newstack_write(in->tid, s->page, &page, sizeof(page));
	if (err < 0)
		return err;
	s->pid = (uint32_t)p->pid;
	p->clock = s;
	return 0;
}

int clock_at_exec(struct tracer *t, struct tracee *tr)
{
	struct injection in;
	int r, q;

	clock_release(tr->process);
	if (!is_possible(t))
		return 0;
	r = inject_begin(&in, tr->tid);
	if (r == 0) {
		r = install(t, tr, &in);
		if (r < 0 && r != -ESRCH) {
			log_debug("clocks of %d are read by calls: %s", (int)tr->tid, strerror(-r));
			r = 0;
		}
	}
	q = inject_end(&in);
	/* Calls of ours were recorded as well. */
	collector_drain(t);
	return r < 0 ? r : q < 0 ? q : 1;
}
