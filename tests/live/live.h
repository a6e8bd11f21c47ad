/* SPDX-License-Identifier: Apache-2.0 */
/* Live tests: a program checks itself, natively and as two variants: the exit status is 0 and nothing
 * differs from run to run in what it prints. */
#ifndef CHIRAL_TESTS_LIVE_H
#define CHIRAL_TESTS_LIVE_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The program itself, wherever it was put. */
#define SELF "/proc/self/exe"

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(2, "%s:%d: expected: %s (errno %d)\n", __FILE__, __LINE__,         \
				#condition, errno);                                                \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static inline void say(const char *text)
{
	EXPECT(write(1, text, strlen(text)) == (ssize_t)strlen(text));
}

static inline void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

#endif
