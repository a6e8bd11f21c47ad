/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/bpf/ring.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOTS_SIZE (RING_SLOTS * sizeof(struct record))

/* Slots after which room is given back: each time costs the programs that write a cache miss. */
#define SETTLE_EVERY 1024u

static size_t bytes_size(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (RING_BYTES + RING_BYTES_OVER + page - 1) & ~(page - 1);
}

int ring_open(struct ring *r, int slots_fd, int bytes_fd, struct record_shared *shared)
{
	void *slots, *bytes;

	slots = mmap(NULL, SLOTS_SIZE, PROT_READ, MAP_SHARED, slots_fd, 0);
	if (slots == MAP_FAILED)
		return -errno;
	bytes = mmap(NULL, bytes_size(), PROT_READ, MAP_SHARED, bytes_fd, 0);
	if (bytes == MAP_FAILED) {
		int err = errno;

		munmap(slots, SLOTS_SIZE);
		return -err;
	}
	*r = (struct ring){ .shared = shared, .slots = slots, .bytes = bytes };
	return 0;
}

void ring_close(struct ring *r)
{
	if (!r->slots)
		return;
	munmap((void *)(uintptr_t)r->slots, SLOTS_SIZE);
	munmap((void *)(uintptr_t)r->bytes, bytes_size());
	*r = (struct ring){ 0 };
}

static uint64_t load(const __u64 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

bool ring_is_empty(const struct ring *r)
{
	return r->shared->reader.slots == load(&r->shared->slots);
}

static const struct record *slot_at(const struct ring *r, uint64_t at)
{
	return &r->slots[at & (RING_SLOTS - 1)];
}

static const uint8_t *piece_of(const struct ring *r, const struct record *x)
{
	return x->at == RECORD_INLINE ? x->piece : r->bytes + (x->at & (RING_BYTES - 1));
}

/* What another processor has written comes while the records before are handled. */
static void fetch_after(const struct ring *r, uint64_t at)
{
	const struct record *far = slot_at(r, at + 3), *next = slot_at(r, at + 1);

	__builtin_prefetch(far);
	__builtin_prefetch((const char *)far + 64);
	/* It may not be complete: then this is of no use, and does no harm. */
	__builtin_prefetch(piece_of(r, next));
}

/* The slots before at, and the bytes before position bytes, are the writers' again. */
static void settle_at(struct ring *r, uint64_t at, uint64_t bytes, ring_settle_fn *settle, void *state)
{
	settle(state);
	__atomic_store_n(&r->shared->reader.bytes, bytes, __ATOMIC_RELEASE);
	__atomic_store_n(&r->shared->reader.slots, at, __ATOMIC_RELEASE);
}

size_t ring_drain(struct ring *r, bool wait, ring_record_fn *fn, ring_settle_fn *settle, void *state)
{
	/* Of bytes taken before bytes is read, the slots were taken before end is read. */
	uint64_t bytes = load(&r->shared->bytes), end = load(&r->shared->slots);
	uint64_t begin = r->shared->reader.slots, at = begin, settled = begin;

	while (at < end) {
		const struct record *x = slot_at(r, at);

		if (load(&x->turn) != at + 1) {
			if (!wait)
				break;
			sched_yield(); /* a program in the kernel is about to finish it */
			continue;
		}
		if (at - settled >= SETTLE_EVERY) {
			settle_at(r, at, x->base, settle, state);
			settled = at;
		}
		fetch_after(r, at);
		if (x->kind != RECORD_NONE)
			fn(state, x, piece_of(r, x));
		at++;
	}
	if (at == end)
		settle_at(r, at, bytes, settle, state);
	else if (at != settled)
		settle_at(r, at, r->shared->reader.bytes, settle, state);
	return at - begin;
}
