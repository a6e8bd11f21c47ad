/* SPDX-License-Identifier: Apache-2.0 */
/* System V ABI, AMD64 supplement, figure 3.36. */
#include "isa/dwarf.h"

#include <string.h>

const unsigned isa_dwarf_sp = 7;

unsigned isa_dwarf_regs(const struct isa_regs *regs, uint64_t ret[ISA_DWARF_REGS_MAX])
{
	const struct user_regs_struct *r = &regs->r;
	const uint64_t v[] = {
		r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8,
		r->r9,	r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip,
	};

	memcpy(ret, v, sizeof(v));
	return sizeof(v) / sizeof(v[0]);
}

size_t isa_signal_frame_size(const uint8_t code[ISA_TRAMPOLINE_SIZE])
{
	return 0;
}

unsigned isa_signal_frame_regs(const uint8_t *frame, uint64_t ret[ISA_DWARF_REGS_MAX],
			       uint64_t *ret_pc)
{
	return 0;
}
