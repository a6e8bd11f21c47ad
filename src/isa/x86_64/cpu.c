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

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012 /* asm/prctl.h */
#define SYSCALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */
#define SECCOMP_STOP (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)

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

/* ---- a call made by the thread in the program's place ------------------------------------------ */

struct injection {
	pid_t tid;
	int signal;	/* that came meanwhile; 0: none */
};

/* Lets the thread run until it stops like that (status >> 8). A death is left for the caller's caller
 * to wait for. */
static int run_until(struct injection *in, enum __ptrace_request how, int stop)
{
	for (;;) {
		siginfo_t info;
		int status;

		if (ptrace(how, in->tid, 0, 0) < 0)
			return -errno;
		while (waitid(P_PID, (id_t)in->tid, &info, WEXITED | WSTOPPED | WNOWAIT | __WALL) < 0)
			if (errno != EINTR)
				return -errno;
		if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED)
			return -ESRCH;
		if (waitpid(in->tid, &status, __WALL) < 0 || !WIFSTOPPED(status))
			return -ESRCH;
		if (status >> 8 == stop)
			return 0;
		if (status >> 16 == 0)
			in->signal = WSTOPSIG(status); /* SIGSTOP: all others are blocked */
	}
}

static int call_here(struct injection *in, int64_t *ret)
{
	struct isa_regs before, regs;
	long code;
	int r = isa_regs_get(in->tid, &before);

	if (r < 0)
		return r;
	errno = 0;
	code = ptrace(PTRACE_PEEKTEXT, in->tid, before.r.rip, 0);
	if (errno)
		return -errno;
	/* syscall: 0f 05 */
	if (ptrace(PTRACE_POKETEXT, in->tid, before.r.rip, (code & ~0xffffL) | 0x050f) < 0)
		return -errno;
	regs = before;
	regs.r.rax = SYS_arch_prctl;
	regs.r.rdi = ARCH_SET_CPUID;
	regs.r.rsi = 0;
	regs.r.orig_rax = (unsigned long long)-1;
	r = isa_regs_set(in->tid, &regs);
	if (r == 0)
		r = run_until(in, PTRACE_CONT, SECCOMP_STOP);
	if (r == 0)
		r = run_until(in, PTRACE_SYSCALL, SYSCALL_STOP);
	if (r == 0)
		r = isa_regs_get(in->tid, &regs);
	if (r < 0)
		return r;
	*ret = isa_regs_ret(&regs);
	before.r.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_POKETEXT, in->tid, before.r.rip, code) < 0)
		return -errno;
	return isa_regs_set(in->tid, &before);
}

int isa_cpu_hide(pid_t tid)
{
	struct injection in = { .tid = tid };
	uint64_t mask, all = ~0ull;
	int64_t ret = 0;
	int r;

	if (!isa_cpu_is_hidden())
		return 0;
	if (ptrace(PTRACE_GETSIGMASK, tid, sizeof(mask), &mask) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, tid, sizeof(all), &all) < 0)
		return -errno;
	r = run_until(&in, PTRACE_SYSCALL, SYSCALL_STOP); /* out of execve */
	if (r == 0)
		r = call_here(&in, &ret);
	if (r == 0 && ptrace(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask) < 0)
		r = -errno;
	if (in.signal)
		syscall(SYS_tgkill, tid, tid, in.signal);
	if (r == 0 && ret < 0)
		r = (int)ret;
	return r < 0 ? r : 1;
}

uint64_t isa_cpu_hwcap(uint64_t type, uint64_t value)
{
	/* AT_HWCAP is CPUID.1:EDX, AT_HWCAP2 what the kernel adds (ring 3 MWAIT, FSGSBASE). */
	return type == AT_HWCAP ? value & EDX1 : 0;
}
