/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory calls on the shared heap: addresses have to be equal on both nodes, so the kernels are not
 * asked. The used ranges are a sorted list in shared memory; neighbours are merged, for a page has no
 * attributes here: it is readable and writable, or free. A page that becomes used reads as zeros; what
 * is freed is given back to the memory file, now or later (freed.h).
 */
#include "mtd/runtime/freed.h"
#include "mtd/runtime/runtime.h"

#define ENOMEM 12
#define EACCES 13
#define ENODEV 19
#define EINVAL 22

enum { NR_pread64 = 17, NR_mmap = 9, NR_mprotect = 10, NR_munmap = 11, NR_brk = 12, NR_mremap = 25,
       NR_msync = 26, NR_madvise = 28 };
enum { PROT_EXEC = 4, MAP_SHARED = 1, MAP_TYPE = 0xf, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20,
       MREMAP_MAYMOVE = 1, MADV_DONTNEED = 4, MADV_REMOVE = 9 };

struct heap {
	struct freed freed;
	uint64_t n;
	struct range used[];
};

#define HEAP_STATE   ((struct heap *)(MTD_CONTROL + MTD_PAGE))
#define MAX_RANGES   ((MTD_CONTROL_SIZE - MTD_PAGE - sizeof(struct heap)) / sizeof(struct range))
#define HEAP_END     (MTD_HEAP + MTD_HEAP_SIZE)

int is_in_heap(uint64_t address, uint64_t size)
{
	return address >= MTD_HEAP && address <= HEAP_END && size <= HEAP_END - address;
}

int is_shared(uint64_t address, uint64_t size)
{
#define IS_IN(begin, length)                                                                       \
	if (address >= (begin) && address - (begin) <= (length) &&                                 \
	    size <= (length) - (address - (begin)))                                                \
		return 1;
	IS_IN(MTD_DATA, data_size())
	MTD_REGIONS(IS_IN)
	return 0;
}

/* Rounds up to pages; 0 when it is 0 or more than the heap. */
static uint64_t whole_pages(uint64_t size)
{
	return size > MTD_HEAP_SIZE ? 0 : (size + MTD_PAGE - 1) & ~(MTD_PAGE - 1);
}

static void remove_at(struct heap *h, uint64_t i)
{
	for (h->n--; i < h->n; i++)
		h->used[i] = h->used[i + 1];
}

static int insert_at(struct heap *h, uint64_t i, struct range r)
{
	if (h->n >= MAX_RANGES)
		return -ENOMEM;
	for (uint64_t k = h->n++; k > i; k--)
		h->used[k] = h->used[k - 1];
	h->used[i] = r;
	return 0;
}

/* The first range that ends behind the address. */
static uint64_t find(const struct heap *h, uint64_t address)
{
	uint64_t low = 0, high = h->n;

	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (h->used[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int mark_used(struct range r)
{
	struct heap *h = HEAP_STATE;
	uint64_t i = find(h, r.start ? r.start - 1 : 0);

	/* Swallow all that touch it. */
	while (i < h->n && h->used[i].start <= r.end) {
		if (h->used[i].start < r.start)
			r.start = h->used[i].start;
		if (h->used[i].end > r.end)
			r.end = h->used[i].end;
		remove_at(h, i);
	}
	return insert_at(h, i, r);
}

static int mark_free(struct range r)
{
	struct heap *h = HEAP_STATE;
	uint64_t i = find(h, r.start);

	while (i < h->n && h->used[i].start < r.end) {
		struct range u = h->used[i];

		remove_at(h, i);
		if (u.start < r.start && insert_at(h, i++, (struct range){ u.start, r.start }) < 0)
			return -ENOMEM;
		if (u.end > r.end && insert_at(h, i++, (struct range){ r.end, u.end }) < 0)
			return -ENOMEM;
	}
	return 0;
}

static uint64_t find_free(uint64_t size)
{
	struct heap *h = HEAP_STATE;
	uint64_t at = MTD_HEAP;

	for (uint64_t i = 0; i < h->n; i++) {
		if (h->used[i].start - at >= size)
			return at;
		at = h->used[i].end;
	}
	return HEAP_END - at >= size ? at : 0;
}

/* By home: not every emulator of the other ISA does it. */
void memory_give_back(struct range r)
{
	long args[6] = { (long)r.start, (long)(r.end - r.start), MADV_REMOVE, 0, 0, 0 };

	if (mtd_node.role == ROLE_ALONE)
		args[2] = MADV_DONTNEED;
	if (call_home(NR_madvise, args) < 0)
		die("the memory file cannot give pages back");
}

/* Marks a free range as used, and makes it zeros. */
static int take(struct range r)
{
	if (mark_used(r) < 0)
		return -ENOMEM;
	freed_clean(&HEAP_STATE->freed, r);
	return 0;
}

static long fill_from_file(uint64_t at, uint64_t size, long fd, long offset)
{
	uint64_t done = 0;

	while (done < size) {
		long args[6] = { fd, (long)(at + done), (long)(size - done), offset + (long)done, 0, 0 };
		long r = call_home(NR_pread64, args);

		if (r < 0)
			return r;
		if (r == 0)
			break;
		done += (uint64_t)r;
	}
	return 0;
}

static long do_munmap(uint64_t at, uint64_t size)
{
	struct range r = { at, at + whole_pages(size) };

	if (at % MTD_PAGE || !whole_pages(size) || !is_in_heap(at, whole_pages(size)))
		return -EINVAL;
	if (mark_free(r) < 0)
		return -ENOMEM;
	freed_keep(&HEAP_STATE->freed, r);
	return 0;
}

static long do_mmap(const long *a)
{
	uint64_t size = whole_pages((uint64_t)a[1]), at = (uint64_t)a[0];
	long flags = a[3], r;

	if (!size)
		return a[1] ? -ENOMEM : -EINVAL;
	if (a[2] & PROT_EXEC)
		return -EACCES;
	if (!(flags & MAP_ANONYMOUS) && (flags & MAP_TYPE) == MAP_SHARED) {
		warn_number("a program that moves cannot map a file shared; refused for descriptor ",
			    (uint64_t)a[4]);
		return -ENODEV;
	}
	if (flags & MAP_FIXED) {
		r = do_munmap(at, size);
		if (r < 0)
			return r;
	} else {
		at = find_free(size);
	}
	if (!at || take((struct range){ at, at + size }) < 0)
		return -ENOMEM;
	if (flags & MAP_ANONYMOUS)
		return (long)at;
	r = fill_from_file(at, (uint64_t)a[1], a[4], a[5]);
	if (r < 0)
		do_munmap(at, size);
	return r < 0 ? r : (long)at;
}

static int is_free(struct range r)
{
	struct heap *h = HEAP_STATE;
	uint64_t i = find(h, r.start);

	return r.end <= HEAP_END && (i == h->n || h->used[i].start >= r.end);
}

static long do_mremap(const long *a)
{
	uint64_t at = (uint64_t)a[0], old = whole_pages((uint64_t)a[1]), new = whole_pages((uint64_t)a[2]);
	long args[6] = { 0, a[2], 3, MAP_ANONYMOUS | 2, -1, 0 }, to;

	if (!old || !new || at % MTD_PAGE || !is_in_heap(at, old) || a[3] & ~MREMAP_MAYMOVE)
		return -EINVAL;
	if (new < old) {
		do_munmap(at + new, old - new);
		return (long)at;
	}
	if (new == old || (is_free((struct range){ at + old, at + new }) &&
			   take((struct range){ at + old, at + new }) == 0))
		return (long)at;
	if (!(a[3] & MREMAP_MAYMOVE))
		return -ENOMEM;
	to = do_mmap(args);
	if (to < 0)
		return to;
	__builtin_memcpy((void *)to, (void *)at, old);
	do_munmap(at, old);
	return to;
}

static long do_madvise(const long *a)
{
	uint64_t at = (uint64_t)a[0], size = whole_pages((uint64_t)a[1]);

	if (a[2] == MADV_DONTNEED && at % MTD_PAGE == 0 && size && is_in_heap(at, size))
		memory_give_back((struct range){ at, at + size });
	return 0;
}

int memory_for_each_used(int (*fn)(uint64_t at, uint64_t size))
{
	struct heap *h = HEAP_STATE;
	int r = 0;

	for (uint64_t i = 0; i < h->n && r == 0; i++)
		r = fn(h->used[i].start, h->used[i].end - h->used[i].start);
	return r;
}

uint64_t memory_state_size(void)
{
	return sizeof(struct heap) + HEAP_STATE->n * sizeof(struct range);
}

int is_memory_call(long nr)
{
	return (nr >= NR_mmap && nr <= NR_brk) || nr == NR_mremap || nr == NR_msync ||
	       nr == NR_madvise;
}

long memory_call(long nr, const long *a)
{
	switch (nr) {
	case NR_mmap:
		return do_mmap(a);
	case NR_munmap:
		return do_munmap((uint64_t)a[0], (uint64_t)a[1]);
	case NR_mremap:
		return do_mremap(a);
	case NR_madvise:
		return do_madvise(a);
	case NR_mprotect:
		return a[2] & PROT_EXEC ? -EACCES : 0;
	default:	/* brk: the C library then uses mmap; msync: nothing is mapped from files */
		return 0;
	}
}

void memory_init(uint64_t used)
{
	HEAP_STATE->n = HEAP_STATE->freed.n = 0;
	mark_used((struct range){ MTD_HEAP, MTD_HEAP + whole_pages(used) });
}
