/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime knows of its kernel. The calls that it makes itself: asm-generic/unistd.h */
#ifndef CHIRAL_MTD_RUNTIME_CALLS_H
#define CHIRAL_MTD_RUNTIME_CALLS_H

enum {
	OWN_fallocate = 47,
	OWN_read = 63,
	OWN_write = 64,
	OWN_close = 57,
	OWN_pread64 = 67,
	OWN_openat = 56,
	OWN_mmap = 222,
	OWN_mprotect = 226,
	OWN_timer_create = 107,
	OWN_timer_settime = 110,
	OWN_rt_sigaction = 134,
	OWN_sendto = 206,
	OWN_recvfrom = 207,
	OWN_sendmsg = 211,
	OWN_sigaltstack = 132,
	OWN_exit_group = 94,
	OWN_getrandom = 278,
	OWN_userfaultfd = 282,
};

/* In a signal handler's context, struct ucontext: 176 bytes, fault_address, regs[31], sp */
enum { CONTEXT_PC = 440 };

#endif
