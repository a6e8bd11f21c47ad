/* SPDX-License-Identifier: Apache-2.0 */
/* Capture back ends: they run the leader's variant and give its events to a struct leader. */
#ifndef CHIRAL_CAPTURE_CAPTURE_H
#define CHIRAL_CAPTURE_CAPTURE_H

#include "match/leader.h"
#include "session/start.h"
#include "variant/spawn.h"

struct recorder;

struct capture {
	const struct start *start;
	struct leader *leader;
	pid_t pid;		/* the variant's first process, at PTRACE_EVENT_EXEC */
	struct loader loader;
	struct recorder *recorder; /* when the variant's filter lets recorded calls run; or NULL */
};

/*
 * Runs the variant to its end, or until the hub wishes it dead; tells the hub (EXITED) and answers its
 * questions until the connection ends. The calling thread is its tracer. Afterwards no process of the
 * variant is left. 0 or -errno, logged, when this machine failed us.
 */
int capture_ptrace(const struct capture *c);

#endif
