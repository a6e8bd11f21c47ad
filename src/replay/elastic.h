/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls without an effect of which one variant may make more than the other: readings of two clocks,
 * changes of the signal mask, random numbers for names. They are dropped or answered.
 */
#ifndef CHIRAL_REPLAY_ELASTIC_H
#define CHIRAL_REPLAY_ELASTIC_H

#include "replay/replay.h"

#include <time.h>

/* c is clock_gettime(2) of that clock. */
bool elastic_reads(const struct call_record *c, clockid_t clock);
/* The leader's event, in f->leader with these CALL_PART_* of it, and f's call. True: one of them was a
 * call that the other side did not make, and is dealt with. */
bool elastic_match(struct replay *rp, struct fthread *f, unsigned parts);
/* f->leader has its outcome: keeps what clock it read, for f's own readings. */
void elastic_note(struct fthread *f);
/* Drops a reading of the leader's that f, which computes, will not make before it is ended. False: there
 * is none. */
bool elastic_drop(struct replay *rp, struct fthread *f);
/* Answers a reading of f's own that the leader has not made. False: f does not wait at one. */
bool elastic_answer(struct replay *rp, struct fthread *f);

#endif
