/* SPDX-License-Identifier: Apache-2.0 */
/* The part of stack_unwind() that runs in the sandbox: everything it needs was gathered before. */
#ifndef CHIRAL_VARIANT_STACK_DWFL_H
#define CHIRAL_VARIANT_STACK_DWFL_H

#include "isa/dwarf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STACK_MODULES_MAX 256u

struct stack_regs {
	bool all;		/* else pc and sp only */
	uint64_t value[ISA_DWARF_REGS_MAX];
	unsigned n;
	uint64_t pc, sp;
};

/* One ELF file in the variant's memory. */
struct stack_module {
	uint64_t start, end;	/* of all its mappings */
	const char *path;	/* borrowed */
	int fd;			/* -1: read from memory ([vdso]) or not accessible */
	bool in_memory;
};

struct stack_input {
	pid_t tid;
	int mem_fd;		/* /proc/TID/mem */
	struct stack_regs regs;
	struct stack_module module[STACK_MODULES_MAX];
	unsigned n_modules;
};

/* Writes one line a frame to out_fd as soon as it is known. */
void stack_unwind_to(const struct stack_input *in, int out_fd);

#endif
