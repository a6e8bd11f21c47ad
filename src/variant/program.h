/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at a program before it is started: whether this node can execute it, and what it is. The
 * kernel would find out most of this itself, but says ENOENT whatever is missing, and would run a
 * setuid program without its privileges.
 */
#ifndef CHIRAL_VARIANT_PROGRAM_H
#define CHIRAL_VARIANT_PROGRAM_H

#include "session/start.h"

/* Why a program cannot be started: the status that the hub should end with, and a sentence. */
struct program_refusal {
	int exit_status; /* EXIT_NOT_FOUND, EXIT_NOT_EXECUTABLE, EXIT_OWN_FAILURE of cli.h */
	char text[1024];
};

/*
 * path: from variant_find_program(). Follows the interpreters of scripts (relative to start->cwd), the
 * dynamic loader and the libraries. True: *ret says what was found, to be freed. False: *ret_why.
 */
bool program_inspect(const char *path, const struct start *start, struct facts *ret,
		     struct program_refusal *ret_why);

/* Why variant_find_program() found nothing; err: its errno. */
void program_not_found(const struct start *start, int err, struct program_refusal *ret_why);

#endif
