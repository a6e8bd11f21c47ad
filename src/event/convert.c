/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments of old calls in the form of the calls that replaced them. All ISAs of the table are
 * LP64: time_t, suseconds_t and long are 64 bits, and timespec, timeval, utimbuf and itimerval have
 * no padding.
 */
#include "event/memio.h"
#include "event/structs.h"

#include <errno.h>

#define USEC_PER_SEC  1000000
#define NSEC_PER_USEC 1000
#define NSEC_PER_MSEC 1000000

/* As select does: microseconds over a second count as seconds. utimes refuses them, so they are
 * kept. */
static void timespec_of_timeval(int64_t *t, bool carry)
{
	if (carry && t[0] >= 0 && t[1] >= USEC_PER_SEC) {
		int64_t sec = t[1] / USEC_PER_SEC;

		t[0] = t[0] > INT64_MAX - sec ? INT64_MAX : t[0] + sec;
		t[1] %= USEC_PER_SEC;
	}
	t[1] = (int64_t)((uint64_t)t[1] * NSEC_PER_USEC);
}

static int read_longs(const struct call_view *v, unsigned i, int64_t *ret, size_t n)
{
	return mem_get(v->cx->mem, v->raw[i], ret, n * sizeof(*ret), NULL);
}

int convert_to_canon_row(const struct call_view *v, unsigned i, uint8_t *native)
{
	int64_t t[4] = {0};
	int32_t ms = (int32_t)v->raw[i];
	int r = 0;

	switch ((enum conv_kind)v->conv[i]) {
	case CONV_MS:
		t[0] = ms / 1000;
		t[1] = (int64_t)(ms % 1000) * NSEC_PER_MSEC;
		break;
	case CONV_TIMEVAL:
		r = read_longs(v, i, t, 2);
		timespec_of_timeval(t, true);
		break;
	case CONV_TIMEVAL2:
		r = read_longs(v, i, t, 4);
		timespec_of_timeval(t, false);
		timespec_of_timeval(t + 2, false);
		break;
	case CONV_UTIMBUF:
		r = read_longs(v, i, t, 2);
		t[2] = t[1];
		t[1] = 0;
		break;
	case CONV_TIME:
		t[0] = v->native_ret;
		break;
	case CONV_ALARM:
		t[2] = (uint32_t)v->raw[i];
		break;
	case CONV_ALARM_OLD:
		t[2] = v->native_ret;
		break;
	default:
		return -EFAULT;
	}
	if (r == 0)
		memcpy(native, t, sizeof(t));
	return r;
}

int convert_from_canon_row(const struct call_view *v, unsigned i, const uint8_t *native)
{
	int64_t t[2];

	memcpy(t, native, sizeof(t));
	switch ((enum conv_kind)v->conv[i]) {
	case CONV_TIMEVAL:
		t[1] /= NSEC_PER_USEC;
		return mem_put(v->cx->mem, v->raw[i], t, sizeof(t));
	case CONV_TIME:
		return v->raw[i] ? mem_put(v->cx->mem, v->raw[i], t, sizeof(t[0])) : 0;
	default:
		return 0; /* nothing in the variant's memory takes it */
	}
}

int64_t convert_ret(const struct call_view *v, unsigned i, const uint8_t *native)
{
	int64_t t[4];

	memcpy(t, native, sizeof(t));
	if (v->conv[i] == CONV_TIME)
		return t[0];
	/* alarm_setitimer() of the kernel: rounded, but a timer that runs never shows as none. */
	if ((t[2] == 0 && t[3] != 0) || t[3] >= USEC_PER_SEC / 2)
		t[2]++;
	return t[2];
}
