/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/timer.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* sigevent's sigev_value is its first member; siginfo's are at the same places on both ISAs. */
#define SIGINFO_TIMER_ID offsetof(siginfo_t, si_timerid)
#define SIGINFO_VALUE	 offsetof(siginfo_t, si_value)

_Static_assert(sizeof(siginfo_t) == EVENT_SIGINFO_SIZE, "siginfo_t is 128 bytes");
_Static_assert(sizeof(union sigval) == sizeof(uint64_t), "all ISAs of the table are LP64");

struct ftimer {
	int32_t id; /* the leader's */
	uint64_t value;
	UT_hash_handle hh;
};

static struct ftimer *find(const struct fprocess *p, int32_t id)
{
	struct ftimer *t;

	HASH_FIND(hh, p->timers, &id, sizeof(id), t);
	return t;
}

static void forget(struct fprocess *p, int32_t id)
{
	struct ftimer *t = find(p, id);

	if (!t)
		return;
	HASH_DELETE(hh, p->timers, t);
	free(t);
}

static int note(struct fprocess *p, int32_t id, uint64_t value)
{
	struct ftimer *t = malloc(sizeof(*t));

	forget(p, id);
	if (!t)
		return -ENOMEM;
	*t = (struct ftimer){ .id = id, .value = value };
	HASH_ADD(hh, p->timers, id, sizeof(t->id), t);
	return 0;
}

/* Without a sigevent the value is the timer's id, which is the leader's anyway. */
static int note_created(struct fthread *f)
{
	const struct payload *p = call_out_of(&f->leader, 2);
	uint64_t at = f->native.arg[1], value;
	int32_t id;

	if (!p || p->form != PAYLOAD_BYTES || p->size != sizeof(id))
		return 0;
	memcpy(&id, payload_data(&f->leader, p), sizeof(id));
	if (!at || f->mem.mem.read(&f->mem.mem, at, &value, sizeof(value)) != sizeof(value)) {
		forget(f->process, id);
		return 0;
	}
	return note(f->process, id, value);
}

int timer_note_call(struct fthread *f)
{
	if (f->leader.ret < 0)
		return 0;
	if (f->leader.id == CALL_TIMER_CREATE)
		return note_created(f);
	if (f->leader.id == CALL_TIMER_DELETE)
		forget(f->process, (int32_t)f->call.arg[0]);
	return 0;
}

static const struct ftimer *timer_of(const struct fprocess *p, const uint8_t *siginfo)
{
	int32_t code, id;

	memcpy(&code, siginfo + offsetof(siginfo_t, si_code), sizeof(code));
	memcpy(&id, siginfo + SIGINFO_TIMER_ID, sizeof(id));
	return code == SI_TIMER ? find(p, id) : NULL;
}

void timer_own_value(const struct fthread *f, uint8_t *siginfo)
{
	const struct ftimer *t = timer_of(f->process, siginfo);

	if (t)
		memcpy(siginfo + SIGINFO_VALUE, &t->value, sizeof(t->value));
}

void timer_own_value_waited(struct fthread *f)
{
	uint64_t at = f->native.arg[1];
	uint8_t info[EVENT_SIGINFO_SIZE];
	const struct ftimer *t;

	if (f->leader.ret <= 0 || !at ||
	    f->mem.mem.read(&f->mem.mem, at, info, sizeof(info)) != sizeof(info))
		return;
	t = timer_of(f->process, info);
	if (t)
		f->mem.mem.write(&f->mem.mem, at + SIGINFO_VALUE, &t->value, sizeof(t->value));
}

void timer_forget_all(struct fprocess *p)
{
	while (p->timers)
		forget(p, p->timers->id);
}
