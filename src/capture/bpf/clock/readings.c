/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/bpf/clock/readings.h"

#include "calls/table.h"
#include "capture/bpf/pieces.h"
#include "capture/ptrace.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* No call has been made, so no memory of the program's is meant: any address that is not 0. */
#define SOMEWHERE 0x1000u

/* struct timespec, the same on both ISAs. gettimeofday(2) is clock_gettime(2) in canonical form. */
struct value {
	int64_t sec, nsec;
};

static struct native_call native_of(enum clock_reading what)
{
	static const clockid_t clock[_CLOCK_READ_MAX] = {
		[CLOCK_READ_REALTIME] = CLOCK_REALTIME,
		[CLOCK_READ_MONOTONIC] = CLOCK_MONOTONIC,
		[CLOCK_READ_COARSE] = CLOCK_MONOTONIC_COARSE,
	};
	bool day = what == CLOCK_READ_DAY;
	struct native_call n = {
		.isa = isa_native,
		.nr = call_rows[day ? CALL_GETTIMEOFDAY : CALL_CLOCK_GETTIME].nr[isa_native],
	};

	n.arg[0] = day ? SOMEWHERE : (uint64_t)clock[what];
	n.arg[1] = day ? 0 : SOMEWHERE;
	return n;
}

/* The call and, in it, where its time is. */
static int make(struct call_record *c, enum clock_reading what, const struct call_ctx *cx, uint8_t **ret_time)
{
	const struct value zero = { 0 };
	struct native_call n = native_of(what);
	int r = call_resolve(&n);

	if (r == 0)
		r = call_capture_in(cx, &n, c);
	if (r == 0)
		r = call_capture_out(cx, &n, 0, c);
	if (r == 0)
		r = call_record_own(c);
	if (r < 0)
		return r;
	if (c->n_out != 1 || c->out[0].size != sizeof(zero) ||
	    memcmp(payload_data(c, &c->out[0]), &zero, sizeof(zero)) != 0)
		return -EPROTO;
	*ret_time = c->bytes.data + c->out[0].off;
	return 0;
}

int clock_readings_init(struct clock_readings *c, const uint8_t *key)
{
	const struct value zero = { 0 };
	struct pieces pieces;
	struct call_ctx cx = { .isa = isa_native, .mem = &pieces.mem, .key = key };
	int r;

	pieces_init(&pieces);
	r = pieces_add(&pieces, SOMEWHERE, &zero, sizeof(zero), false);
	for (int i = 0; i < _CLOCK_READ_MAX && r == 0; i++)
		r = make(&c->call[i], (enum clock_reading)i, &cx, &c->time[i]);
	pieces_free(&pieces);
	return r;
}

void clock_readings_free(struct clock_readings *c)
{
	for (int i = 0; i < _CLOCK_READ_MAX; i++)
		call_record_free(&c->call[i]);
}

const struct call_record *clock_readings_call(struct clock_readings *c, enum clock_reading what,
					      const struct clock_time *at)
{
	const struct value value = { at->sec, what == CLOCK_READ_DAY ? at->nsec - at->nsec % 1000 : at->nsec };

	memcpy(c->time[what], &value, sizeof(value));
	return &c->call[what];
}

void clock_readings_emit(struct tracer *t, struct tracee *tr, enum clock_reading what,
			 const struct clock_time *at)
{
	const struct call_record *c = clock_readings_call(&t->collector.readings, what, at);

	t->counts.clocks++;
	t->counts.recorded++;
	t->counts.compared++;
	t->counts.replayed++;
	history_add(&t->history, c, t->position++);
	leader_exit(t->leader, &tr->slot, c);
}
