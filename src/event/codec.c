/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire form of a call. Numbers are LEB128 in their shortest form ("varint"), signed ones
 *zigzag:
 *
 *	varint	id * 16 + parts
 * entry part:
 *	u8	bit i: argument i is not zero; bits 6 and 7 are zero
 *	zigzag	each of those arguments
 *	payloads
 * exit part:
 *	zigzag	result
 *	payloads
 *
 * payloads: u8 with bit i for argument i; then of each, in order: varint length * 4 + form and the
 *bytes (or digests) that form and length ask for. There is one encoding of a record only, so that
 *equal records are equal bytes.
 */
#include "event/payload.h"
#include "event/valid.h"
#include "event/view.h"

#include <errno.h>

static void put_varint(struct writer *w, uint64_t x)
{
	uint8_t b[10];
	size_t n = 0;

	if (x < 0x80) { /* most are */
		put_u8(w, (uint8_t)x);
		return;
	}
	for (; x >= 0x80; x >>= 7)
		b[n++] = (uint8_t)(x | 0x80);
	b[n++] = (uint8_t)x;
	put_bytes(w, b, n);
}

static void put_zigzag(struct writer *w, uint64_t x)
{
	put_varint(w, x << 1 ^ (x >> 63 ? UINT64_MAX : 0));
}

static uint64_t get_varint(struct reader *r)
{
	uint64_t x = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = get_u8(r);

		/* The tenth byte has one bit left; a last byte of zero would be a longer form. */
		if ((shift == 63 && b > 1) || (shift && b == 0))
			break;
		x |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return r->failed ? 0 : x;
	}
	r->failed = true;
	return 0;
}

static uint64_t get_zigzag(struct reader *r)
{
	uint64_t x = get_varint(r);

	return x >> 1 ^ (x & 1 ? UINT64_MAX : 0);
}

static void encode_payloads(struct writer *w, const struct call_record *c,
			    const struct payload *list, unsigned n)
{
	uint8_t mask = 0;

	for (unsigned i = 0; i < n; i++)
		mask |= (uint8_t)(1u << list[i].arg);
	put_u8(w, mask);
	for (unsigned i = 0; i < n; i++) {
		put_varint(w, (uint64_t)list[i].len << 2 | list[i].form);
		put_bytes(w, payload_data(c, &list[i]), list[i].size);
	}
}

void call_encode(struct writer *w, const struct call_record *c, unsigned parts)
{
	uint8_t mask = 0;

	put_varint(w, (uint64_t)c->id << 4 | parts);
	if (parts & CALL_PART_ENTRY) {
		for (unsigned i = 0; i < CALL_ARGS_MAX; i++)
			if (c->arg[i])
				mask |= (uint8_t)(1u << i);
		put_u8(w, mask);
		for (unsigned i = 0; i < CALL_ARGS_MAX; i++)
			if (c->arg[i])
				put_zigzag(w, c->arg[i]);
		encode_payloads(w, c, c->in, c->n_in);
	}
	if (parts & CALL_PART_EXIT) {
		put_zigzag(w, (uint64_t)c->ret);
		encode_payloads(w, c, c->out, c->n_out);
	}
}

static int decode_payload(struct reader *r, struct call_record *c, unsigned arg, bool in)
{
	const struct arg_spec *s = &call_rows[c->id].args[arg];
	uint64_t head = get_varint(r), len = head >> 2;
	uint8_t form = head & 3;
	struct payload *p = in ? &c->in[c->n_in] : &c->out[c->n_out];
	const uint8_t *data;
	uint32_t size;

	if (r->failed || !valid_payload(s, in, form, len))
		return -EPROTO;
	size = payload_stored_size(form, len, in);
	data = get_bytes(r, size);
	if (!data || size > PAYLOAD_MAX - c->bytes.len)
		return -EPROTO;
	*p = (struct payload){.arg = (uint8_t)arg,
			      .form = form,
			      .len = (uint32_t)len,
			      .off = (uint32_t)c->bytes.len,
			      .size = size};
	put_bytes(&c->bytes, data, size);
	if (in)
		c->n_in++;
	else
		c->n_out++;
	return c->bytes.failed ? -ENOMEM : 0;
}

static int decode_payloads(struct reader *r, struct call_record *c, bool in)
{
	uint8_t mask = get_u8(r);

	if (mask >> call_rows[c->id].n_args)
		return -EPROTO;
	for (unsigned i = 0; mask >> i; i++) {
		int q = mask >> i & 1 ? decode_payload(r, c, i, in) : 0;

		if (q < 0)
			return q;
	}
	return 0;
}

/* A payload belongs to an argument that points somewhere. */
static bool payloads_have_pointers(const struct call_record *c)
{
	for (unsigned i = 0; i < c->n_in; i++)
		if (!c->arg[c->in[i].arg])
			return false;
	return true;
}

static int decode_entry(struct reader *r, struct call_record *c)
{
	const struct call_row *row = &call_rows[c->id];
	uint8_t mask = get_u8(r);
	int q;

	if (mask >> row->n_args)
		return -EPROTO;
	for (unsigned i = 0; i < row->n_args; i++) {
		if (!(mask >> i & 1))
			continue;
		c->arg[i] = get_zigzag(r);
		if (c->arg[i] == 0 || !valid_scalar(&row->args[i], c->arg[i]))
			return -EPROTO;
	}
	q = decode_payloads(r, c, true);
	if (q < 0)
		return q;
	return payloads_have_pointers(c) ? 0 : -EPROTO;
}

/* Drops an exit part that the record may hold already, so that decoding again and again does not
 * grow. */
static void drop_exit(struct call_record *c)
{
	size_t end = 0;

	for (unsigned i = 0; i < c->n_in; i++)
		if (c->in[i].off + c->in[i].size > end)
			end = c->in[i].off + c->in[i].size;
	c->bytes.len = end;
	c->n_out = 0;
	c->has_exit = false;
}

static int decode_exit(struct reader *r, struct call_record *c)
{
	int q;

	drop_exit(c);
	c->ret = (int64_t)get_zigzag(r);
	q = decode_payloads(r, c, false);
	c->has_exit = q == 0;
	return q;
}

static bool valid_parts(unsigned parts)
{
	if ((parts & CALL_PART_AWAITED) && (parts & CALL_PART_EXIT))
		return false;
	if (parts & (CALL_PART_AWAITED | CALL_PART_OBSERVED))
		return parts & CALL_PART_ENTRY;
	return parts != 0;
}

int call_decode(struct reader *r, struct call_record *ret, unsigned *ret_parts)
{
	uint64_t head = get_varint(r), id = head >> 4;
	unsigned parts = head & 15;
	int q = 0;

	if (r->failed || !valid_parts(parts) || id > UINT16_MAX || !valid_id((unsigned)id))
		return -EPROTO;
	if ((parts & CALL_PART_ENTRY) || ret->id != id) {
		call_record_reset(ret);
		ret->id = (uint16_t)id;
	}
	if (parts & CALL_PART_ENTRY)
		q = decode_entry(r, ret);
	if (q == 0 && (parts & CALL_PART_EXIT))
		q = decode_exit(r, ret);
	if (q == 0 && r->failed)
		q = -EPROTO;
	if (q < 0) {
		call_record_reset(ret);
		return q;
	}
	*ret_parts = parts;
	return 0;
}
