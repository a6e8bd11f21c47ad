/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/breakpoint.h"

/* int3 */
const struct isa_breakpoint isa_breakpoint = { .size = 1, .pc_after = 1, .insn = { 0xcc } };

void isa_regs_set_pc(struct isa_regs *regs, uint64_t pc)
{
	regs->r.rip = pc;
}
