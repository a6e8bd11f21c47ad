/* SPDX-License-Identifier: Apache-2.0 */
#include "event/event.h"

#include <errno.h>
#include <signal.h>

void event_encode_call(struct writer *w, uint32_t tid, const struct call_record *c, unsigned parts)
{
	put_u8(w, EVENT_CALL);
	put_u32(w, tid);
	call_encode(w, c, parts);
}

void event_encode_signal(struct writer *w, uint32_t tid, enum signal_when when, int signal,
			 const void *siginfo)
{
	put_u8(w, EVENT_SIGNAL);
	put_u32(w, tid);
	put_u8(w, (uint8_t)when);
	put_u8(w, 0);
	put_u16(w, (uint16_t)signal);
	put_bytes(w, siginfo, EVENT_SIGINFO_SIZE);
}

void event_encode_death(struct writer *w, uint32_t tid, int wait_status)
{
	put_u8(w, EVENT_DEATH);
	put_u32(w, tid);
	put_u32(w, (uint32_t)wait_status);
}

static int decode_signal(struct reader *r, struct event *e)
{
	const uint8_t *info;
	uint8_t zero;

	e->when = get_u8(r);
	zero = get_u8(r);
	e->signal = get_u16(r);
	info = get_bytes(r, EVENT_SIGINFO_SIZE);
	if (!info || zero || e->when >= _SIGNAL_WHEN_MAX || e->signal == 0 || e->signal >= NSIG)
		return -EPROTO;
	memcpy(e->siginfo, info, EVENT_SIGINFO_SIZE);
	return 0;
}

int event_decode(struct reader *r, struct event *ret)
{
	ret->kind = get_u8(r);
	ret->tid = get_u32(r);
	if (r->failed)
		return -EPROTO;
	switch (ret->kind) {
	case EVENT_CALL:
		return call_decode(r, ret->call, &ret->parts);
	case EVENT_SIGNAL:
		return decode_signal(r, ret);
	case EVENT_DEATH:
		ret->wait_status = get_u32(r);
		return r->failed ? -EPROTO : 0;
	default:
		return -EPROTO;
	}
}
