/* SPDX-License-Identifier: Apache-2.0 */
/* DWARF for the Arm 64-bit Architecture, section 4.1: x0 to x30, then sp. */
#include "isa/dwarf.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>

const unsigned isa_dwarf_sp = 31;

unsigned isa_dwarf_regs(const struct isa_regs *regs, uint64_t ret[ISA_DWARF_REGS_MAX])
{
	for (int i = 0; i < 31; i++)
		ret[i] = regs->r.regs[i];
	ret[31] = regs->r.sp;
	return 32;
}

/* arch/arm64/kernel/signal.c: struct rt_sigframe. */
struct signal_frame {
	siginfo_t info;
	ucontext_t uc;
};

size_t isa_signal_frame_size(const uint8_t code[ISA_TRAMPOLINE_SIZE])
{
	/* mov x8, #__NR_rt_sigreturn; svc #0 */
	static const uint32_t trampoline[] = { 0xd2801168, 0xd4000001 };

	return memcmp(code, trampoline, sizeof(trampoline)) ? 0 : sizeof(struct signal_frame);
}

unsigned isa_signal_frame_regs(const uint8_t *frame, uint64_t ret[ISA_DWARF_REGS_MAX],
			       uint64_t *ret_pc)
{
	mcontext_t m;

	memcpy(&m, frame + offsetof(struct signal_frame, uc.uc_mcontext), sizeof(m));
	for (int i = 0; i < 31; i++)
		ret[i] = m.regs[i];
	ret[31] = m.sp;
	*ret_pc = m.pc;
	return 32;
}
