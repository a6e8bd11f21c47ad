/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

uint8_t *writer_reserve(struct writer *w, size_t n)
{
	size_t cap = w->cap ? w->cap : 256;
	uint8_t *p;

	if (w->failed || n > SIZE_MAX / 4 - w->len) {
		w->failed = true;
		return NULL;
	}
	if (w->len + n <= w->cap && w->data)
		return w->data + w->len;
	while (cap < w->len + n)
		cap *= 2;
	p = realloc(w->data, cap);
	if (!p) {
		w->failed = true;
		return NULL;
	}
	w->data = p;
	w->cap = cap;
	return p + w->len;
}

void writer_free(struct writer *w)
{
	free(w->data);
	*w = (struct writer){ 0 };
}

const uint8_t *get_blob(struct reader *r, size_t max, size_t *ret_len)
{
	size_t n = get_u32(r);
	const uint8_t *p;

	if (n > max)
		r->failed = true;
	p = get_bytes(r, n);
	*ret_len = p ? n : 0;
	return p;
}

char *get_str(struct reader *r, size_t max)
{
	size_t n;
	const uint8_t *p = get_blob(r, max, &n);
	char *s;

	if (!p)
		return NULL;
	if (memchr(p, 0, n)) {
		r->failed = true;
		return NULL;
	}
	s = malloc(n + 1);
	if (!s) {
		r->failed = true;
		return NULL;
	}
	memcpy(s, p, n);
	s[n] = 0;
	return s;
}
