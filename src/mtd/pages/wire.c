/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/pages/wire.h"

#include <errno.h>

enum { CONTENTS_NONE, CONTENTS_ZEROS, CONTENTS_BYTES, _CONTENTS_MAX };

static const uint8_t zeros[MTD_PAGE];

static void put_head(struct writer *w, unsigned item, unsigned access, unsigned contents, bool drop,
		     uint32_t page)
{
	put_u8(w, (uint8_t)item);
	put_u8(w, (uint8_t)access);
	put_u8(w, (uint8_t)contents);
	put_u8(w, drop);
	put_u32(w, page);
}

void move_put_page(struct writer *w, const struct pages_message *m)
{
	unsigned contents = CONTENTS_NONE;

	if (m->data)
		contents = memcmp(m->data, zeros, MTD_PAGE) ? CONTENTS_BYTES : CONTENTS_ZEROS;
	put_head(w, m->kind, m->access, contents, m->drop, m->page);
	if (contents == CONTENTS_BYTES)
		put_bytes(w, m->data, MTD_PAGE);
}

void move_put_program(struct writer *w, const struct mtd_message *m)
{
	put_head(w, MOVE_PROGRAM, 0, 0, false, 0);
	put_bytes(w, m, sizeof(*m));
}

static int get_program(struct reader *r, struct mtd_message *ret)
{
	const uint8_t *p = get_bytes(r, sizeof(*ret));

	if (!p)
		return -EPROTO;
	memcpy(ret, p, sizeof(*ret));
	if (ret->type < MTD_HELLO || ret->type > MTD_END)
		return -EPROTO;
	return ret->carried >> (ret->type == MTD_CALL ? MTD_CARRY_MAX : 0) ? -EPROTO : 1;
}

int move_get(struct reader *r, struct move_item *ret)
{
	uint8_t item, access, contents, drop;
	uint32_t page;

	if (reader_done(r))
		return 0;
	item = get_u8(r);
	access = get_u8(r);
	contents = get_u8(r);
	drop = get_u8(r);
	page = get_u32(r);
	if (r->failed || page >= MTD_PAGES)
		return -EPROTO;
	ret->is_program = item == MOVE_PROGRAM;
	if (ret->is_program)
		return access || contents || drop || page ? -EPROTO : get_program(r, &ret->program);
	if (item < PAGES_REQUEST || item > PAGES_PUSH || access > PAGE_WRITE || drop > 1 ||
	    contents >= _CONTENTS_MAX)
		return -EPROTO;
	ret->page = (struct pages_message){
		.kind = item, .access = access, .drop = drop, .page = page,
		.data = contents == CONTENTS_ZEROS ? zeros : NULL };
	if (contents == CONTENTS_BYTES)
		ret->page.data = get_bytes(r, MTD_PAGE);
	return r->failed ? -EPROTO : 1;
}
