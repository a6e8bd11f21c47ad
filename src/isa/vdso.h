/* SPDX-License-Identifier: Apache-2.0 */
/* What a vDSO of our own (capture/bpf/clock) needs of the machine. */
#ifndef CHIRAL_ISA_VDSO_H
#define CHIRAL_ISA_VDSO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The kernel's name of its clock_gettime (vdso(7)). */
extern const char isa_vdso_clock_gettime[];

/* A thread can learn its thread pointer without a call, whatever it is. */
bool isa_vdso_is_possible(void);

/* Thread pointer of a tracee in a ptrace stop. 0 or -errno. */
int isa_thread_pointer(pid_t tid, uint64_t *ret);

#endif
