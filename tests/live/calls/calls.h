/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live tests of calls: one file a group, `void test_GROUP(void)` in GROUP.c, one word in meson.build.
 * All are one program: `calls GROUP` runs a group, `calls` runs each in a process of its own. A group
 * works in an empty folder, ends with status 0, 1 after a failed EXPECT, 77 when it cannot run here.
 */
#ifndef CHIRAL_TESTS_LIVE_CALLS_H
#define CHIRAL_TESTS_LIVE_CALLS_H

#include "../live.h"

#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* The call fails, and in this way. */
#define FAILS(call, error) EXPECT(((errno = 0), (call)) == -1 && errno == (error))

/* C leaves it to the compiler which operand or argument comes first: of two that are calls, one has to
 * be a variable, or the variants of two ISAs make them in different orders. */

/* Nothing is mapped in the first page. */
extern void *const nowhere;

#define SKIP(reason)                                                                               \
	do {                                                                                       \
		say("skipped: " reason "\n");                                                      \
		_exit(77);                                                                         \
	} while (0)

/* A child that has to end with status 0. */
void in_child(void (*body)(void));
/* The child's pid, -1 in the child after it was made to run body(arg) and end. */
pid_t start_child(void (*body)(int), int arg);
void end_child(pid_t pid);

/* A file of the group's folder with these bytes, open for reading and writing at its beginning. */
int file_with(const char *name, const char *text);

static inline bool is_root(void)
{
	return geteuid() == 0;
}

#endif
