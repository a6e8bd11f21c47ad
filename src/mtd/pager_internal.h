/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the pager. All return 0 or -errno, not logged; -EPIPE: the program has ended. */
#ifndef CHIRAL_MTD_PAGER_INTERNAL_H
#define CHIRAL_MTD_PAGER_INTERNAL_H

#include "mtd/pager.h"

/* pager_along.c */
int pager_push_for_switch(struct pager *p, const struct mtd_message *m);
int pager_push_for_call(struct pager *p, const struct mtd_message *m);
int pager_push_for_result(struct pager *p);
/* The peer was given a page, which it had asked for: the next ones, when it goes through them in order. */
int pager_run_ahead(struct pager *p, uint32_t page, enum page_access access);

/* pager_program.c */
int pager_tell_program(struct pager *p, const struct mtd_message *m);
/* -EPIPE at the end of what it says. */
int pager_hear_program(struct pager *p);
/* Answers an MTD_DISCARD that is complete. */
int pager_end_discard(struct pager *p);
void pager_count_switch(struct pager *p, const struct mtd_message *m);

#endif
