/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/bpf/pieces.h"

#include <errno.h>
#include <string.h>

/* The piece that has most of len bytes at addr: elements of an iovec may overlap. */
static const struct piece *find(struct pieces *p, uint64_t addr, size_t len)
{
	const struct piece *best = NULL;
	unsigned first = p->last;
	uint64_t most = 0;

	for (unsigned k = 0; k < p->n && most < len; k++) {
		unsigned i = first + k < p->n ? first + k : first + k - p->n;
		const struct piece *x = &p->piece[i];
		uint64_t skip = addr - x->addr;

		if (skip < x->len && x->len - skip > most) {
			best = x;
			most = x->len - skip;
			p->last = i;
		}
	}
	return best;
}

/* A long argument is in several pieces, one behind the other. */
static ssize_t pieces_read(struct mem *mem, uint64_t addr, void *buf, size_t len)
{
	struct pieces *p = (struct pieces *)mem;
	uint8_t *to = buf;
	size_t done = 0;

	while (done < len) {
		const struct piece *x = find(p, addr + done, len - done);
		size_t skip, got;

		if (!x)
			break;
		skip = (size_t)(addr + done - x->addr);
		got = x->len - skip < len - done ? x->len - skip : len - done;
		memcpy(to + done, (x->data ? x->data : p->bytes.data + x->off) + skip, got);
		done += got;
		if (x->string)
			return (ssize_t)done;
	}
	if (done < len)
		p->missed = true;
	return done || !len ? (ssize_t)done : -EFAULT;
}

static const uint8_t *pieces_peek(struct mem *mem, uint64_t addr, size_t len)
{
	struct pieces *p = (struct pieces *)mem;
	const struct piece *x = find(p, addr, len);

	if (!x || x->len - (addr - x->addr) < len)
		return NULL;
	return (x->data ? x->data : p->bytes.data + x->off) + (addr - x->addr);
}

static ssize_t pieces_write(struct mem *mem, uint64_t addr, const void *buf, size_t len)
{
	return -EFAULT; /* a leader's memory is never written to through its records */
}

void pieces_init(struct pieces *p)
{
	*p = (struct pieces){ .mem = { .read = pieces_read, .write = pieces_write, .peek = pieces_peek } };
}

void pieces_free(struct pieces *p)
{
	writer_free(&p->bytes);
	free(p->piece);
	pieces_init(p);
}

void pieces_reset(struct pieces *p)
{
	p->n = 0;
	p->last = 0;
	p->missed = false;
	writer_reset(&p->bytes);
}

static int grow(struct pieces *p)
{
	unsigned cap = p->cap ? 2 * p->cap : 16;
	struct piece *q;

	if (p->cap >= PIECES_MAX)
		return -E2BIG;
	q = realloc(p->piece, cap * sizeof(*q));
	if (!q)
		return -ENOMEM;
	p->piece = q;
	p->cap = cap;
	return 0;
}

int pieces_add(struct pieces *p, uint64_t addr, const void *data, size_t len, bool string)
{
	int r = p->n == p->cap ? grow(p) : 0;

	if (r == 0 && len)
		p->piece[p->n++] =
			(struct piece){ .addr = addr, .data = data, .len = len, .string = string };
	return r;
}

int pieces_own(struct pieces *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct piece *x = &p->piece[i];

		if (!x->data)
			continue;
		x->off = p->bytes.len;
		put_bytes(&p->bytes, x->data, x->len);
		x->data = NULL;
	}
	return p->bytes.failed ? -ENOMEM : 0;
}

static ssize_t overlay_read(struct mem *mem, uint64_t addr, void *buf, size_t len)
{
	struct overlay *o = (struct overlay *)mem;
	ssize_t n = pieces_read(&o->pieces->mem, addr, buf, len);

	if (!o->pieces->missed)
		return n;
	o->pieces->missed = false;
	return o->below->read(o->below, addr, buf, len);
}

void overlay_init(struct overlay *o, struct pieces *pieces, struct mem *below)
{
	*o = (struct overlay){ .mem = { .read = overlay_read, .write = pieces_write },
			       .pieces = pieces, .below = below };
}
