/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a seccomp program (classic BPF, seccomp(2)) as the kernel would. */
#ifndef CHIRAL_TESTS_BPF_SIM_H
#define CHIRAL_TESTS_BPF_SIM_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

/* The program's answer (SECCOMP_RET_*), or -EINVAL for an instruction that the kernel would not take,
 * a jump behind the end, or a program without an end. */
int64_t bpf_sim_run(const struct sock_fprog *prog, const struct seccomp_data *data);

#endif
