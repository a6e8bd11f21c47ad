/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts that a program executes (execve(2), "Interpreter scripts").
 *
 * The kernel executes a script's interpreter, and puts it before the arguments: for `#!/bin/sh -e`,
 * ("./x", "1") becomes ("/bin/sh", "-e", "./x", "1"). The file is the leader's, as every file of data:
 * a follower's node need not have it. So the event of such a call has the strings that the leader's
 * kernel put there, and a follower executes the interpreter and puts them there, too.
 */
#ifndef CHIRAL_VARIANT_SCRIPT_H
#define CHIRAL_VARIANT_SCRIPT_H

#include "event/call.h"

/* Strings of one call, in bytes: interpreters (and their arguments) of 256 at most, and a path. */
#define SCRIPT_STRINGS_MAX 8192u

/* How many strings the array at argv (0: none) has; the count ends where it is not readable. */
size_t script_count_args(struct mem *mem, uint64_t argv);

/*
 * Leader, at PTRACE_EVENT_EXEC of process pid: adds the strings to the event of the call, c, which a thread
 * with context cx made. n_args: how many the call gave. Adds nothing when the program is no script. 0,
 * -ESRCH or -ENOMEM.
 */
int script_note(pid_t pid, const struct call_ctx *cx, size_t n_args, struct call_record *c);

/* Follower: the strings of the leader's call, one behind the other, each with its NUL; *ret_size: all of
 * them. NULL: no script. */
const char *script_strings(const struct call_record *leader, size_t *ret_size);
/* False: they are not what script_note() makes. */
bool script_is_valid(const char *strings, size_t size);

/*
 * Follower, at PTRACE_EVENT_EXEC of pid, which has executed the interpreter with the script's arguments:
 * the stack becomes what the kernel would have made of the script. strings are valid. 0 or -errno.
 */
int script_rebuild(pid_t pid, const char *strings, size_t size);

#endif
