/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the dynamic loader (ld.so(8)) is in a program. Files that the loader asks for are for one ISA
 * only; the same path asked for by the program itself (a listing of /usr/lib) is data like any other.
 */
#ifndef CHIRAL_VARIANT_LOADER_H
#define CHIRAL_VARIANT_LOADER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct loader {
	uint64_t start, end; /* equal: none (static program) */
	bool python;	     /* the program is Python's interpreter; see localpath.h */
};

/* base: AT_BASE at PTRACE_EVENT_EXEC. Without a loader, or when it cannot be found, the range is empty.
 * What program it is, is told by its file's name. */
void loader_find(pid_t pid, uint64_t base, struct loader *ret);

static inline bool loader_holds(const struct loader *l, uint64_t pc)
{
	return pc >= l->start && pc < l->end;
}

#endif
