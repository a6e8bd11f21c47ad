/* SPDX-License-Identifier: Apache-2.0 */
#include "event/iovec.h"
#include "event/memio.h"
#include "event/view.h"

#include <errno.h>

/* Elements read at once: most arrays are shorter. */
#define IOV_BATCH 64u

/* What to do with one element, cut to the bytes left; 0 to go on. */
typedef int iov_visit(void *state, uint64_t base, uint64_t len);

static int iov_walk(const struct iov *v, uint64_t max, iov_visit *visit, void *state)
{
	struct native_iovec batch[IOV_BATCH];
	uint64_t done = 0;

	if (v->count > IOV_COUNT_MAX)
		return -EFAULT;
	while (done < v->count && max) {
		uint64_t n = v->count - done < IOV_BATCH ? v->count - done : IOV_BATCH;
		int r = mem_get(v->mem, v->addr + done * sizeof(*batch), batch,
				n * sizeof(*batch), NULL);

		for (uint64_t i = 0; i < n && r == 0 && max; i++) {
			uint64_t len = batch[i].len < max ? batch[i].len : max;

			if (batch[i].len > INT64_MAX)
				return -EFAULT;
			r = len ? visit(state, batch[i].base, len) : 0;
			max -= len;
		}
		if (r < 0)
			return r;
		done += n;
	}
	return 0;
}

static int visit_total(void *state, uint64_t base, uint64_t len)
{
	*(uint64_t *)state += len;
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

static int visit_gather(void *state, uint64_t base, uint64_t len)
{
	struct gather *g = state;

	return sink_mem(g->to, g->mem, base, len);
}

int iov_gather(const struct iov *v, uint64_t max, struct sink *to)
{
	struct gather g = { v->mem, to };

	return iov_walk(v, max < RW_COUNT_MAX ? max : RW_COUNT_MAX, visit_gather, &g);
}

struct scatter {
	struct mem *mem;
	const uint8_t *data;
	size_t left;
};

static int visit_scatter(void *state, uint64_t base, uint64_t len)
{
	struct scatter *s = state;
	int r = mem_put(s->mem, base, s->data, len);

	s->data += len;
	s->left -= len;
	return r;
}

int iov_scatter(const struct iov *v, const uint8_t *data, size_t len)
{
	struct scatter s = { v->mem, data, len };
	int r = iov_walk(v, len, visit_scatter, &s);

	return r < 0 ? r : s.left ? -EPROTO : 0;
}
