/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pager: the process beside each of the two processes of a program that moves. It holds the memory
 * file, hears of the program's faults and keeps both nodes' memory the same (mtd/pages/pages.h). All
 * that the two programs say to each other passes through their pagers, in one stream with the pages:
 * so the pages that a switch needs are there before it.
 *
 * Without a thread or a loop of its own: who owns it polls pager_fds() and the link.
 */
#ifndef CHIRAL_MTD_PAGER_H
#define CHIRAL_MTD_PAGER_H

#include "base/bytes.h"
#include "link/link.h"
#include "mtd/pages/hot.h"
#include "mtd/pages/pages.h"
#include "mtd/runtime/session.h"

#include <poll.h>
#include <sys/types.h>

/* Pages that a call's arguments point to go home with the call, and come back with its result. */
#define PAGER_CALL_PAGES 12

struct pager_counters {
	uint64_t switches, calls;
	uint64_t frames, record_bytes;	/* of switches */
	uint64_t faults, other_faults;	/* that had to wait for the peer: here, there */
	uint64_t pages_in, pages_out;	/* contents that came and went */
	uint64_t pushed, pushed_here;	/* of pages_out, of pages_in: unasked */
};

struct pager {
	bool home;
	enum mtd_how how;
	pid_t pid;			/* the program */
	struct link *link;		/* to the peer's pager; borrowed */
	int memory, program, faults;	/* descriptors; faults: a userfaultfd, or PAGES */
	uint8_t *view;			/* of the memory file */
	uint64_t data_size;		/* bytes of .data and .bss */
	uint8_t *allowed;		/* MTD_HOW_SEGV: access that the program's mappings give, by page */
	bool waits, fault_is_new;	/* MTD_HOW_SEGV: the program waits; nothing was done about it yet */
	uint64_t waits_at;		/* address of that fault */
	struct pages *pages;
	struct writer out;		/* items for the next frame */
	struct hot hot;
	struct hot arrived;		/* PUSHes of the frame that is read */
	uint32_t ahead_at;		/* the page that the peer asks for next when it goes on in order */
	unsigned ahead;			/* pages that were sent ahead */
	uint32_t call_page[PAGER_CALL_PAGES];
	unsigned n_call_pages;
	bool discarding;		/* the program waits for MTD_DISCARD */
	uint8_t in[sizeof(struct mtd_message)];
	size_t in_len;
	struct pager_counters counters;
};

/* What the program gets besides the pager: descriptors of its ends. */
struct pager_ends {
	int link, pages;
};

/* Makes memory file, sockets and state. 0 or -errno, logged. */
int pager_init(struct pager *p, bool home, struct link *link, struct pager_ends *ret);
/* Waits until the program (p->pid) has handed its memory over. asked: what it was started with.
 * 0 or -errno, with a sentence about it in why. */
int pager_begin(struct pager *p, enum mtd_how asked, char *why, size_t why_size);
/* 1 when something can be done at fds[0] (program) or fds[1] (faults). */
void pager_fds(const struct pager *p, struct pollfd fds[2]);
/* Does what there is to do after poll(2). 0; -EPIPE: the program has closed its end; or -errno, logged. */
int pager_serve(struct pager *p, const struct pollfd fds[2]);
/* A MOVE frame. 0 or -errno, logged. */
int pager_receive(struct pager *p, const struct frame *f);
void pager_free(struct pager *p);

#endif
