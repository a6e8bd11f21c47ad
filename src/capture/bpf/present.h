/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that a recorder in the kernel can read. Internal to capture/bpf. */
#ifndef CHIRAL_CAPTURE_BPF_PRESENT_H
#define CHIRAL_CAPTURE_BPF_PRESENT_H

#include <sys/types.h>

/*
 * pid is stopped before the first instruction of a new program. The first 4 MiB of what this program may write
 * get into its page tables, as if it had read them: a call that is given data which nobody has touched (a
 * static length, a signal set that is zero) is recorded at its entry. A help, not a promise: it never fails.
 */
void present_data(pid_t pid);

#endif
