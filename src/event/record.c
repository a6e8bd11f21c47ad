/* SPDX-License-Identifier: Apache-2.0 */
#include "event/call.h"

/* Storage that one big call made is given back: most calls move less than this. */
#define RECORD_KEEP (1u << 20)

void call_record_reset(struct call_record *c)
{
	struct writer bytes = c->bytes;

	if (bytes.cap > RECORD_KEEP || bytes.failed)
		writer_free(&bytes);
	*c = (struct call_record){.bytes = bytes};
	writer_reset(&c->bytes);
}

void call_record_free(struct call_record *c)
{
	writer_free(&c->bytes);
	*c = (struct call_record){0};
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
