/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the kernel's programs look at of a task; where it is, libbpf finds out when they are loaded. Part of
 * record.bpf.c. */
#ifndef CHIRAL_CAPTURE_BPF_TASK_BPF_H
#define CHIRAL_CAPTURE_BPF_TASK_BPF_H

struct task_struct {
	struct task_struct *parent;
	unsigned int ptrace;
	int pid, tgid;
} __attribute__((preserve_access_index));

#endif
