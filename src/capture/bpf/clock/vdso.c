/* SPDX-License-Identifier: Apache-2.0 */
/* Code that runs in the program, in place of the kernel's vDSO (vdso(7)). Theory of operation: see page.h. */
#include "capture/bpf/clock/page.h"
#include "vdso.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#define TICK_MAX_NS 20000000 /* of a kernel with 100 ticks a second, twice */

typedef int clock_gettime_fn(clockid_t, struct timespec *);

/* vdso.lds: behind the image */
extern volatile struct clock_page own_page __attribute__((visibility("hidden")));
extern clock_gettime_fn *const own_kernel __attribute__((visibility("hidden")));

/* The coarse clock is the time of the last tick: it tells that no further one has come, and that nobody has
 * set the clock. */
static bool is_still(clockid_t coarse, const struct clock_time *t)
{
	struct timespec tick;
	int64_t since;

	if (own_kernel(coarse, &tick))
		return false;
	since = (t->sec - tick.tv_sec) * 1000000000 + t->nsec - tick.tv_nsec;
	return since >= 0 && since < TICK_MAX_NS;
}

/* False: it is not what the others were that are to be recorded with it, or does not count. */
static bool read_tick(const volatile struct clock_slot *s, uint64_t n, struct clock_time *ret)
{
	struct timespec tick;
	uint64_t ns;

	if (own_kernel(CLOCK_MONOTONIC_COARSE, &tick))
		return false;
	ns = (uint64_t)tick.tv_sec * 1000000000 + (uint64_t)tick.tv_nsec;
	if (clock_coarse(s->left, ns) != ns ||
	    (own_page.coarse_readings > s->taken && own_page.notes.coarse != ns))
		return false;
	own_page.notes.coarse = ns;
	own_page.coarse_readings = n + 1;
	*ret = (struct clock_time){ tick.tv_sec, tick.tv_nsec };
	return true;
}

static bool read_left(const volatile struct clock_slot *s, bool mono, struct clock_time *ret)
{
	*ret = mono ? s->mono : s->real;
	return is_still(mono ? CLOCK_MONOTONIC_COARSE : CLOCK_REALTIME_COARSE, ret);
}

/* False: it has to be asked for by a call. */
static inline bool read_still(enum clock_reading what, struct clock_time *ret)
{
	const volatile struct clock_slot *s = (const volatile struct clock_slot *)(uintptr_t)own_page.slot;
	uint64_t n = own_page.notes.readings;
	bool coarse = what == CLOCK_READ_COARSE;

	if (!s || !(s->valid & (coarse ? CLOCK_COARSE : CLOCK_FINE)) ||
	    n - s->taken >= CLOCK_READINGS_MAX || (own_page.thread && own_page.thread != vdso_thread()))
		return false;
	if (!(coarse ? read_tick(s, n, ret) : read_left(s, what == CLOCK_READ_MONOTONIC, ret)))
		return false;
	own_page.notes.what[n % CLOCK_READINGS_MAX] = (uint8_t)what;
	__atomic_store_n(&own_page.notes.readings, n + 1, __ATOMIC_RELEASE);
	if (s->open || s->taken > n)
		return true;
	/* A handler has made calls since we looked: nobody will look at the note before the next call. */
	own_page.notes.readings = n;
	return false;
}

static enum clock_reading reading_of(clockid_t clock)
{
	return clock == CLOCK_REALTIME ? CLOCK_READ_REALTIME
	       : clock == CLOCK_MONOTONIC ? CLOCK_READ_MONOTONIC : CLOCK_READ_COARSE;
}

int VDSO_NAME(clock_gettime)(clockid_t clock, struct timespec *ret)
{
	struct clock_time t;

	if ((clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE) || !ret ||
	    !read_still(reading_of(clock), &t))
		return (int)vdso_call(SYS_clock_gettime, clock, (long)ret);
	ret->tv_sec = t.sec;
	ret->tv_nsec = t.nsec;
	return 0;
}

int VDSO_NAME(gettimeofday)(struct timeval *ret, void *zone)
{
	struct clock_time t;

	if (!ret || zone || !read_still(CLOCK_READ_DAY, &t))
		return (int)vdso_call(SYS_gettimeofday, (long)ret, (long)zone);
	ret->tv_sec = t.sec;
	ret->tv_usec = t.nsec / 1000;
	return 0;
}
