/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: what a leader's stream consists of. An EVENTS frame is a sequence of them:
 *
 *	u8 kind, u32 tid (canonical: the leader's), then by kind
 *	CALL	call_encode() form: the entry part, the exit part or both
 *	SIGNAL	u8 when, u8 zero, u16 signal, 128 bytes siginfo_t (equal layout on both ISAs)
 *	DEATH	u32 wait status of the thread
 *
 * Events of one tid are in program order; a thread's stream starts with the first event of its tid
 * (the first thread's with the session, others' after the CALL that made them).
 */
#ifndef CHIRAL_EVENT_EVENT_H
#define CHIRAL_EVENT_EVENT_H

#include "event/call.h"

enum event_kind {
	EVENT_CALL,
	EVENT_SIGNAL,
	EVENT_DEATH,
	_EVENT_MAX,
};

/* Processor time of its own after which a thread without calls gets a signal where it is. */
#define IN_CODE_AFTER_MS 200u

enum signal_when {
	SIGNAL_BEFORE,	/* before the thread's next call is executed; the call follows */
	SIGNAL_AT_EXIT, /* when the thread's next call returns (EINTR); its event follows */
	SIGNAL_FAULT,	/* synchronous: followers fault by themselves and are compared */
	SIGNAL_FATAL,	/* default action ends the process; at the thread's next call or at once */
	SIGNAL_IN_CODE, /* the thread made no compared call for a while: wherever it is after its last */
	_SIGNAL_WHEN_MAX,
};

#define EVENT_SIGINFO_SIZE 128u

struct event {
	uint8_t kind;
	uint32_t tid;
	unsigned parts;			/* CALL: CALL_PART_* */
	struct call_record *call;	/* CALL: where to decode to; set by the caller */
	uint8_t when;			/* SIGNAL */
	uint16_t signal;
	uint8_t siginfo[EVENT_SIGINFO_SIZE];
	uint32_t wait_status;		/* DEATH */
};

void event_encode_call(struct writer *w, uint32_t tid, const struct call_record *c, unsigned parts);
void event_encode_signal(struct writer *w, uint32_t tid, enum signal_when when, int signal,
			 const void *siginfo);
void event_encode_death(struct writer *w, uint32_t tid, int wait_status);

/* The next event; ret->call must be set. -EPROTO on anything malformed. */
int event_decode(struct reader *r, struct event *ret);

#endif
