/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call stack of a thread of a variant (native ISA), by libdwfl.
 *
 * A variant that is being attacked decides what its stack and its ELF files say, so that unwinding
 * runs in a forked process that may only compute (no files, no network, no processes) and has a
 * deadline; the caller gets text from it, bounded. Nothing is looked up on the network or outside
 * the variant's own files.
 */
#ifndef CHIRAL_VARIANT_STACK_H
#define CHIRAL_VARIANT_STACK_H

#include "base/strv.h"

#include <stdbool.h>
#include <sys/types.h>

#define STACK_FRAMES_MAX 64u
#define STACK_DEADLINE_MS 800
#define STACK_FRAME_TEXT_MAX 512u /* bytes of one frame */

/*
 * Appends the frames of thread tid, innermost first, as "#0 0x7f12...  write+0x14 (libc.so.6)" (a
 * frame whose address is in no file has no function).
 *
 * stopped: the caller is the tracer and tid is in a ptrace stop: all registers are known. Otherwise
 * only pc and sp are, and only while the thread sleeps in a system call (/proc/TID/syscall), so
 * that the stack may end early. A thread that waits for the answer to a seccomp notification is
 * best interrupted (PTRACE_INTERRUPT), answered, and then unwound at its stop.
 *
 * 0 when there is at least one frame, also when the stack is corrupt or time was up (a last line
 * says so); else -ESRCH (no such thread), -EBUSY (not stopped and running), -EPERM, -ENOMEM, ...
 * Takes 1 to 15 ms (emulated CPUs: up to 140), never more than STACK_DEADLINE_MS. Forks; waits
 * for its own child only.
 */
int stack_unwind(pid_t tid, bool stopped, struct strv *frames);

#endif
