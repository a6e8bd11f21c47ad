/* SPDX-License-Identifier: Apache-2.0 */
/* DWARF for the Arm 64-bit Architecture, section 4.1: x0 to x30, then sp. */
#include "isa/dwarf.h"

const unsigned isa_dwarf_sp = 31;

unsigned isa_dwarf_regs(const struct isa_regs *regs, uint64_t ret[ISA_DWARF_REGS_MAX])
{
	for (int i = 0; i < 31; i++)
		ret[i] = regs->r.regs[i];
	ret[31] = regs->r.sp;
	return 32;
}
