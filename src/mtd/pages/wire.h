/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a MOVE frame: what pagers say to each other, items in their order.
 *
 *	u8 item		an enum pages_kind, or MOVE_PROGRAM
 *	u8 access
 *	u8 contents	0 none, 1 zeros, 2 MTD_PAGE bytes follow
 *	u8 drop		0 or 1
 *	u32 page
 *
 * MOVE_PROGRAM is a message of the program (struct mtd_message, which follows) to the one on the other
 * node; access to page are zeros. Pages are numbered by their place in the memory file.
 */
#ifndef CHIRAL_MTD_PAGES_WIRE_H
#define CHIRAL_MTD_PAGES_WIRE_H

#include "base/bytes.h"
#include "mtd/pages/pages.h"
#include "mtd/runtime/layout.h"
#include "mtd/runtime/session.h"

#define MOVE_PROGRAM 128u
#define MTD_PAGES    ((uint32_t)(MTD_MEMORY_SIZE / MTD_PAGE))

struct move_item {
	bool is_program;
	struct mtd_message program;
	struct pages_message page; /* data borrowed from the body */
};

/* w->failed when there is no memory. A page of zeros is sent without its bytes. */
void move_put_page(struct writer *w, const struct pages_message *m);
void move_put_program(struct writer *w, const struct mtd_message *m);
/* The next item: 1, 0 at the end, -EPROTO. Pages are below MTD_PAGES. */
int move_get(struct reader *r, struct move_item *ret);

/* The page at an address of a shared region, and where it begins. */
static inline bool page_of(uint64_t address, uint32_t *ret)
{
	if (address >= MTD_SHARED && address < MTD_SHARED_END)
		*ret = (uint32_t)((address - MTD_SHARED) / MTD_PAGE);
	else if (address >= MTD_HEAP && address - MTD_HEAP < MTD_HEAP_SIZE)
		*ret = (uint32_t)((address - MTD_HEAP + MTD_HEAP_OFFSET) / MTD_PAGE);
	else
		return false;
	return true;
}

static inline uint64_t page_address(uint32_t page)
{
	uint64_t offset = (uint64_t)page * MTD_PAGE;

	return offset < MTD_HEAP_OFFSET ? MTD_SHARED + offset : MTD_HEAP + offset - MTD_HEAP_OFFSET;
}

#endif
