/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page protocol of a program that moves: who may read and write which page of the shared memory.
 * Read-duplicate, write-invalidate: a page is writable on one node, or readable on both. Home is the
 * directory: it knows what the other node holds, orders all requests for a page, and at the beginning
 * owns every page.
 *
 *	other -> home	REQUEST page, access	the program there needs it
 *	home -> other	GRANT page, access, [contents]
 *	home -> other	FETCH page, access	give it back; keep no more than that access
 *	other -> home	ANSWER page, access, [contents]	what it has kept
 *	either	  	PUSH page, access, contents	take it; nobody asked
 *
 * Every REQUEST gets one GRANT and every FETCH one ANSWER, also when a PUSH that crossed it has made it
 * needless. Only a page that its sender may write is pushed, so two PUSHes of a page never cross. A
 * REQUEST that finds home waiting for an ANSWER about the page waits for it. Between the nodes
 * messages keep their order.
 *
 * This is a state machine without I/O: what it decides it does through struct pages_ops. Messages from
 * the peer may be anything: what a correct peer does not send is -EPROTO and the session's end.
 * tests/unit/test_mtd_pages.c tries every order of events for two nodes and two pages.
 */
#ifndef CHIRAL_MTD_PAGES_PAGES_H
#define CHIRAL_MTD_PAGES_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum page_access { PAGE_NONE, PAGE_READ, PAGE_WRITE };

enum pages_kind {
	PAGES_REQUEST = 1,
	PAGES_GRANT,
	PAGES_FETCH,
	PAGES_ANSWER,
	PAGES_PUSH,
};

struct pages_message {
	enum pages_kind kind;
	enum page_access access;
	bool drop;	  /* FETCH: the contents are not wanted */
	uint32_t page;
	const void *data; /* contents, borrowed; NULL: none */
};

/*
 * What the machine does. All of them return 0 or -errno, which the machine returns in turn; the session
 * is then over. "Access" is that of the program on this node.
 */
struct pages_ops {
	/* From PAGE_NONE to access, with these contents. Wakes who waits for the page. */
	int (*install)(void *ctx, uint32_t page, enum page_access access, const void *data);
	/* From PAGE_WRITE to PAGE_READ, and back (wakes). */
	int (*protect)(void *ctx, uint32_t page);
	int (*unprotect)(void *ctx, uint32_t page);
	/* To PAGE_NONE; the contents are gone. */
	int (*remove)(void *ctx, uint32_t page);
	/* Home, from any access to PAGE_WRITE; the contents are zeros. */
	int (*clear)(void *ctx, uint32_t page);
	/* Somebody waits for a page whose access is enough. */
	int (*wake)(void *ctx, uint32_t page, enum page_access access);
	/* Contents of a page that can be read here; borrowed until the next operation. */
	const void *(*contents)(void *ctx, uint32_t page);
	int (*send)(void *ctx, const struct pages_message *m);
};

/* What home waits for. */
enum page_op { PAGE_IDLE, PAGE_FOR_READ, PAGE_FOR_WRITE, PAGE_FOR_DROP };

struct page {
	uint8_t own : 2;	/* access of this node's program */
	uint8_t op : 2;		/* home: an ANSWER is awaited; other: a GRANT is (PAGE_FOR_*) */
	uint8_t peer : 2;	/* home: what the other node holds, or will when all has arrived */
	uint8_t queued : 2;	/* home: access of a REQUEST that waits */
	uint8_t drop_next : 1;	/* home: pages_discard() waits for the op */
};

struct pages {
	const struct pages_ops *ops;
	void *ctx;
	bool home;
	bool cut;		/* the peer is gone */
	uint32_t n;		/* pages */
	uint32_t dropping;	/* discarded pages that the other node still has to give up */
	struct page page[];
};

/* NULL when there is no memory. Freed with free(). */
struct pages *pages_new(bool home, uint32_t n, const struct pages_ops *ops, void *ctx);

/* The program on this node needs the page (below n). Waits, or is woken at once. -EPIPE after
 * pages_cut() when it cannot have it. */
int pages_fault(struct pages *p, uint32_t page, enum page_access access);
/* -EPROTO for what a correct peer does not send. */
int pages_receive(struct pages *p, const struct pages_message *m);
/* Gives a page to the peer, which keeps access; does nothing when it is not this node's to give. */
int pages_push(struct pages *p, uint32_t page, enum page_access access);
/* Home: the page becomes zeros. Complete when p->dropping is 0. */
int pages_discard(struct pages *p, uint32_t page);
/* The link is gone: no message comes or goes any more. */
void pages_cut(struct pages *p);

/* Internal: home.c and other.c. */
int pages_home_fault(struct pages *p, uint32_t page, enum page_access access);
int pages_home_receive(struct pages *p, const struct pages_message *m);
int pages_other_receive(struct pages *p, const struct pages_message *m);

#endif
