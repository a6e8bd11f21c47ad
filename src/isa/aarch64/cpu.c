/* SPDX-License-Identifier: Apache-2.0 */
/* Features are in the auxiliary vector; the kernel answers mrs of the id registers only when it has
 * HWCAP_CPUID, and programs are not to use it when they do not see that bit. */
#include "isa/cpu.h"

#include <elf.h>

/* asm/hwcap.h. Pointer authentication and branch targets are protection, not speed: they stay. */
#define HWCAP_SHOWN                                                                                \
	(1ull << 0 /* FP */ | 1ull << 1 /* ASIMD */ | 1ull << 3 /* AES */ | 1ull << 4 /* PMULL */ |  \
	 1ull << 5 /* SHA1 */ | 1ull << 6 /* SHA2 */ | 1ull << 7 /* CRC32 */ |                       \
	 1ull << 8 /* ATOMICS */ | 1ull << 30 /* PACA */ | 1ull << 31 /* PACG */)
#define HWCAP2_SHOWN (1ull << 17 /* BTI */)

bool isa_cpu_is_hidden(void)
{
	return true;
}

int isa_cpu_hide(pid_t tid)
{
	return 0;
}

bool isa_cpu_emulate(pid_t tid)
{
	return false;
}

uint64_t isa_cpu_hwcap(uint64_t type, uint64_t value)
{
	return value & (type == AT_HWCAP ? HWCAP_SHOWN : HWCAP2_SHOWN);
}
