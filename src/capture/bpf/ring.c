/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/bpf/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

int ring_open(struct ring *r, int map_fd, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *consumer, *producer;

	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (consumer == MAP_FAILED)
		return -errno;
	producer = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
	if (producer == MAP_FAILED) {
		int err = errno;

		munmap(consumer, page);
		return -err;
	}
	*r = (struct ring){
		.consumer = consumer,
		.producer = producer,
		.data = (const uint8_t *)producer + page,
		.size = size,
	};
	return 0;
}

void ring_close(struct ring *r)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!r->consumer)
		return;
	munmap(r->consumer, page);
	munmap((void *)(uintptr_t)r->producer, page + 2 * r->size);
	*r = (struct ring){ 0 };
}

bool ring_is_empty(const struct ring *r)
{
	return *r->consumer == __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
}

/* The length word of the record at position at. BUSY means that it is still being written. */
static uint32_t length_at(const struct ring *r, uint64_t at)
{
	const uint32_t *word = (const uint32_t *)(const void *)(r->data + (at & (r->size - 1)));

	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* From a record of len bytes to the next. */
static uint64_t next_after(uint32_t len)
{
	return ((uint64_t)len + BPF_RINGBUF_HDR_SZ + 7) & ~7ull;
}

/* The next record, which another processor has written, comes while this one is handled. */
static void fetch_at(const struct ring *r, uint64_t at)
{
	const uint8_t *p = r->data + (at & (r->size - 1));

	__builtin_prefetch(p);
	__builtin_prefetch(p + 64);
}

/* Each time costs the programs that write a cache miss. */
#define SETTLE_EVERY (256u << 10)

static void settle_at(struct ring *r, uint64_t at, ring_settle_fn *settle, void *state)
{
	settle(state);
	__atomic_store_n(r->consumer, at, __ATOMIC_RELEASE);
}

size_t ring_drain(struct ring *r, bool wait, ring_record_fn *fn, ring_settle_fn *settle, void *state)
{
	uint64_t at = *r->consumer, end = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
	uint64_t settled = at;
	size_t n = 0;

	while (at < end) {
		uint32_t word = length_at(r, at);
		uint32_t len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (word & BPF_RINGBUF_BUSY_BIT) {
			if (!wait)
				break;
			sched_yield(); /* a program in the kernel is about to finish it */
			continue;
		}
		fetch_at(r, at + next_after(len));
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			fn(state, r->data + (at & (r->size - 1)) + BPF_RINGBUF_HDR_SZ, len);
			n++;
		}
		at += next_after(len);
		if (at - settled >= SETTLE_EVERY || at - settled >= r->size / 4) {
			settle_at(r, at, settle, state);
			settled = at;
		}
	}
	if (at != settled)
		settle_at(r, at, settle, state);
	return n;
}
