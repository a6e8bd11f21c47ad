/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID faulting: a processor, or a hypervisor, that has it raises a fault instead of executing cpuid
 * for threads that asked for it with arch_prctl(ARCH_SET_CPUID). The kernel makes a SIGSEGV of it.
 *
 * glibc takes no feature of a vendor that it does not know, and asks about AMD's caches twice as often
 * as about Intel's. The processor is Intel's first with SSE4.2 and POPCNT; its caches are told in
 * the old way, leaf 2, which takes one question for each of their figures.
 */
#include "isa/cpu.h"

#include "isa/isa.h"
#include "variant/inject.h"

#include <cpuid.h>
#include <elf.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012 /* asm/prctl.h */

/* CPUID.1: SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 POPCNT AES */
#define ECX1 (1u << 0 | 1u << 1 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23 | 1u << 25)
/* FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 */
#define EDX1 0x078bfbffu
#define SIGNATURE 0x000106a5u /* family 6, model 26, stepping 5 */
#define CLFLUSH_64_BYTES_ONE_CPU 0x00010800u
#define ECX81 (1u << 0)				   /* LAHF in 64-bit mode */
#define EDX81 (1u << 11 | 1u << 20 | 1u << 29) /* SYSCALL NX LM */

/* One descriptor a byte: one round of cpuid; L1 32 KiB each, L2 512 KiB, L3 2 MiB. libc copies past the
 * caches what is larger than most of the last. */
#define CACHES_A 0x2c3001u
#define CACHES_B 0xd786u

static const char vendor[12] = { 'G', 'e', 'n', 'u', 'i', 'n', 'e', 'I', 'n', 't', 'e', 'l' };
static const char brand[48] = "x86-64-v2";

struct leaf {
	uint32_t a, b, c, d;
};

/* This machine's own. In a virtual machine each reading is an exit to the hypervisor. */
static const struct leaf *own_leaf(bool extended)
{
	static struct leaf own[2];
	struct leaf *l = &own[extended];

	if (!l->d)
		__get_cpuid(extended ? 0x80000001u : 1, &l->a, &l->b, &l->c, &l->d);
	return l;
}

/* What cpuid answers; features that this machine lacks are not promised. */
static struct leaf answer(uint32_t number)
{
	const struct leaf *own = own_leaf(number & 0x80000000u);
	struct leaf r = { 0 };

	switch (number) {
	case 0:
		r.a = 2;
		memcpy(&r.b, vendor, 4);
		memcpy(&r.d, vendor + 4, 4);
		memcpy(&r.c, vendor + 8, 4);
		break;
	case 1:
		r = (struct leaf){ SIGNATURE, CLFLUSH_64_BYTES_ONE_CPU, own->c & ECX1, own->d & EDX1 };
		break;
	case 2:
		r = (struct leaf){ CACHES_A, CACHES_B, 0, 0 };
		break;
	case 0x80000000:
		r.a = 0x80000004;
		break;
	case 0x80000001:
		r = (struct leaf){ 0, 0, own->c & ECX81, own->d & EDX81 };
		break;
	case 0x80000002:
	case 0x80000003:
	case 0x80000004:
		memcpy(&r, brand + 16 * (number - 0x80000002), 16);
		break;
	}
	return r;
}

bool isa_cpu_is_hidden(void)
{
	static int known = -1;

	/* Between the two calls this thread must not ask for features; libc does so at its start. */
	if (known < 0) {
		known = syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) == 0;
		syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
	}
	return known;
}

bool isa_cpu_emulate(pid_t tid)
{
	static const uint8_t cpuid[2] = { 0x0f, 0xa2 };
	struct isa_regs regs;
	uint8_t code[2];
	struct iovec local = { code, sizeof(code) }, remote;
	struct leaf r;

	if (isa_regs_get(tid, &regs) < 0)
		return false;
	remote = (struct iovec){ (void *)(uintptr_t)regs.r.rip, sizeof(code) };
	if (process_vm_readv(tid, &local, 1, &remote, 1, 0) != sizeof(code) ||
	    memcmp(code, cpuid, sizeof(code)) != 0)
		return false;
	r = answer((uint32_t)regs.r.rax);
	regs.r.rax = r.a;
	regs.r.rbx = r.b;
	regs.r.rcx = r.c;
	regs.r.rdx = r.d;
	regs.r.rip += sizeof(cpuid);
	return isa_regs_set(tid, &regs) == 0;
}

int isa_cpu_hide(pid_t tid)
{
	int64_t result;
	int r;

	if (!isa_cpu_is_hidden())
		return 0;
	r = inject_after_exec(tid, SYS_arch_prctl, ARCH_SET_CPUID, 0, &result);
	if (r == 0 && result < 0)
		r = (int)result;
	return r < 0 ? r : 1;
}

uint64_t isa_cpu_hwcap(uint64_t type, uint64_t value)
{
	/* AT_HWCAP is CPUID.1:EDX, AT_HWCAP2 what the kernel adds (ring 3 MWAIT, FSGSBASE). */
	return type == AT_HWCAP ? value & EDX1 : 0;
}
