/* SPDX-License-Identifier: Apache-2.0 */
#include "event/call.h"

#include <errno.h>

/* Storage that one big call made is given back: most calls move less than this. */
#define RECORD_KEEP (1u << 20)

const uint8_t call_no_bytes[1];

/* For every call: the lists of payloads, which are most of a record, are as long as n_in and n_out say. */
void call_record_reset(struct call_record *c)
{
	if (c->bytes.cap > RECORD_KEEP || c->bytes.failed)
		writer_free(&c->bytes);
	writer_reset(&c->bytes);
	c->id = 0;
	c->n_in = 0;
	c->n_out = 0;
	c->has_exit = false;
	c->ret = 0;
	memset(c->arg, 0, sizeof(c->arg));
}

void call_record_free(struct call_record *c)
{
	writer_free(&c->bytes);
	*c = (struct call_record){0};
}

static void own(struct call_record *c, struct payload *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct payload *p = &list[i];

		if (!p->lent)
			continue;
		p->off = (uint32_t)c->bytes.len;
		put_bytes(&c->bytes, p->lent, p->size);
		p->lent = NULL;
	}
}

int call_record_own(struct call_record *c)
{
	own(c, c->in, c->n_in);
	own(c, c->out, c->n_out);
	return c->bytes.failed ? -ENOMEM : 0;
}

void call_record_forget(struct call_record *c)
{
	c->n_in = 0;
	c->n_out = 0;
}

const struct payload *call_in_of(const struct call_record *c, unsigned arg)
{
	for (unsigned i = 0; i < c->n_in; i++)
		if (c->in[i].arg == arg)
			return &c->in[i];
	return NULL;
}

const struct payload *call_out_of(const struct call_record *c, unsigned arg)
{
	for (unsigned i = 0; i < c->n_out; i++)
		if (c->out[i].arg == arg)
			return &c->out[i];
	return NULL;
}
