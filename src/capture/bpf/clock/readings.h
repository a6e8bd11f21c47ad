/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of readings. All readings of a kind are the same call with another result: the call is captured
 * once, and the time put into it for each.
 */
#ifndef CHIRAL_CAPTURE_BPF_CLOCK_READINGS_H
#define CHIRAL_CAPTURE_BPF_CLOCK_READINGS_H

#include "capture/bpf/clock/page.h"
#include "event/call.h"

struct tracee;
struct tracer;

/* Zero-initialised is empty. */
struct clock_readings {
	struct call_record call[_CLOCK_READ_MAX];
	uint8_t *time[_CLOCK_READ_MAX]; /* in the call's bytes: two 64-bit numbers */
};

/* 0, -ENOMEM, or -EPROTO when the calls do not look as they have to. */
int clock_readings_init(struct clock_readings *c, const uint8_t *key);
void clock_readings_free(struct clock_readings *c);

/* The call that would have told this time; valid until the next one of that kind. */
const struct call_record *clock_readings_call(struct clock_readings *c, enum clock_reading what,
					      const struct clock_time *at);

/* What tr has read, as an event. */
void clock_readings_emit(struct tracer *t, struct tracee *tr, enum clock_reading what,
			 const struct clock_time *at);

#endif
