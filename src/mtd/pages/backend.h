/* SPDX-License-Identifier: Apache-2.0 */
/* How a pager acts on its program's memory: struct pages_ops with a struct pager as context. */
#ifndef CHIRAL_MTD_PAGES_BACKEND_H
#define CHIRAL_MTD_PAGES_BACKEND_H

#include "mtd/pager.h"

/* Takes over a program's memory. 0 or -errno. */
int uffd_begin(struct pager *p, int uffd);
/* What the program waits for. 0 or -errno. */
int uffd_serve(struct pager *p);
extern const struct pages_ops uffd_ops;

int segv_begin(struct pager *p);
int segv_serve(struct pager *p);
/* Answers a fault that was heard of while something else was done. */
int segv_settle(struct pager *p);
extern const struct pages_ops segv_ops;

/* Both: queues a message for the peer. */
int pager_send(void *ctx, const struct pages_message *m);
/* Both: the program needs a page. 0 or -errno. */
int pager_fault(struct pager *p, uint32_t page, enum page_access access);
const void *pager_contents(void *ctx, uint32_t page);
/* Is it a page of a shared region? */
bool pager_has(const struct pager *p, uint32_t page);

#endif
