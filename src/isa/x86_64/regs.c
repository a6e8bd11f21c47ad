/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of a stopped x86-64 tracee. Calls: number in orig_rax, arguments in rdi rsi rdx r10 r8 r9
 * (syscall(2)); `syscall` is two bytes long. */
#include "isa/isa.h"

#include <elf.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

const enum isa isa_native = ISA_X86_64;

#define SYSCALL_INSN_SIZE 2

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
	return (long)regs->r.orig_rax;
}

uint64_t isa_regs_pc(const struct isa_regs *regs)
{
	return regs->r.rip;
}

uint64_t isa_regs_sp(const struct isa_regs *regs)
{
	return regs->r.rsp;
}

void isa_regs_set_sp(struct isa_regs *regs, uint64_t sp)
{
	regs->r.rsp = sp;
}

int64_t isa_regs_ret(const struct isa_regs *regs)
{
	return (int64_t)regs->r.rax;
}

void isa_regs_set_ret(struct isa_regs *regs, int64_t ret)
{
	regs->r.rax = (uint64_t)ret;
}

static unsigned long long *arg_at(struct user_regs_struct *r, int i)
{
	switch (i) {
	case 0:
		return &r->rdi;
	case 1:
		return &r->rsi;
	case 2:
		return &r->rdx;
	case 3:
		return &r->r10;
	case 4:
		return &r->r8;
	default:
		return &r->r9;
	}
}

uint64_t isa_regs_arg(const struct isa_regs *regs, int i)
{
	return *arg_at((struct user_regs_struct *)&regs->r, i);
}

void isa_regs_set_arg(struct isa_regs *regs, int i, uint64_t value)
{
	*arg_at(&regs->r, i) = value;
}

void isa_regs_set_restart_nr(struct isa_regs *regs, long nr)
{
	regs->r.orig_rax = (unsigned long long)nr;
}

int isa_syscall_set_nr(pid_t tid, struct isa_regs *regs, int nr)
{
	regs->r.orig_rax = (unsigned long long)(long)nr;
	return isa_regs_set(tid, regs);
}

int isa_syscall_rewind(pid_t tid, struct isa_regs *regs, int nr)
{
	regs->r.rip -= SYSCALL_INSN_SIZE;
	regs->r.rax = (unsigned long long)(long)nr;
	return isa_syscall_set_nr(tid, regs, -1);
}
