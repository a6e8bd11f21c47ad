/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the dynamic loader (ld.so(8)) is in a program. Files that the loader asks for are for one ISA
 * only; the same path asked for by the program itself (a listing of /usr/lib) is data like any other.
 *
 * The GNU loader is a file of its own: its calls are told from the program's by their address as long as
 * the program runs, also those of dlopen(3). Another loader may be the C library as well (musl), and all
 * calls come from it: it counts as a loader only until the program's first instruction.
 */
#ifndef CHIRAL_VARIANT_LOADER_H
#define CHIRAL_VARIANT_LOADER_H

#include "isa/breakpoint.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct loader {
	uint64_t start, end; /* equal: none (static program), or its time is over */
	uint64_t entry;	     /* of the program, with a breakpoint; 0: none */
	uint8_t replaced[ISA_BREAKPOINT_MAX];
	bool python; /* the program is Python's interpreter; see localpath.h */
};

/* What the kernel tells a program in its auxiliary vector (getauxval(3)). */
struct loader_place {
	uint64_t base;	/* AT_BASE: of the loader; 0: none */
	uint64_t entry; /* AT_ENTRY: of the program */
};

/* At PTRACE_EVENT_EXEC of pid. Without a loader, or when it cannot be found, the range is empty. What
 * program it is, is told by its file's name. */
void loader_find(pid_t pid, const struct loader_place *place, struct loader *ret);

/*
 * At a signal stop of tid, by its tracer. True: it is at the breakpoint that loader_find() made, which is
 * gone now, and so is the range; tid is to be continued without the signal.
 */
bool loader_leave(struct loader *l, pid_t tid, const siginfo_t *info);

static inline bool loader_holds(const struct loader *l, uint64_t pc)
{
	return pc >= l->start && pc < l->end;
}

#endif
