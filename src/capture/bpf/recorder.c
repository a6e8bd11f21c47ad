/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/bpf/recorder.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "calls/recorded.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record.skel.h"

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char *text;

	/* Only what went wrong: with it comes the verifier's whole log. */
	if (level == LIBBPF_WARN && vasprintf(&text, fmt, ap) >= 0) {
		log_debug("%s", text);
		free(text);
	}
	return 0;
}

/* The initial pid namespace has a fixed inode (PROC_PID_INIT_INO, linux/proc_ns.h). */
#define INIT_PIDNS_INO 0xeffffffcu

static void set_namespace(struct record_bpf *program)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0 || st.st_ino == INIT_PIDNS_INO)
		return;
	program->rodata->pidns_dev = st.st_dev;
	program->rodata->pidns_ino = st.st_ino;
}

static void set_descriptions(struct record_bpf *program)
{
	_Static_assert(CALL_NR_MAX == RECORD_CALLS_MAX, "one description for each call number");
	for (long nr = 0; nr < CALL_NR_MAX; nr++) {
		struct record_desc d;

		record_describe_nr(isa_native, nr, &d);
		memcpy((void *)(uintptr_t)&program->rodata->descs[nr], &d, sizeof(d));
	}
}

static int set_sub_calls(struct record_bpf *program)
{
	int fd = bpf_map__fd(program->maps.subs);

	for (unsigned id = 0; id < _CALL_MAX; id++) {
		const struct call_row *row = &call_rows[id];
		struct record_sub key = { (uint32_t)row->nr[isa_native],
					  { row->sub_value, row->sub_value2 } };
		struct record_desc d;

		if (row->parent == id || !record_describe(isa_native, row, &d))
			continue;
		if (bpf_map_update_elem(fd, &key, &d, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

static int load(struct recorder *r, const char **ret_why)
{
	int err;

	libbpf_set_print(quiet);
	*ret_why = "this build has no program for the kernel";
	r->program = record_bpf__open();
	if (!r->program)
		return -errno;
	bpf_map__set_max_entries(r->program->maps.bell, (uint32_t)sysconf(_SC_PAGESIZE));
	set_namespace(r->program);
	set_descriptions(r->program);
	err = record_bpf__load(r->program);
	if (err == -EPERM)
		*ret_why = "loading programs into the kernel needs root, or CAP_BPF and CAP_PERFMON";
	else if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		*ret_why = "the kernel does not tell its types (no /sys/kernel/btf/vmlinux)";
	else
		*ret_why = "the kernel did not take the program (it needs Linux 6.1 or later)";
	return err;
}

static int heard(void *ctx, void *data, size_t len)
{
	return 0;
}

static int open_rings(struct recorder *r)
{
	struct record_bpf *p = r->program;
	int bell = bpf_map__fd(p->maps.bell);
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };

	r->shared = &p->bss->shared;
	recorder_set_room(r, UINT64_MAX, UINT64_MAX);
	r->wake_fd = epoll_create1(EPOLL_CLOEXEC);
	r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->wake_fd < 0 || r->event_fd < 0 ||
	    epoll_ctl(r->wake_fd, EPOLL_CTL_ADD, bell, &e) < 0 ||
	    epoll_ctl(r->wake_fd, EPOLL_CTL_ADD, r->event_fd, &e) < 0)
		return -errno;
	r->bell = ring_buffer__new(bell, heard, NULL, NULL);
	if (!r->bell)
		return -errno;
	return ring_open(&r->ring, bpf_map__fd(p->maps.slots), bpf_map__fd(p->maps.bytes), &p->bss->shared);
}

/* Slots are found by the kernel's own ids of processes. */
static void open_clocks(struct recorder *r)
{
	void *p;

	if (r->program->rodata->pidns_ino)
		return;
	p = mmap(NULL, CLOCK_SLOTS * sizeof(struct clock_slot), PROT_READ | PROT_WRITE, MAP_SHARED,
		 recorder_clock_fd(r), 0);
	if (p != MAP_FAILED)
		r->clocks = p;
}

struct clock_slot *recorder_clock_slots(const struct recorder *r)
{
	return r->clocks;
}

int recorder_clock_fd(const struct recorder *r)
{
	return bpf_map__fd(r->program->maps.clocks);
}

struct clock_slot *recorder_clock_slot(const struct recorder *r, pid_t pid)
{
	struct clock_slot *s = &r->clocks[(unsigned)pid & (CLOCK_SLOTS - 1)];

	return s->pid ? NULL : s;
}

int recorder_open(struct recorder **ret, const char **ret_why)
{
	struct recorder *r = calloc(1, sizeof(*r));
	int err;

	*ret_why = "out of memory";
	if (!r)
		return -ENOMEM;
	r->wake_fd = r->event_fd = -1;
	err = load(r, ret_why);
	if (err == 0)
		err = set_sub_calls(r->program);
	if (err == 0)
		err = open_rings(r);
	if (err == 0)
		open_clocks(r);
	if (err < 0) {
		recorder_close(r);
		return err;
	}
	*ret = r;
	return 0;
}

int recorder_start(struct recorder *r)
{
	int err, fd = bpf_program__fd(r->program->progs.learn_tracer);
	LIBBPF_OPTS(bpf_test_run_opts, run);

	err = bpf_prog_test_run_opts(fd, &run);
	if (err == 0)
		err = record_bpf__attach(r->program);
	return err;
}

void recorder_set_room(struct recorder *r, uint64_t records, uint64_t bytes)
{
	r->shared->reader.room_slots = records < RING_SLOTS / 2 ? records : RING_SLOTS / 2;
	r->shared->reader.room_bytes = bytes < RING_BYTES / 2 ? bytes : RING_BYTES / 2;
}

void recorder_close(struct recorder *r)
{
	if (!r)
		return;
	ring_close(&r->ring);
	if (r->clocks)
		munmap(r->clocks, CLOCK_SLOTS * sizeof(struct clock_slot));
	ring_buffer__free(r->bell);
	cleanup_close_fn(&r->wake_fd);
	cleanup_close_fn(&r->event_fd);
	record_bpf__destroy(r->program);
	free(r);
}

void recorder_wait(struct recorder *r, int64_t timeout_us)
{
	struct timespec t = { timeout_us / 1000000, timeout_us % 1000000 * 1000 };
	struct epoll_event e;

	/* Edge-triggered: what is in the ring does not end the wait, only the kernel's wake-up. */
	epoll_pwait2(r->wake_fd, &e, 1, timeout_us < 0 ? NULL : &t, NULL);
	/* That it rang is all that it says; when it is full it does not ring. */
	ring_buffer__consume(r->bell);
}

void recorder_wake(struct recorder *r)
{
	uint64_t one = 1;

	(void)!write(r->event_fd, &one, sizeof(one));
}
