/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time counter that a program reads without a call (rdtsc, CNTVCT_EL0). It is each processor's own,
 * so two variants would read different numbers, and OpenSSL for one makes its random numbers of it. The
 * variants are therefore started with the counter switched off (prctl(2), PR_SET_TSC; arm64 has it from
 * Linux 6.12 on): a reading is a fault, which the monitor answers.
 *
 * What it answers follows from the thread's history alone: the number of compared calls, and of readings
 * since the last one. So both monitors answer the same without a word to each other, readings that only
 * one ISA's program makes are forgotten at the next call, and the counter never goes back in a thread. It
 * is no clock: it goes on with what the thread does, not with time.
 *
 * A fault resets the handler of a blocked or ignored SIGSEGV to the default (kernel/signal.c,
 * force_sig_info_to_task()); a program that reads the counter then has it unblocked afterwards.
 */
#ifndef CHIRAL_VARIANT_COUNTER_H
#define CHIRAL_VARIANT_COUNTER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Of one thread; a new thread or process begins with its parent's. */
struct counter {
	uint64_t value;
};

/* In the child, before its program is executed: readings fault from here on. Kernels that cannot do it
 * leave the counter each variant's own (`chiral check` tells). */
void counter_switch_off(void);
/* A compared call of the thread is over. */
void counter_after_call(struct counter *c);
/* At the stop of a fault: true when it was a reading, which is answered then; the thread has to be
 * continued without a signal. */
bool counter_answer(struct counter *c, pid_t tid, const siginfo_t *info);

#endif
