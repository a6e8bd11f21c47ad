/* SPDX-License-Identifier: Apache-2.0 */
/* The time counter that programs can read without a call. */
#ifndef CHIRAL_ISA_COUNTER_H
#define CHIRAL_ISA_COUNTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* rdtsc, CNTVCT_EL0. Raises SIGSEGV after prctl(PR_SET_TSC, PR_TSC_SIGSEGV). */
uint64_t isa_counter_read(void);

/*
 * A tracee in the stop of a SIGSEGV: when its next instruction reads the counter, the instruction is done
 * for it, with this value. False: it does something else, and nothing was changed.
 */
bool isa_counter_answer(pid_t tid, uint64_t value);

#endif
