/* SPDX-License-Identifier: Apache-2.0 */
/* The shared libraries of a program, as the GNU loader would find them (ld.so(8)), without running it. */
#ifndef CHIRAL_VARIANT_LIBRARIES_H
#define CHIRAL_VARIANT_LIBRARIES_H

#include "session/facts.h"
#include "variant/elffile.h"

/*
 * Appends a FACT_LIBRARY for each DT_NEEDED of the program and of what it needs, breadth first; one
 * that is nowhere has no path. path is the program's, env its environment (LD_LIBRARY_PATH). Versions
 * of a library for other processors (glibc-hwcaps) are of the same package and not looked for.
 * 0 or -ENOMEM.
 */
int libraries_find(const struct elffile *program, const char *path, char *const *env,
		   struct facts *facts);

#endif
