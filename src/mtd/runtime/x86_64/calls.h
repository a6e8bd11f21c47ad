/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime knows of its kernel. The calls that it makes itself: asm/unistd_64.h */
#ifndef CHIRAL_MTD_RUNTIME_CALLS_H
#define CHIRAL_MTD_RUNTIME_CALLS_H

enum {
	OWN_read = 0,
	OWN_write = 1,
	OWN_close = 3,
	OWN_pread64 = 17,
	OWN_openat = 257,
	OWN_mmap = 9,
	OWN_mprotect = 10,
	OWN_rt_sigaction = 13,
	OWN_sendto = 44,
	OWN_recvfrom = 45,
	OWN_sendmsg = 46,
	OWN_sigaltstack = 131,
	OWN_timer_create = 222,
	OWN_timer_settime = 223,
	OWN_exit_group = 231,
	OWN_fallocate = 285,
	OWN_getrandom = 318,
	OWN_userfaultfd = 323,
};

/* In a signal handler's context, struct ucontext: 40 bytes, then gregs[16] */
enum { CONTEXT_PC = 168 };

#endif
