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

/*
 * Handlers of signals return to a trampoline. Where its unwinding information leads to the
 * interrupted function (x86-64: libc's) nothing is needed. Where it does not (arm64: the vDSO's has
 * had none since Linux 5.8), unwinders know the trampoline by its instructions and the layout of
 * the stack behind it.
 */
#define ISA_TRAMPOLINE_SIZE 8

/* code: the instructions at a frame's pc. How many bytes of stack from its sp on hold what the
 * signal interrupted; 0 when it is no such trampoline. */
size_t isa_signal_frame_size(const uint8_t code[ISA_TRAMPOLINE_SIZE]);
/* Those bytes -> registers, their number (returned), pc. */
unsigned isa_signal_frame_regs(const uint8_t *frame, uint64_t ret[ISA_DWARF_REGS_MAX],
			       uint64_t *ret_pc);

#endif
