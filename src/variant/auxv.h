/* SPDX-License-Identifier: Apache-2.0 */
/* The auxiliary vector of a program at its first instruction (getauxval(3), proc_pid_auxv(5)). */
#ifndef CHIRAL_VARIANT_AUXV_H
#define CHIRAL_VARIANT_AUXV_H

#include "session/start.h"
#include "variant/loader.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * The tracee pid is at PTRACE_EVENT_EXEC. Hides the vDSO, so that every reading of a clock is a call,
 * and the processor's features (isa/cpu.h); with identity (may be NULL) also shows its user and group
 * ids. AT_RANDOM stays the variant's own: canaries must differ. 0 or -errno.
 */
int auxv_edit(pid_t pid, const struct start *identity, struct loader_place *ret);

/* After auxv_edit(): shows a vDSO at base in place of the kernel's, of which *ret_kernel is the address.
 * 0, -ENOENT when there was none, or another -errno. */
int auxv_show_vdso(pid_t pid, uint64_t base, uint64_t *ret_kernel);

#endif
