/* SPDX-License-Identifier: Apache-2.0 */
#include "match/history.h"

#include <stdio.h>
#include <string.h>

/* One more than is printed, so that the printer sees that there was more. */
#define BUFFER_KEPT (CALL_PRINT_LIMIT + 1)

/* Bytes that mean something when they are cut; the rest is kept whole or not at all. */
static bool is_buffer(uint16_t id, uint8_t arg)
{
	uint8_t kind = call_rows[id].args[arg].kind;

	return kind == ARG_BUF || kind == ARG_IOVEC || kind == ARG_STRV || kind == ARG_STR;
}

/* A digest tells a reader nothing, its length does: what has no room is shown in the same way. */
static void keep_length_only(struct payload *p)
{
	p->form = PAYLOAD_DIGEST;
	p->size = 0;
}

/* Returns how many of the n payloads were kept; used: bytes of the entry in use. */
static uint8_t keep(struct history_entry *e, unsigned first, size_t *used,
		    const struct call_record *c, const struct payload *from, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n && first + kept < CALL_PAYLOADS_MAX; i++) {
		struct payload p = from[i];
		size_t room = HISTORY_BYTES - *used;

		if (p.size > BUFFER_KEPT && is_buffer(e->id, p.arg))
			p.size = BUFFER_KEPT;
		if (p.form == PAYLOAD_DIGEST || p.size > room)
			keep_length_only(&p);
		if (p.size)
			memcpy(e->bytes + *used, payload_data(c, &p), p.size);
		p.off = (uint32_t)*used;
		p.lent = NULL;
		*used += p.size;
		e->payload[first + kept++] = p;
	}
	return (uint8_t)kept;
}

static void keep_exit(struct history_entry *e, const struct call_record *c)
{
	size_t used = 0;

	for (unsigned i = 0; i < e->n_in; i++)
		used += e->payload[i].size;
	e->ret = c->ret;
	e->has_exit = c->has_exit;
	e->n_out = keep(e, e->n_in, &used, c, c->out, c->has_exit ? c->n_out : 0);
}

void history_add(struct history *h, const struct call_record *c, uint64_t position)
{
	struct history_entry *e = &h->ring[h->added++ % HISTORY_CALLS];
	size_t used = 0;

	e->position = position;
	e->id = c->id;
	memcpy(e->arg, c->arg, sizeof(e->arg));
	e->n_in = keep(e, 0, &used, c, c->in, c->n_in);
	keep_exit(e, c);
}

void history_complete(struct history *h, const struct call_record *c)
{
	struct history_entry *e;

	if (h->added == 0)
		return;
	e = &h->ring[(h->added - 1) % HISTORY_CALLS];
	if (e->id == c->id)
		keep_exit(e, c);
}

unsigned history_count(const struct history *h)
{
	return h->added < HISTORY_CALLS ? (unsigned)h->added : HISTORY_CALLS;
}

char *history_print(const struct history *h, unsigned i, uint64_t *ret_position)
{
	unsigned n = history_count(h);
	const struct history_entry *e;
	struct call_record c = { 0 };
	char *text = NULL;
	size_t len;
	FILE *f;

	if (i >= n)
		return NULL;
	e = &h->ring[(h->added - n + i) % HISTORY_CALLS];
	c.id = e->id;
	c.n_in = e->n_in;
	c.n_out = e->n_out;
	c.has_exit = e->has_exit;
	c.ret = e->ret;
	memcpy(c.arg, e->arg, sizeof(c.arg));
	memcpy(c.in, e->payload, e->n_in * sizeof(c.in[0]));
	memcpy(c.out, e->payload + e->n_in, e->n_out * sizeof(c.out[0]));
	/* Borrowed: call_print() only reads. */
	c.bytes.data = (uint8_t *)(uintptr_t)e->bytes;
	c.bytes.len = HISTORY_BYTES;

	f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	call_print(f, &c);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	*ret_position = e->position;
	return text;
}
