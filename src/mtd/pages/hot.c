/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/pages/hot.h"

void hot_add(struct hot *h, uint32_t page)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->page[i] == page)
			return;
	if (h->n < HOT_MAX)
		h->page[h->n++] = page;
	else
		h->page[h->turn++ % HOT_MAX] = page;
}

void hot_forget(struct hot *h)
{
	unsigned i;

	if (++h->switches % HOT_FORGETS || !h->n)
		return;
	i = h->turn++ % h->n;
	h->page[i] = h->page[--h->n];
}

void hot_leave(struct hot *h)
{
	h->n = 0;
}
