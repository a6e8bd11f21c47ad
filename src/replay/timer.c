/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/timer.h"

#include "base/clock.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* sigevent's sigev_value is its first member; siginfo's are at the same places on both ISAs. */
#define SIGINFO_TIMER_ID offsetof(siginfo_t, si_timerid)
#define SIGINFO_VALUE	 offsetof(siginfo_t, si_value)

_Static_assert(sizeof(siginfo_t) == EVENT_SIGINFO_SIZE, "siginfo_t is 128 bytes");
_Static_assert(sizeof(union sigval) == sizeof(uint64_t), "all ISAs of the table are LP64");

/* struct siginfo of structs.tbl: si_signo, si_errno, si_code, then the rest. */
#define CANON_SIGINFO_CODE     8
#define CANON_SIGINFO_TIMER_ID 12

/* A program can send itself what looks like a timer's signal (rt_sigqueueinfo). */
#define EARLY_MAX_MS 2000

struct ftimer {
	int32_t id; /* the leader's */
	bool has_value, set;
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

static int note(struct fprocess *p, int32_t id, bool has_value, uint64_t value)
{
	struct ftimer *t = malloc(sizeof(*t));

	forget(p, id);
	if (!t)
		return -ENOMEM;
	*t = (struct ftimer){ .id = id, .has_value = has_value, .value = value };
	HASH_ADD(hh, p->timers, id, sizeof(t->id), t);
	return 0;
}

/* Without a sigevent the value is the timer's id, which is the leader's anyway. */
static int note_created(struct fthread *f)
{
	const struct payload *p = call_out_of(&f->leader, 2);
	uint64_t at = f->native.arg[1], value = 0;
	bool has_value;
	int32_t id;

	if (!p || p->form != PAYLOAD_BYTES || p->size != sizeof(id))
		return 0;
	memcpy(&id, payload_data(&f->leader, p), sizeof(id));
	has_value = at && f->mem.mem.read(&f->mem.mem, at, &value, sizeof(value)) == sizeof(value);
	return note(f->process, id, has_value, value);
}

static void note_set(struct fthread *f)
{
	struct ftimer *t = find(f->process, (int32_t)f->call.arg[0]);

	if (t)
		t->set = true;
}

int timer_note_call(struct fthread *f)
{
	if (f->leader.ret < 0)
		return 0;
	if (f->leader.id == CALL_TIMER_CREATE)
		return note_created(f);
	if (f->leader.id == CALL_TIMER_SETTIME)
		note_set(f);
	else if (f->leader.id == CALL_TIMER_DELETE)
		forget(f->process, (int32_t)f->call.arg[0]);
	return 0;
}

/* True: *ret is the timer whose expiration the event tells. */
static bool tells_of_timer(const struct event *e, int32_t *ret)
{
	const uint8_t *code_at, *id_at;
	const struct payload *p;
	int32_t code;

	if (e->kind == EVENT_SIGNAL) {
		code_at = e->siginfo + offsetof(siginfo_t, si_code);
		id_at = e->siginfo + SIGINFO_TIMER_ID;
	} else {
		if (e->kind != EVENT_CALL || !(e->parts & CALL_PART_EXIT) ||
		    e->call->id != CALL_RT_SIGTIMEDWAIT || !(p = call_out_of(e->call, 1)) ||
		    p->size < CANON_SIGINFO_TIMER_ID + sizeof(*ret))
			return false;
		code_at = payload_data(e->call, p) + CANON_SIGINFO_CODE;
		id_at = payload_data(e->call, p) + CANON_SIGINFO_TIMER_ID;
	}
	memcpy(&code, code_at, sizeof(code));
	memcpy(ret, id_at, sizeof(*ret));
	return code == SI_TIMER;
}

bool timer_is_early(struct replay *rp, struct fthread *f, const struct event *e)
{
	const struct ftimer *t;
	int32_t id;

	if (!tells_of_timer(e, &id) || ((t = find(f->process, id)) && t->set)) {
		f->early_since = 0;
		return false;
	}
	if (!f->early_since)
		f->early_since = time_now_ms();
	if (time_now_ms() - f->early_since > EARLY_MAX_MS)
		return false;
	rp->settling = true;
	return true;
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

	if (t && t->has_value)
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
	if (t && t->has_value)
		f->mem.mem.write(&f->mem.mem, at + SIGINFO_VALUE, &t->value, sizeof(t->value));
}

void timer_forget_all(struct fprocess *p)
{
	while (p->timers)
		forget(p, p->timers->id);
}
