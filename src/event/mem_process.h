/* SPDX-License-Identifier: Apache-2.0 */
/* A process's memory over process_vm_readv(2) and process_vm_writev(2). */
#ifndef CHIRAL_EVENT_MEM_PROCESS_H
#define CHIRAL_EVENT_MEM_PROCESS_H

#include "event/mem.h"

struct mem_process {
	struct mem mem;
	pid_t pid; /* any thread of the process */
};

/* Fills m; nothing to release. The caller needs ptrace access to pid at each use. */
void mem_process_init(struct mem_process *m, pid_t pid);

#endif
