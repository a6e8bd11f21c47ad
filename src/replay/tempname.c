/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/tempname.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#define LETTERS_MAX 10 /* digits of base 62 that one 64-bit number gives */

/* asm-generic's values, which canonical flags have */
static bool makes_new(const struct call_record *c)
{
	if (c->id == CALL_OPENAT)
		return (c->arg[2] & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	return c->id == CALL_MKDIRAT;
}

static bool is_letter(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Of equal length, and different in a few letters of the last component. */
static bool differ_in_letters(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t first = 0, last = len;

	while (first < len && a[first] == b[first])
		first++;
	while (last > first && a[last - 1] == b[last - 1])
		last--;
	if (last - first > LETTERS_MAX || memchr(a + first, '/', len - first))
		return false;
	for (size_t i = first; i < last; i++)
		if (!is_letter(a[i]) || !is_letter(b[i]))
			return false;
	return true;
}

bool tempname_is_retry(const struct fthread *f, const struct call_record *c,
		       const struct call_record *other)
{
	return f->read_clock && c->id == CALL_GETRANDOM && c->arg[1] == sizeof(uint64_t) &&
	       c->arg[2] == GRND_NONBLOCK && makes_new(other);
}

bool tempname_adopt(struct fthread *f, const struct call_mismatch *m)
{
	const struct payload *p, *q;

	if (!f->read_clock || f->leader.id != f->call.id || m->arg != 1 || !m->payload ||
	    !makes_new(&f->leader) || !makes_new(&f->call))
		return false;
	p = call_in_of(&f->leader, 1);
	q = call_in_of(&f->call, 1);
	if (!p || !q || p->form != PAYLOAD_BYTES || q->form != PAYLOAD_BYTES || p->size != q->size ||
	    !differ_in_letters(payload_data(&f->leader, p), payload_data(&f->call, q), p->size))
		return false;
	return call_rewrite_path(&f->cx, &f->native, 1, payload_data(&f->leader, p), p->size) == 0 &&
	       call_capture_in(&f->cx, &f->native, &f->call) == 0;
}
