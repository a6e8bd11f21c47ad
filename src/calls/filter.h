/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp program (seccomp(2), libseccomp) of a variant, made from the call table. It decides what
 * a variant may do without its monitor: local calls run untouched, refused calls are answered in the
 * kernel, everything else - numbers without a row too - stops at the monitor. Calls of another
 * architecture (int 0x80, x32) kill the process: they would pass the table by.
 */
#ifndef CHIRAL_CALLS_FILTER_H
#define CHIRAL_CALLS_FILTER_H

#include "isa/isa.h"

#include <linux/filter.h>

enum filter_role {
	FILTER_LEADER,	 /* stops are SECCOMP_RET_TRACE */
	FILTER_FOLLOWER, /* stops are SECCOMP_RET_USER_NOTIF, but _TRACE for the calls that a tracer
			  * has to see: execve, execveat, clone, fork, vfork, wait4, waitid, chdir */
	FILTER_LEADER_RECORDED, /* a leader's, but calls that the kernel records (calls/recorded.h) run */
};

/*
 * Builds the program for isa, which may be a foreign one. ret->filter is the caller's: filter_free().
 * 0, -ENOMEM, or another -errno of libseccomp; on failure one error is logged and *ret is untouched.
 * Not for use by two threads at once (libseccomp).
 */
int filter_build(enum isa isa, enum filter_role role, struct sock_fprog *ret);
void filter_free(struct sock_fprog *prog);

#endif
