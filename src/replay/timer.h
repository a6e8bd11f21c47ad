/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX timers (timer_create(2)). The value that goes with their signals is often a pointer, which
 * belongs to the variant: the follower's own is known by the timer's id, which is the leader's and in
 * the siginfo of every expiration.
 *
 * Threads are not ordered among each other, but no timer expires before it was set: one that waits for
 * the signal is given it when the one that sets the timer has done so here too.
 */
#ifndef CHIRAL_REPLAY_TIMER_H
#define CHIRAL_REPLAY_TIMER_H

#include "replay/replay.h"

/* f->call equals f->leader, whose outcome is known: timers made and deleted. 0 or -ENOMEM. */
int timer_note_call(struct fthread *f);
/* e, which is f's next, tells of a timer that f's process has not set yet: f waits, for a while. */
bool timer_is_early(struct replay *rp, struct fthread *f, const struct event *e);
/* A siginfo_t of the leader's, EVENT_SIGINFO_SIZE bytes: a timer's value becomes the variant's own. */
void timer_own_value(const struct fthread *f, uint8_t *siginfo);
/* sigwaitinfo(2) has given the leader's siginfo to the thread's memory: the same there. */
void timer_own_value_waited(struct fthread *f);
void timer_forget_all(struct fprocess *p);

#endif
