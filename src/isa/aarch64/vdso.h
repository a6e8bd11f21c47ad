/* SPDX-License-Identifier: Apache-2.0 */
/* What code that runs in place of the kernel's vDSO needs of the ISA. */
#ifndef CHIRAL_ISA_AARCH64_VDSO_H
#define CHIRAL_ISA_AARCH64_VDSO_H

#include <stdint.h>

#define VDSO_NAME(x) __kernel_##x

static inline long vdso_call(long nr, long a, long b)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
	return x0;
}

static inline uint64_t vdso_thread(void)
{
	uint64_t r;

	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(r));
	return r;
}

#endif
