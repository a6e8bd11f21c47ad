/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Registers at the end of a call, for a program in the kernel. Fields are found by their names in the
 * running kernel's types (CO-RE). */
#ifndef CHIRAL_ISA_BPF_REGS_H
#define CHIRAL_ISA_BPF_REGS_H

struct pt_regs {
	unsigned long di, si, dx, r10, r8, r9, orig_ax, ip;
} __attribute__((preserve_access_index));

#define REGS_NR(r) ((long)(r)->orig_ax)
#define REGS_PC(r) ((r)->ip)
#define REGS_ARG0(r) ((r)->di)
#define REGS_ARG1(r) ((r)->si)
#define REGS_ARG2(r) ((r)->dx)
#define REGS_ARG3(r) ((r)->r10)
#define REGS_ARG4(r) ((r)->r8)
#define REGS_ARG5(r) ((r)->r9)

/* Writes *p after all that this processor has written so far. Stores are seen in their order. */
#define PUBLISH(p, v) \
	do { \
		barrier(); \
		(*(volatile __u64 *)(p) = (v)); \
	} while (0)

#endif
