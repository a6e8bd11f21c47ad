/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For a forked process that parses what an attacker may have written: after this call it can
 * compute, read and write the descriptors it kept, and end. No files, no network, no processes, no
 * code.
 */
#ifndef CHIRAL_VARIANT_SANDBOX_H
#define CHIRAL_VARIANT_SANDBOX_H

#include <stddef.h>

/*
 * Closes every descriptor but those of keep (ascending, at least one), limits memory to extra_bytes
 * more than the process has and CPU time to cpu_seconds, then restricts the system calls; a refused
 * call fails with EPERM. The process dies with its parent. 0 or -errno (the process should end
 * then).
 */
int sandbox_enter(const int *keep, size_t n_keep, size_t extra_bytes, unsigned cpu_seconds);

#endif
