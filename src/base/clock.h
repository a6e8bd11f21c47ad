/* SPDX-License-Identifier: Apache-2.0 */
/* Monotonic time and deadlines, in milliseconds. */
#ifndef CHIRAL_BASE_CLOCK_H
#define CHIRAL_BASE_CLOCK_H

#include <limits.h>
#include <stdint.h>
#include <time.h>

static inline int64_t time_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* timeout_ms from now; a negative timeout is never over. */
static inline int64_t deadline_after_ms(int timeout_ms)
{
	return timeout_ms < 0 ? INT64_MAX : time_now_ms() + timeout_ms;
}

/* What is left until deadline, in the form poll(2) takes: -1 for ever, 0 when it is over. */
static inline int deadline_left_ms(int64_t deadline)
{
	int64_t left;

	if (deadline == INT64_MAX)
		return -1;
	left = deadline - time_now_ms();
	if (left < 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

#endif
