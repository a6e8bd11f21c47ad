/* SPDX-License-Identifier: Apache-2.0 */
/* The native registers under the numbers that DWARF gives them (the ISA's psABI), for unwinding. */
#ifndef CHIRAL_ISA_DWARF_H
#define CHIRAL_ISA_DWARF_H

#include "isa/isa.h"

#define ISA_DWARF_REGS_MAX 32

/* Fills ret[0..n) and returns n. pc is not among them on every ISA: isa_regs_pc() has it. */
unsigned isa_dwarf_regs(const struct isa_regs *regs, uint64_t ret[ISA_DWARF_REGS_MAX]);

/* DWARF's number of the stack pointer. */
extern const unsigned isa_dwarf_sp;

#endif
