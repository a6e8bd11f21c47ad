/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of a stopped arm64 tracee. Calls: number in x8, arguments in x0-x5, result in x0
 * (syscall(2)); the kernel's own copy of the number is NT_ARM_SYSTEM_CALL. */
#include "isa/isa.h"

#include <elf.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#ifndef NT_ARM_SYSTEM_CALL
#define NT_ARM_SYSTEM_CALL 0x404
#endif

const enum isa isa_native = ISA_AARCH64;

#define SYSCALL_INSN_SIZE 4

int isa_regs_get(pid_t tid, struct isa_regs *ret)
{
	struct iovec iov = { &ret->r, sizeof(ret->r) };

	return ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov) < 0 ? -errno : 0;
}

int isa_regs_set(pid_t tid, const struct isa_regs *regs)
{
	struct iovec iov = { (void *)&regs->r, sizeof(regs->r) };

	return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov) < 0 ? -errno : 0;
}

long isa_regs_nr(const struct isa_regs *regs)
{
	return (long)(int)regs->r.regs[8];
}

uint64_t isa_regs_pc(const struct isa_regs *regs)
{
	return regs->r.pc;
}

uint64_t isa_regs_sp(const struct isa_regs *regs)
{
	return regs->r.sp;
}

void isa_regs_set_sp(struct isa_regs *regs, uint64_t sp)
{
	regs->r.sp = sp;
}

int64_t isa_regs_ret(const struct isa_regs *regs)
{
	return (int64_t)regs->r.regs[0];
}

void isa_regs_set_ret(struct isa_regs *regs, int64_t ret)
{
	regs->r.regs[0] = (uint64_t)ret;
}

uint64_t isa_regs_arg(const struct isa_regs *regs, int i)
{
	return regs->r.regs[i];
}

void isa_regs_set_arg(struct isa_regs *regs, int i, uint64_t value)
{
	regs->r.regs[i] = value;
}

void isa_regs_set_restart_nr(struct isa_regs *regs, long nr)
{
	regs->r.regs[8] = (uint64_t)nr;
}

int isa_syscall_set_nr(pid_t tid, struct isa_regs *regs, int nr)
{
	struct iovec iov = { &nr, sizeof(nr) };

	if (ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &iov) < 0)
		return -errno;
	return isa_regs_set(tid, regs);
}

int isa_syscall_rewind(pid_t tid, struct isa_regs *regs, int nr)
{
	(void)nr; /* still in x8 */
	regs->r.pc -= SYSCALL_INSN_SIZE;
	return isa_syscall_set_nr(tid, regs, -1);
}
