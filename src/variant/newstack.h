/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack that the kernel makes at exec, equal on both ISAs: argc, argv..., NULL, envp..., NULL, the
 * auxiliary vector (getauxval(3)), and what all these point to.
 */
#ifndef CHIRAL_VARIANT_NEWSTACK_H
#define CHIRAL_VARIANT_NEWSTACK_H

#include <stdint.h>
#include <sys/types.h>

/* Entries of the auxiliary vector, 16 bytes each. */
#define NEWSTACK_AUXV_MAX 64u

int newstack_read(pid_t pid, uint64_t addr, void *buf, size_t len);
int newstack_write(pid_t pid, uint64_t addr, const void *buf, size_t len);

/* Where the auxiliary vector begins; sp: the stack pointer at exec. 0, -E2BIG or another -errno. */
int newstack_find_auxv(pid_t pid, uint64_t sp, uint64_t *ret);

#endif
