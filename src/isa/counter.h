/* SPDX-License-Identifier: Apache-2.0 */
/* The time counter that programs can read without a call. */
#ifndef CHIRAL_ISA_COUNTER_H
#define CHIRAL_ISA_COUNTER_H

#include <stdint.h>

/* rdtsc, CNTVCT_EL0. Raises SIGSEGV after prctl(PR_SET_TSC, PR_TSC_SIGSEGV). */
uint64_t isa_counter_read(void);

#endif
