/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of calls among the threads of a process.
 *
 * Theory of operation. Every thread has a stream of its own, and what threads do to each other's memory
 * is no call. But a call is often how one thread tells another of it: a byte in a pipe, an eventfd. The
 * leader's events come in the order in which its calls ended, and a call that another thread of the
 * process was inside of then is announced before (leader_exit()). So a follower's thread goes on behind
 * its call when every other thread of its process
 *
 * - has come to what the leader's thread had begun before, and
 * - is done with what it was doing: it waits at its next call, sleeps, or computes for long.
 *
 * A leader whose calls the kernel records knows them by their ends: a call that wakes a thread and lasts
 * longer than that thread's is not announced before. So a thread whose next event is close behind is not
 * left alone for computing long. What is further behind (a write of many times what a pipe holds) may be
 * met before it was computed.
 *
 * Threads take turns at calls therefore, as the leader's did. This orders calls, not accesses to memory,
 * and it is a hint: the threads of a follower may take a lock in another order than the leader's, so
 * nobody waits for a thread that waits for a lock, nor longer than ORDER_PATIENCE_MS.
 */
#ifndef CHIRAL_REPLAY_ORDER_H
#define CHIRAL_REPLAY_ORDER_H

#include "replay/thread.h"

#include <stdbool.h>

struct replay;

#define ORDER_PATIENCE_MS 2000
/* How often those that run are looked at: no call tells that they have fallen asleep. */
#define ORDER_LOOK_NS 200000
#define ORDER_SOON 32 /* events: close behind */
/* A thread that computes for longer without a call is left alone until its next one; processor time. */
#define ORDER_COMPUTING_NS 50000000

/* f, which is held, may be given its next event. False: rp->ordering is set, to be asked again soon. */
bool order_is_due(struct replay *rp, struct fthread *f);
/* An event of f's was taken. */
void order_went_on(struct fthread *f);
/*
 * f reads a clock where the leader's thread did not, as threads do that find a lock taken. It may have its
 * answer, the value of which is an old one: a deadline that is made of it has passed. False: a bit later, so
 * that it does not compete with the thread that has the lock; rp->ordering is set.
 */
bool order_may_read(struct replay *rp, struct fthread *f);

#endif
