/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/runtime/freed.h"

static void remove_at(struct freed *f, uint64_t i)
{
	for (f->n--; i < f->n; i++)
		f->range[i] = f->range[i + 1];
}

void freed_keep(struct freed *f, struct range r)
{
	if (r.end - r.start > FREED_LARGE) {
		memory_give_back(r);
		return;
	}
	if (f->n == FREED_MAX) {
		memory_give_back(f->range[0]);
		remove_at(f, 0);
	}
	f->range[f->n++] = r;
}

void freed_clean(struct freed *f, struct range r)
{
	for (uint64_t i = f->n; i-- > 0;) {
		struct range k = f->range[i];
		uint64_t start = k.start > r.start ? k.start : r.start;
		uint64_t end = k.end < r.end ? k.end : r.end;

		if (start >= end)
			continue;
		remove_at(f, i);
		__builtin_memset((void *)start, 0, end - start);
		/* What is left of it is outside of r: the loop need not see it. */
		if (k.start < start)
			freed_keep(f, (struct range){ k.start, start });
		if (end < k.end)
			freed_keep(f, (struct range){ end, k.end });
	}
}
