/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's end of the link: takes events from a capture back end, batches them, keeps the window,
 * and reacts to the hub.
 *
 * Theory of operation. Two threads: the capturing one (ptrace requests are bound to their thread)
 * appends encoded events to a buffer; the link thread sends the buffer a short time after its first
 * event, or at once when it is large, and reads what the hub says. No call of the program wakes
 * another thread. A call that a thread is still inside when the buffer is sent is announced by its
 * entry part, so that a follower which does something else is found out although the leader sleeps.
 */
#ifndef CHIRAL_MATCH_LEADER_H
#define CHIRAL_MATCH_LEADER_H

#include "event/event.h"
#include "link/link.h"
#include "session/start.h"

#include <stdbool.h>

struct leader;

enum leader_wish {
	WISH_NONE,
	WISH_KILL,	/* the hub says so, or is gone */
	WISH_REPORT,	/* execute no call, say what was seen, wait for the next wish */
	WISH_FREEZE,	/* stop every thread and wait for the next wish */
	WISH_RESUME,	/* go on after a REPORT: the session continues unprotected */
	WISH_SIGNAL,	/* leader_take_signal() */
};

enum leader_barrier {
	BARRIER_BY_LEVEL,	/* the session's level says */
	BARRIER_NO,
	BARRIER_YES,		/* the call is executed only when all followers have matched it */
};

/* A thread's call in flight; embedded in the capture's task. Zero-initialised is "in no call". */
struct leader_slot {
	uint32_t tid;
	uint32_t process;		/* its threads' calls are ordered; 0: by itself */
	const struct call_record *call; /* NULL: in no call */
	bool announced;
	uint8_t barrier;		/* enum leader_barrier; set by the capture before leader_enter() */
	bool observed;			/* bytes may differ (CALL_PART_OBSERVED); set likewise */
	bool matched;			/* at a barrier: by all followers */
	bool seen;			/* was in this call when the last batch went out */
	struct leader_slot *next, **prev;
};

/* The calling thread is the capturing one. link stays the caller's. stdio_fds: descriptors of the
 * program's stdin (written), stdout and stderr (read), -1 each when the program has its own. */
int leader_new(struct link *link, const struct start *start, const int stdio_fds[3],
	       struct leader **ret);
/* Sends what is left and joins the link thread. */
void leader_free(struct leader *l);

/* ---- events: capturing thread only ------------------------------------------------------------ */

/*
 * The entry of a compared call: waits a moment for room in the window and, at a barrier, for the followers
 * to match it. False: the call must not be executed now. It may when leader_may_go() says so, which is
 * worth asking when leader_has_news() is true, and after WISH_RESUME. Meanwhile other threads have to be
 * served: what the followers wait for may be the outcome of a call of theirs.
 */
bool leader_enter(struct leader *l, struct leader_slot *slot, const struct call_record *c);
bool leader_may_go(struct leader *l, struct leader_slot *slot);
/* True once after calls were matched or there is room again. As for wishes, the thread's waits are interrupted. */
bool leader_has_news(struct leader *l);
/* Events and bytes of them that the window has room for: nothing bounds what is discarded. */
void leader_room(const struct leader *l, uint64_t *ret_events, uint64_t *ret_bytes);
/* For a thread whose call has been executed already. False: it has to wait like one in leader_enter(). */
bool leader_has_room(struct leader *l);
/* The thread waits inside of call c: announced at once, until leader_pause() c must not change. */
void leader_block(struct leader *l, struct leader_slot *slot, const struct call_record *c);
/* A call without exit: its entry goes into the stream now. */
void leader_announce(struct leader *l, struct leader_slot *slot);
/* The thread is about to change its record: the call in flight is no longer announced. */
void leader_pause(struct leader *l, struct leader_slot *slot);
/* The call is over, its exit part is in c. Calls that other threads of the process are inside of are
 * announced before, since this one may have been waiting for them. */
void leader_exit(struct leader *l, struct leader_slot *slot, const struct call_record *c);
/* Between these two the calling thread tells of many calls that are over: they lock once. It may not wait for
 * anything meanwhile. */
void leader_hold(struct leader *l);
void leader_let_go(struct leader *l);
/* The call will be executed again from its entry (a signal came first). */
void leader_cancel(struct leader *l, struct leader_slot *slot);
/* The thread died in its call, which may have taken effect: its entry goes into the stream. */
void leader_abandon(struct leader *l, struct leader_slot *slot);
/* The call went on after leader_pause() (restart_syscall). */
void leader_resume(struct leader *l, struct leader_slot *slot, const struct call_record *c);
void leader_signal(struct leader *l, uint32_t tid, enum signal_when when, int signal,
		   const void *siginfo);
void leader_death(struct leader *l, uint32_t tid, int wait_status);
void leader_flush(struct leader *l);

/* ---- the hub's wishes ------------------------------------------------------------------------- */

/* Cheap: looked at in the capturing loop. While a wish waits, the link thread interrupts the
 * capturing thread's waits with SIGUSR1 until it is taken. */
enum leader_wish leader_wish(struct leader *l);
/* Takes the wish; WISH_SIGNAL's number in *ret_signal. */
enum leader_wish leader_take_wish(struct leader *l, int *ret_signal);
/* The canonical thread that the last WISH_REPORT is about; 0: none in particular. */
uint32_t leader_report_tid(struct leader *l);
/* Blocks until there is one. */
void leader_wait_wish(struct leader *l);

/* The variant is gone: EXITED, after everything that it has written to its stdout and stderr. */
void leader_ended(struct leader *l, const struct exited *e);
/* Queues a frame of any other type (REPORTED, ERROR). */
void leader_send(struct leader *l, enum frame_type type, const void *body, size_t len);

void leader_counts(struct leader *l, uint64_t *ret_events, uint64_t *ret_bytes);

#endif
