/* SPDX-License-Identifier: Apache-2.0 */
/* Features are in the auxiliary vector; the kernel answers mrs of the id registers only when it has
 * HWCAP_CPUID, and programs are not to use it when they do not see that bit. What is forgotten at each
 * exec is that reading the time counter faults (arch_setup_new_exec(), Linux 6.12). */
#include "isa/cpu.h"

#include "variant/inject.h"

#include <elf.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

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

/* PR_SET_TSC exists from Linux 6.12 on. */
static bool can_hide_counter(void)
{
	int mode;

	return prctl(PR_GET_TSC, &mode, 0, 0, 0) == 0;
}

int isa_cpu_hide(pid_t tid)
{
	int64_t result;
	int r;

	if (!can_hide_counter())
		return 0;
	r = inject_after_exec(tid, SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV, &result);
	if (r == 0 && result < 0)
		r = (int)result;
	return r < 0 ? r : 1;
}

bool isa_cpu_emulate(pid_t tid)
{
	return false;
}

uint64_t isa_cpu_hwcap(uint64_t type, uint64_t value)
{
	return value & (type == AT_HWCAP ? HWCAP_SHOWN : HWCAP2_SHOWN);
}
