/* SPDX-License-Identifier: Apache-2.0 */
/* What a system call that a monitor makes with a tracee's thread needs of the ISA. */
#ifndef CHIRAL_ISA_INJECT_H
#define CHIRAL_ISA_INJECT_H

#include "isa/isa.h"

/* The word of eight bytes at the pc, with the system call instruction at its beginning. */
uint64_t isa_inject_code(uint64_t code);
/* That instruction, executed at the pc, makes call nr; its arguments are set with isa_regs_set_arg(). */
void isa_inject_nr(struct isa_regs *regs, long nr);
/* Registers from before the call, written at its exit stop, are not taken for a call to begin anew. */
void isa_inject_over(struct isa_regs *regs);

#endif
