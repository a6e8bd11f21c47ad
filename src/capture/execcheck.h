/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that the leader must not execute, whatever its kernel says: those that get privileges, those
 * of another ISA, which binfmt_misc (binfmt.d(5)) may know how to emulate, and those that are told by a
 * descriptor (fexecve(3)), since the file behind it is on the leader's node only. Followers are given
 * the error like any other outcome.
 */
#ifndef CHIRAL_CAPTURE_EXECCHECK_H
#define CHIRAL_CAPTURE_EXECCHECK_H

#include "event/call.h"

#include <sys/types.h>

/*
 * c is execve or execveat as captured at its entry, by thread tid. Follows the interpreters of
 * scripts. 0: the kernel may decide (it finds out what is missing or not executable); EPERM, ENOEXEC,
 * ENOSYS, EACCES: the call is to be answered so, and a warning was printed, once for each reason. A
 * program that changes the file after this look gains nothing: the variant has no_new_privs and a
 * filter for one ISA.
 */
int execcheck_refusal(pid_t tid, const struct call_record *c);

#endif
