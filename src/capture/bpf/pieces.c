/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/bpf/pieces.h"

#include <errno.h>
#include <string.h>

/* The piece that has most of len bytes at addr: elements of an iovec may overlap. */
static const struct piece *find(const struct pieces *p, uint64_t addr, size_t len)
{
	const struct piece *best = NULL;
	uint64_t most = 0;

	for (unsigned i = 0; i < p->n && most < len; i++) {
		const struct piece *x = &p->piece[i];
		uint64_t skip = addr - x->addr;

		if (skip < x->len && x->len - skip > most) {
			best = x;
			most = x->len - skip;
		}
	}
	return best;
}

static ssize_t pieces_read(struct mem *mem, uint64_t addr, void *buf, size_t len)
{
	struct pieces *p = (struct pieces *)mem;
	const struct piece *x = find(p, addr, len);
	size_t skip, got;

	if (!x) {
		p->missed = true;
		return -EFAULT;
	}
	skip = (size_t)(addr - x->addr);
	got = x->len - skip < len ? x->len - skip : len;
	if (got < len && !x->string)
		p->missed = true;
	memcpy(buf, (x->data ? x->data : p->bytes.data + x->off) + skip, got);
	return (ssize_t)got;
}

static ssize_t pieces_write(struct mem *mem, uint64_t addr, const void *buf, size_t len)
{
	return -EFAULT; /* a leader's memory is never written to through its records */
}

void pieces_init(struct pieces *p)
{
	*p = (struct pieces){ .mem = { pieces_read, pieces_write, NULL } };
}

void pieces_free(struct pieces *p)
{
	writer_free(&p->bytes);
	pieces_init(p);
}

void pieces_reset(struct pieces *p)
{
	p->n = 0;
	p->missed = false;
	writer_reset(&p->bytes);
}

static bool follows(const struct piece *last, uint64_t addr)
{
	return !last->data && !last->string && last->addr + last->len == addr;
}

int pieces_add(struct pieces *p, uint64_t addr, const void *data, size_t len, bool string)
{
	size_t off = p->bytes.len;

	if (len == 0)
		return 0;
	put_bytes(&p->bytes, data, len);
	if (p->bytes.failed)
		return -ENOMEM;
	if (p->n && !string && follows(&p->piece[p->n - 1], addr)) {
		p->piece[p->n - 1].len += len;
		return 0;
	}
	if (p->n == PIECES_MAX)
		return -E2BIG;
	p->piece[p->n++] = (struct piece){ .addr = addr, .off = off, .len = len, .string = string };
	return 0;
}

int pieces_borrow(struct pieces *p, uint64_t addr, const void *data, size_t len)
{
	if (len == 0)
		return 0;
	if (p->n == PIECES_MAX)
		return -E2BIG;
	p->piece[p->n++] = (struct piece){ .addr = addr, .data = data, .len = len };
	return 0;
}
