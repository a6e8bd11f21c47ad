/* SPDX-License-Identifier: Apache-2.0 */
#include "event/memio.h"
#include "event/payload.h"

#include <errno.h>

/* A multiple of the block, so that digests mostly see whole blocks; small enough for any stack. */
#define SINK_CHUNK (4u * PAYLOAD_BLOCK)

void sink_begin(struct sink *s, struct call_record *c, unsigned arg, const uint8_t *key)
{
	s->c = c;
	s->p = key ? &c->in[c->n_in] : &c->out[c->n_out];
	*s->p = (struct payload){.arg = (uint8_t)arg, .off = (uint32_t)c->bytes.len};
	s->key = key;
	s->len = 0;
	s->in_block = 0;
	s->digesting = false;
}

static void sink_close_block(struct sink *s)
{
	uint8_t digest[PAYLOAD_DIGEST_SIZE];

	crypto_onetimeauth_final(&s->state, digest);
	put_bytes(&s->c->bytes, digest, sizeof(digest));
	s->in_block = 0;
}

/* A block is closed when the byte after it comes: the last digest is never one of nothing. */
static void sink_digest(struct sink *s, const uint8_t *data, size_t n)
{
	while (n) {
		size_t take;

		if (s->in_block == PAYLOAD_BLOCK)
			sink_close_block(s);
		if (s->in_block == 0)
			crypto_onetimeauth_init(&s->state, s->key);
		take = PAYLOAD_BLOCK - s->in_block;
		if (take > n)
			take = n;
		crypto_onetimeauth_update(&s->state, data, take);
		s->in_block += (uint32_t)take;
		data += take;
		n -= take;
	}
}

/* Turns the bytes stored so far into the beginning of digests. These take their place, which is where they
 * have been read already: a digest is shorter than its block. */
static void sink_start_digesting(struct sink *s)
{
	_Static_assert(PAYLOAD_DIGEST_SIZE < PAYLOAD_BLOCK, "digests stay behind what is read");
	s->digesting = true;
	s->c->bytes.len = s->p->off;
	if (s->len)
		sink_digest(s, s->c->bytes.data + s->p->off, s->len);
}

/* More is to come: what was lent is only the beginning. */
static void sink_own(struct sink *s)
{
	if (s->p->lent)
		put_bytes(&s->c->bytes, s->p->lent, s->len);
	s->p->lent = NULL;
}

int sink_bytes(struct sink *s, const void *data, size_t n)
{
	sink_own(s);
	if (n > PAYLOAD_MAX - s->len || n > PAYLOAD_MAX - s->c->bytes.len)
		return -E2BIG;
	if (s->key && !s->digesting && s->len + n > PAYLOAD_INLINE_MAX)
		sink_start_digesting(s);
	if (s->digesting)
		sink_digest(s, data, n);
	else
		put_bytes(&s->c->bytes, data, n);
	s->len += n;
	return s->c->bytes.failed ? -ENOMEM : 0;
}

int sink_u32(struct sink *s, uint32_t v)
{
	return sink_bytes(s, &v, sizeof(v));
}

/* n more bytes would be stored as they are, and fit. */
static bool sink_stores(const struct sink *s, uint64_t n)
{
	if (s->digesting || n > PAYLOAD_MAX - s->len || n > PAYLOAD_MAX - s->c->bytes.len)
		return false;
	return !s->key || s->len + n <= PAYLOAD_INLINE_MAX;
}

/* Below, copying costs less than keeping account of it. */
#define LEND_FROM 256u

/* All of the payload so far is borrowed from the memory. The ranges, len bytes in all, lie there one behind
 * the other. */
static bool sink_lend(struct sink *s, struct mem *mem, const struct mem_range *ranges, size_t n,
		      uint64_t len)
{
	const uint8_t *first, *next;

	if (s->len || len < LEND_FROM || !mem->peek || !sink_stores(s, len))
		return false;
	first = mem->peek(mem, ranges[0].addr, ranges[0].len);
	next = first;
	for (size_t i = 1; i < n && next; i++) {
		next += ranges[i - 1].len;
		if (mem->peek(mem, ranges[i].addr, ranges[i].len) != next)
			next = NULL;
	}
	if (!next)
		return false;
	s->p->lent = first;
	s->len = len;
	return true;
}

bool sink_ranges(struct sink *s, struct mem *mem, const struct mem_range *ranges, size_t n,
		 uint64_t len)
{
	uint8_t *to = NULL;

	if (sink_lend(s, mem, ranges, n, len))
		return true;
	sink_own(s);
	if (mem->read_ranges && n > 1 && sink_stores(s, len))
		to = writer_reserve(&s->c->bytes, len);
	if (!to || mem->read_ranges(mem, ranges, n, to, len) != (ssize_t)len)
		return false;
	s->c->bytes.len += len;
	s->len += len;
	return true;
}

static int sink_mem_stored(struct sink *s, struct mem *mem, uint64_t addr, size_t n)
{
	uint8_t *to = writer_reserve(&s->c->bytes, n);
	size_t got;
	int r;

	if (!to)
		return -ENOMEM;
	r = mem_get(mem, addr, to, n, &got);
	s->c->bytes.len += got;
	s->len += got;
	return r;
}

int sink_mem(struct sink *s, struct mem *mem, uint64_t addr, uint64_t n)
{
	uint8_t chunk[SINK_CHUNK];

	if (sink_lend(s, mem, &(struct mem_range){ addr, n }, 1, n))
		return 0;
	sink_own(s);
	if (n > PAYLOAD_MAX - s->len)
		return -E2BIG;
	if (!s->key && n > PAYLOAD_MAX - s->c->bytes.len)
		return -E2BIG;
	if (sink_stores(s, n))
		return sink_mem_stored(s, mem, addr, n);
	while (n) {
		size_t want = n < sizeof(chunk) ? n : sizeof(chunk), got;
		int r = mem_get(mem, addr, chunk, want, &got), q;

		q = sink_bytes(s, chunk, got);
		if (r < 0 || q < 0)
			return q < 0 ? q : r;
		addr += want;
		n -= want;
	}
	return 0;
}

int sink_end(struct sink *s, int r)
{
	if (r < 0 && r != -EFAULT) {
		s->c->bytes.len = s->p->off;
		return r;
	}
	if (s->digesting)
		sink_close_block(s);
	if (s->c->bytes.failed)
		return -ENOMEM;
	s->p->form = r == -EFAULT ? PAYLOAD_FAULT : s->digesting ? PAYLOAD_DIGEST : PAYLOAD_BYTES;
	s->p->len = (uint32_t)s->len;
	s->p->size = (uint32_t)(s->p->lent ? s->len : s->c->bytes.len - s->p->off);
	if (s->key)
		s->c->n_in++;
	else
		s->c->n_out++;
	return 0;
}
