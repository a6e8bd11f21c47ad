/* SPDX-License-Identifier: Apache-2.0 */
/* Arm Architecture Reference Manual, C5.3 and D19.12: mrs Xt, CNT..._EL0. */
#include "isa/counter.h"

#include "isa/isa.h"

#include <sys/uio.h>

#define MRS_CNTFRQ 0xd53be000u
#define MRS_CNTPCT 0xd53be020u
#define MRS_CNTVCT 0xd53be040u
#define MRS_CNTPCTSS 0xd53be0a0u
#define MRS_CNTVCTSS 0xd53be0c0u
#define MRS_REG 0x1fu /* Xt */
#define XZR 31u

uint64_t isa_counter_read(void)
{
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
}

static uint64_t frequency(void)
{
	uint64_t v;

	__asm__("mrs %0, cntfrq_el0" : "=r"(v));
	return v;
}

bool isa_counter_answer(pid_t tid, uint64_t value)
{
	struct isa_regs regs;
	struct iovec from, to;
	uint32_t code;

	if (isa_regs_get(tid, &regs) < 0)
		return false;
	to = (struct iovec){ &code, sizeof(code) };
	from = (struct iovec){ (void *)regs.r.pc, sizeof(code) };
	if (process_vm_readv(tid, &to, 1, &from, 1, 0) != sizeof(code))
		return false;
	switch (code & ~MRS_REG) {
	case MRS_CNTFRQ: /* is switched off with it */
		value = frequency();
		break;
	case MRS_CNTPCT:
	case MRS_CNTVCT:
	case MRS_CNTPCTSS:
	case MRS_CNTVCTSS:
		break;
	default:
		return false;
	}
	if ((code & MRS_REG) != XZR)
		regs.r.regs[code & MRS_REG] = value;
	regs.r.pc += sizeof(code);
	return isa_regs_set(tid, &regs) == 0;
}
