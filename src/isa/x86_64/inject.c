/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/inject.h"

/* syscall: 0f 05 */
uint64_t isa_inject_code(uint64_t code)
{
	return (code & ~0xffffull) | 0x050f;
}

void isa_inject_nr(struct isa_regs *regs, long nr)
{
	regs->r.rax = (unsigned long long)nr;
	regs->r.orig_rax = (unsigned long long)-1;
}

void isa_inject_over(struct isa_regs *regs)
{
	regs->r.orig_rax = (unsigned long long)-1;
}
