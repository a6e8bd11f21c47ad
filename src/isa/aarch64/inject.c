/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/inject.h"

/* svc #0 */
uint64_t isa_inject_code(uint64_t code)
{
	return (code & ~0xffffffffull) | 0xd4000001;
}

void isa_inject_nr(struct isa_regs *regs, long nr)
{
	regs->r.regs[8] = (uint64_t)nr;
}

/* The kernel begins a call anew only when its result says so, and x0 is 0 behind an execve. */
void isa_inject_over(struct isa_regs *regs)
{
	(void)regs;
}
