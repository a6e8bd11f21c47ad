/* SPDX-License-Identifier: Apache-2.0 */
/* Starting one of the two processes of a program that moves. */
#ifndef CHIRAL_MTD_PROCESS_H
#define CHIRAL_MTD_PROCESS_H

#include "isa/isa.h"
#include "mtd/runtime/session.h"

#include <stdbool.h>
#include <sys/types.h>

struct mtd_process {
	const char *file;	/* of the ISA; an emulator runs one that is not native */
	char *const *argv;
	enum isa isa;
	bool home;
	int memory, config, link, pages; /* descriptors, borrowed; pages -1: one memory for both */
	enum mtd_how how;
	const int *streams;	/* become descriptors 0 to 2, -1: /dev/null; NULL: those stay, and the terminal */
	char *const *env;	/* NULL: this process's */
};

/* Returns the pid of a child that dies with this process, or -errno, logged. */
pid_t mtd_process_start(const struct mtd_process *p);

#endif
