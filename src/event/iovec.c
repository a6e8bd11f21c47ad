/* SPDX-License-Identifier: Apache-2.0 */
#include "event/iovec.h"
#include "event/memio.h"
#include "event/view.h"

#include <errno.h>

/* What to do with some elements, together total bytes; 0 to go on. */
typedef int iov_visit(void *state, const struct mem_range *ranges, size_t n, uint64_t total);

/* Cuts ranges to max bytes in all and drops empty ones. */
static int iov_cut(struct mem_range *ranges, size_t n, uint64_t max, size_t *ret_n,
		   uint64_t *ret_total)
{
	uint64_t total = 0;
	size_t kept = 0;

	for (size_t i = 0; i < n && total < max; i++) {
		struct mem_range r = ranges[i];

		if (r.len > INT64_MAX)
			return -EFAULT;
		if (r.len > max - total)
			r.len = max - total;
		if (r.len)
			ranges[kept++] = r;
		total += r.len;
	}
	*ret_n = kept;
	*ret_total = total;
	return 0;
}

static int iov_walk(const struct iov *v, uint64_t max, iov_visit *visit, void *state)
{
	struct mem_range batch[MEM_RANGES_MAX];
	uint64_t done = 0, total = 0;

	if (v->count > IOV_COUNT_MAX)
		return -EFAULT;
	for (; done < v->count && max; max -= total) {
		size_t n = v->count - done < MEM_RANGES_MAX ? v->count - done : MEM_RANGES_MAX,
		       kept;
		int r = mem_get(v->mem, v->addr + done * sizeof(*batch), batch, n * sizeof(*batch),
				NULL);

		if (r == 0)
			r = iov_cut(batch, n, max, &kept, &total);
		if (r == 0)
			r = visit(state, batch, kept, total);
		if (r < 0)
			return r;
		done += n;
	}
	return 0;
}

static int visit_total(void *state, const struct mem_range *ranges, size_t n, uint64_t total)
{
	*(uint64_t *)state += total;
	return 0;
}

int iov_total(const struct iov *v, uint64_t *ret)
{
	uint64_t total = 0;
	int r = iov_walk(v, RW_COUNT_MAX, visit_total, &total);

	if (r == 0)
		*ret = total;
	return r;
}

struct gather {
	struct mem *mem;
	struct sink *to;
};

static int visit_gather(void *state, const struct mem_range *ranges, size_t n, uint64_t total)
{
	struct gather *g = state;
	int r = 0;

	if (sink_ranges(g->to, g->mem, ranges, n, total))
		return 0;
	/* One by one: what can be read of a range that ends somewhere is taken. */
	for (size_t i = 0; i < n && r == 0; i++)
		r = sink_mem(g->to, g->mem, ranges[i].addr, ranges[i].len);
	return r;
}

int iov_gather(const struct iov *v, uint64_t max, struct sink *to)
{
	struct gather g = {v->mem, to};

	return iov_walk(v, max < RW_COUNT_MAX ? max : RW_COUNT_MAX, visit_gather, &g);
}

struct scatter {
	struct mem *mem;
	const uint8_t *data;
	size_t left;
};

static int visit_scatter(void *state, const struct mem_range *ranges, size_t n, uint64_t total)
{
	struct scatter *s = state;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		r = mem_put(s->mem, ranges[i].addr, s->data, ranges[i].len);
		s->data += ranges[i].len;
		s->left -= ranges[i].len;
	}
	return r;
}

int iov_scatter(const struct iov *v, const uint8_t *data, size_t len)
{
	struct scatter s = {v->mem, data, len};
	int r = iov_walk(v, len, visit_scatter, &s);

	return r < 0 ? r : s.left ? -EPROTO : 0;
}
