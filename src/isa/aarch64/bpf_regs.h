/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Registers at the end of a call, for a program in the kernel. Fields are found by their names in the
 * running kernel's types (CO-RE). The result has replaced the first argument in x0. */
#ifndef CHIRAL_ISA_BPF_REGS_H
#define CHIRAL_ISA_BPF_REGS_H

struct pt_regs {
	__u64 regs[31];
	__u64 pc;
	__u64 orig_x0;
	__s32 syscallno;
} __attribute__((preserve_access_index));

#define REGS_NR(r) ((long)(r)->syscallno)
#define REGS_PC(r) ((r)->pc)
#define REGS_ARG0(r) ((r)->orig_x0)
#define REGS_ARG1(r) ((r)->regs[1])
#define REGS_ARG2(r) ((r)->regs[2])
#define REGS_ARG3(r) ((r)->regs[3])
#define REGS_ARG4(r) ((r)->regs[4])
#define REGS_ARG5(r) ((r)->regs[5])

/* Writes *p after all that this processor has written so far. The instruction that orders stores and that all kernels take. */
#define PUBLISH(p, v) \
	do { \
		barrier(); \
		((void)__sync_lock_test_and_set((p), (v))); \
	} while (0)

#endif
