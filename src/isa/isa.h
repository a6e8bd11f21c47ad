/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between instruction sets. The descriptors and call tables of every ISA are in every
 * binary; the functions below the line are those of the ISA the binary runs on.
 */
#ifndef CHIRAL_ISA_ISA_H
#define CHIRAL_ISA_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

enum isa {
	ISA_X86_64,
	ISA_AARCH64,
	_ISA_MAX,
};

struct isa_desc {
	const char *name;	/* as in uname -m: "x86_64", "aarch64" */
	const char *debian;	/* "amd64", "arm64" */
	const char *triplet;	/* Debian multiarch: "x86_64-linux-gnu", "aarch64-linux-gnu" */
	uint32_t audit_arch;	/* AUDIT_ARCH_*, linux/audit.h */
	uint16_t elf_machine;	/* EM_*, elf.h */
	uint8_t clone_tls_arg;	/* number of clone(2)'s tls argument; the child's tid is the other of
				 * 3 and 4 (CONFIG_CLONE_BACKWARDS) */
};

extern const struct isa_desc isa_descs[_ISA_MAX];

/* "x86_64", "amd64", "aarch64", "arm64" -> enum isa; -EINVAL otherwise. */
int isa_from_name(const char *name);

/* ---- native ---------------------------------------------------------------------------------- */

extern const enum isa isa_native;

/* General registers of a stopped tracee. */
struct isa_regs {
	struct user_regs_struct r;
};

/* ptrace(PTRACE_GETREGSET / SETREGSET, NT_PRSTATUS); the tracee is in a ptrace stop. 0 or -errno. */
int isa_regs_get(pid_t tid, struct isa_regs *ret);
int isa_regs_set(pid_t tid, const struct isa_regs *regs);

/* Call number: at a seccomp, syscall-entry or syscall-exit stop. */
long isa_regs_nr(const struct isa_regs *regs);
uint64_t isa_regs_pc(const struct isa_regs *regs);
uint64_t isa_regs_sp(const struct isa_regs *regs);
void isa_regs_set_sp(struct isa_regs *regs, uint64_t sp);
/* Result register of a system call (at its exit stop). */
int64_t isa_regs_ret(const struct isa_regs *regs);
void isa_regs_set_ret(struct isa_regs *regs, int64_t ret);
/* Argument register i (0..5) at a call's entry. */
uint64_t isa_regs_arg(const struct isa_regs *regs, int i);
void isa_regs_set_arg(struct isa_regs *regs, int i, uint64_t value);

/*
 * At a signal or interrupt stop behind a call that is to begin anew: it begins as another one. Its
 * arguments are set with isa_regs_set_arg(), all of it is written with isa_regs_set().
 */
void isa_regs_set_restart_nr(struct isa_regs *regs, long nr);

/*
 * At a seccomp or syscall-entry stop: replaces the call number; -1 skips the call, and the result
 * is then the one set with isa_regs_set_ret(). regs are the tracee's, already read; written back
 * with isa_regs_set() by this function together with the number. 0 or -errno.
 */
int isa_syscall_set_nr(pid_t tid, struct isa_regs *regs, int nr);

/*
 * At a seccomp entry stop whose call is to be skipped: makes the tracee execute the same call
 * again after the next signal handler (or at once): the pc goes back to the call instruction.
 */
int isa_syscall_rewind(pid_t tid, struct isa_regs *regs, int nr);

#endif
