/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/breakpoint.h"

/* brk #0; where a landing pad is due (BTI), it is one. */
const struct isa_breakpoint isa_breakpoint = { .size = 4, .pc_after = 0,
					       .insn = { 0x00, 0x00, 0x20, 0xd4 } };

void isa_regs_set_pc(struct isa_regs *regs, uint64_t pc)
{
	regs->r.pc = pc;
}
