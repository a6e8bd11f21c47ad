/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded readers and growing writers of bytes. Everything that leaves or enters a process of ours
 * goes through them: numbers are little endian and unaligned, lengths come first, and an error
 * sticks, so that a parser checks once at its end.
 */
#ifndef CHIRAL_BASE_BYTES_H
#define CHIRAL_BASE_BYTES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they are");

/* ---- writer: an owned, growing buffer. Zero-initialised is empty. --------------------------- */

struct writer {
	uint8_t *data;
	size_t len;
	size_t cap;
	bool failed; /* out of memory; sticks until writer_free() */
};

/* Makes room for n more bytes and returns where they go (not yet counted), or NULL. */
uint8_t *writer_reserve(struct writer *w, size_t n);
void writer_free(struct writer *w);

static inline void writer_reset(struct writer *w)
{
	w->len = 0;
}

static inline void put_bytes(struct writer *w, const void *p, size_t n)
{
	/* Mostly there is room: no call. */
	uint8_t *to = w->data && !w->failed && n <= w->cap - w->len ? w->data + w->len
								    : writer_reserve(w, n);

	if (!to)
		return;
	if (n)
		memcpy(to, p, n);
	w->len += n;
}

#define DEFINE_PUT(name, type)                                                                     \
	static inline void name(struct writer *w, type v)                                          \
	{                                                                                          \
		put_bytes(w, &v, sizeof(v));                                                       \
	}
DEFINE_PUT(put_u8, uint8_t)
DEFINE_PUT(put_u16, uint16_t)
DEFINE_PUT(put_u32, uint32_t)
DEFINE_PUT(put_u64, uint64_t)
DEFINE_PUT(put_s64, int64_t)
#undef DEFINE_PUT

/* u32 length, then the bytes. */
static inline void put_blob(struct writer *w, const void *p, size_t n)
{
	if (n > UINT32_MAX)
		w->failed = true;
	put_u32(w, (uint32_t)n);
	put_bytes(w, p, n);
}

static inline void put_str(struct writer *w, const char *s)
{
	put_blob(w, s, strlen(s));
}

/* Overwrites a u32 written earlier at offset at (used for lengths known at the end). */
static inline void put_u32_at(struct writer *w, size_t at, uint32_t v)
{
	if (!w->failed && at <= w->len && w->len - at >= sizeof(v))
		memcpy(w->data + at, &v, sizeof(v));
}

/* ---- reader: borrows the bytes. After a failed get, every further get returns 0 / NULL. ------ */

struct reader {
	const uint8_t *p;
	size_t left;
	bool failed;
};

static inline struct reader reader_of(const void *p, size_t n)
{
	return (struct reader){ .p = p, .left = n };
}

static inline const uint8_t *get_bytes(struct reader *r, size_t n)
{
	const uint8_t *at = r->p;

	if (r->failed || n > r->left) {
		r->failed = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return at;
}

#define DEFINE_GET(name, type)                                                                     \
	static inline type name(struct reader *r)                                                  \
	{                                                                                          \
		type v = 0;                                                                        \
		const uint8_t *at = get_bytes(r, sizeof(v));                                       \
		if (at)                                                                            \
			memcpy(&v, at, sizeof(v));                                                 \
		return v;                                                                          \
	}
DEFINE_GET(get_u8, uint8_t)
DEFINE_GET(get_u16, uint16_t)
DEFINE_GET(get_u32, uint32_t)
DEFINE_GET(get_u64, uint64_t)
DEFINE_GET(get_s64, int64_t)
#undef DEFINE_GET

/* A blob of at most max bytes; borrowed from the reader's buffer. Fails when longer. */
const uint8_t *get_blob(struct reader *r, size_t max, size_t *ret_len);

/* A string of at most max bytes without NUL inside; returned as an owned C string, or NULL. */
char *get_str(struct reader *r, size_t max);

/* True when everything was read, nothing failed and nothing trails. */
static inline bool reader_done(const struct reader *r)
{
	return !r->failed && r->left == 0;
}

#endif
