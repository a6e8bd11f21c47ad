/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages that travel with the thread: those that the peer asked for while the thread was there, and
 * those that came with it. They are sent along when it goes back, so that it does not wait for each.
 * Now and then one is left behind; if it is needed, it will be asked for again.
 */
#ifndef CHIRAL_MTD_PAGES_HOT_H
#define CHIRAL_MTD_PAGES_HOT_H

#include <stdint.h>

#define HOT_MAX	     48	/* pages: what costs about as much to send as asking for a few */
#define HOT_FORGETS  8	/* one page is left behind every so many switches */

struct hot {
	uint32_t page[HOT_MAX];
	unsigned n;
	unsigned turn, switches;
};

/* Adds a page, in place of an old one when there are too many. */
void hot_add(struct hot *h, uint32_t page);
/* The thread leaves: hot_forget(), then the caller sends page[0..n), then hot_leave(). */
void hot_forget(struct hot *h);
void hot_leave(struct hot *h);

#endif
