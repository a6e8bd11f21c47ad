/* SPDX-License-Identifier: Apache-2.0 */
/* What code that runs in place of the kernel's vDSO needs of the ISA. Needs FSGSBASE (isa/vdso.h). */
#ifndef CHIRAL_ISA_X86_64_VDSO_H
#define CHIRAL_ISA_X86_64_VDSO_H

#include <stdint.h>

#define VDSO_NAME(x) __vdso_##x

static inline long vdso_call(long nr, long a, long b)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "0"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return r;
}

static inline uint64_t vdso_thread(void)
{
	uint64_t r;

	__asm__ volatile("rdfsbase %0" : "=r"(r));
	return r;
}

#endif
