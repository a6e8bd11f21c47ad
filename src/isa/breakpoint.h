/* SPDX-License-Identifier: Apache-2.0 */
/* The instruction that stops a tracee with a SIGTRAP where it stands. */
#ifndef CHIRAL_ISA_BREAKPOINT_H
#define CHIRAL_ISA_BREAKPOINT_H

#include "isa/isa.h"

#define ISA_BREAKPOINT_MAX 4

struct isa_breakpoint {
	uint8_t size;
	uint8_t pc_after; /* the pc at its stop, from its own address on */
	uint8_t insn[ISA_BREAKPOINT_MAX];
};

extern const struct isa_breakpoint isa_breakpoint;

void isa_regs_set_pc(struct isa_regs *regs, uint64_t pc);

#endif
