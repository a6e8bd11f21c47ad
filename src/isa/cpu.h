/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processor that programs see. C libraries and programs choose code by its features, and code with
 * other buffer sizes makes other calls: two machines of one ISA, or two ISAs, would differ without
 * an attack. Programs are therefore shown one modest processor for each ISA: x86-64-v2 with AES,
 * ARMv8.0 with AES and atomics. Code that uses more without asking still runs.
 */
#ifndef CHIRAL_ISA_CPU_H
#define CHIRAL_ISA_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* True when this machine lets a monitor answer the instruction that tells the features (CPUID faulting,
 * arch_prctl(2)), or the ISA has no such instruction. */
bool isa_cpu_is_hidden(void);

/*
 * The calling thread is the tracer of tid, which is at PTRACE_EVENT_EXEC under a variant's filter. Has
 * the thread's kernel fault that instruction, and on arm64 those that read the time counter: both are
 * forgotten at each exec, and inherited by children.
 * Returns 1 when that was done, and the thread is then behind its execve, at a syscall-exit stop; 0
 * when there is nothing to be done, and the thread is where it was; -ESRCH when it has died (its
 * status can still be waited for), or another -errno. A signal that comes meanwhile comes again.
 */
int isa_cpu_hide(pid_t tid);

/*
 * At the signal stop of a SIGSEGV that the kernel sent: when it is for that instruction, the registers
 * are as after it, and the signal is not to be delivered: true. The kernel has unblocked SIGSEGV and
 * dropped its handler when the program had it blocked or ignored.
 */
bool isa_cpu_emulate(pid_t tid);

/* What programs are shown for AT_HWCAP or AT_HWCAP2 (getauxval(3)) of that value. */
uint64_t isa_cpu_hwcap(uint64_t type, uint64_t value);

#endif
