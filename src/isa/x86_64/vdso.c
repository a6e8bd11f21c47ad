/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/vdso.h"

#include "isa/isa.h"

#include <sys/auxv.h>

#define HWCAP2_FSGSBASE 0x2 /* asm/hwcap2.h */

const char isa_vdso_clock_gettime[] = "__vdso_clock_gettime";

bool isa_vdso_is_possible(void)
{
	return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
}

int isa_thread_pointer(pid_t tid, uint64_t *ret)
{
	struct isa_regs regs;
	int r = isa_regs_get(tid, &regs);

	if (r == 0)
		*ret = regs.r.fs_base;
	return r;
}
