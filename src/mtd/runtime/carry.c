/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small data of a call that the other node makes travels in the messages, not with its pages: to give
 * a page away and get it back takes as long as the call itself. v[] of the message has the data's size
 * in the place of its address. Only where each node has its own memory; larger data, and what is not in
 * the program's memory, goes the usual way.
 */
#include "mtd/runtime/runtime.h"

/* A call that waits for events may always return fewer than it could: as many as fit. */
enum { DATA_IN, DATA_OUT, DATA_EVENTS };

/* A call of x86-64. unit: bytes, or 0: a string; times: the argument that says how many units, or -1.
 * What goes out comes in as well: the kernel may leave a part of it as it is. */
struct shape {
	uint16_t nr;
	struct pointer {
		uint8_t arg, how;
		uint16_t unit;
		int8_t times;
	} p[MTD_CARRY_MAX];
	uint8_t n;
};

/* shapes[], by number; gen-carry.py makes it. */
#include "mtd/carry.gen.h"

static const struct shape *shape_of(int64_t nr)
{
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		if (shapes[i].nr == nr)
			return &shapes[i];
	return NULL;
}

/* With its 0; more than room when there is none in it. */
static uint64_t string_size(const char *s, uint64_t room)
{
	uint64_t n = 0;

	while (n < room && is_shared((uint64_t)s + n, 1))
		if (!s[n++])
			return n;
	return room + 1;
}

/* More than room: it does not travel so. */
static uint64_t size_of(const struct pointer *p, const int64_t *args, uint64_t room)
{
	uint64_t at = (uint64_t)args[p->arg], times = p->times < 0 ? 1 : (uint64_t)args[p->times];

	if (!is_shared(at, 1))
		return room + 1;
	if (!p->unit)
		return string_size((const char *)at, room);
	return times && times <= room / p->unit && is_shared(at, times * p->unit) ? times * p->unit : room + 1;
}

static uint64_t next_place(uint64_t at)
{
	return (at + 7) & ~7ull;
}

void carry_pack(struct mtd_message *m)
{
	const struct shape *s = mtd_node.pages >= 0 ? shape_of(m->v[0]) : NULL;
	int64_t *args = m->v + 1;
	uint64_t at = 0;

	for (unsigned i = 0; s && i < s->n; i++) {
		const struct pointer *p = &s->p[i];
		int64_t *address = &args[p->arg];
		uint64_t room = sizeof(m->data) - at, size;

		if (p->how == DATA_EVENTS && args[p->times] > (int64_t)(room / p->unit))
			args[p->times] = (int64_t)(room / p->unit);
		size = size_of(p, args, room);
		if (size > room)
			continue;
		__builtin_memcpy(m->data + at, (const void *)*address, size);
		m->carried |= 1u << i;
		*address = (int64_t)size;
		at = next_place(at + size);
	}
}

/* A string has its 0 in it; else the size is what the kernel will read or write. */
static int is_whole(const struct pointer *p, const long *args, const uint8_t *data, uint64_t size)
{
	if (!p->unit)
		return !data[size - 1];
	return size % p->unit == 0 && size / p->unit == (p->times < 0 ? 1 : (uint64_t)args[p->times]);
}

void carry_open(struct mtd_message *m, long *args)
{
	const struct shape *s = shape_of(m->v[0]);
	uint64_t at = 0;

	if (m->carried >> (s ? s->n : 0))
		die_number("the other node sent data with a call that has none: ", (uint64_t)m->v[0]);
	for (unsigned i = 0; s && i < s->n; i++) {
		uint64_t size = (uint64_t)args[s->p[i].arg];

		if (!(m->carried & 1u << i))
			continue;
		if (at > sizeof(m->data) || !size || size > sizeof(m->data) - at ||
		    !is_whole(&s->p[i], args, m->data + at, size))
			die_number("the other node sent data of a wrong size with call ", (uint64_t)m->v[0]);
		args[s->p[i].arg] = (long)(m->data + at);
		at = next_place(at + size);
	}
}

void carry_unpack(const struct mtd_message *call, const struct mtd_message *result, const long *args)
{
	const struct shape *s = shape_of(call->v[0]);
	uint64_t at = 0;

	for (unsigned i = 0; s && i < s->n; i++) {
		uint64_t size = (uint64_t)call->v[1 + s->p[i].arg];

		if (!(call->carried & 1u << i))
			continue;
		if (s->p[i].how != DATA_IN)
			__builtin_memcpy((void *)args[s->p[i].arg], result->data + at, size);
		at = next_place(at + size);
	}
}
