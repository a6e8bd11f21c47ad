/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzz target defines and may use. Built by clang it is a libFuzzer program (tests/fuzz/run.sh);
 * built by gcc it runs each seed, prefixes of it and copies with one byte changed (at most at a hundred
 * places), or the files it is given.
 *
 *	fuzz-NAME --seeds DIR	writes the seeds into DIR, in both builds
 */
#ifndef CHIRAL_TESTS_FUZZ_H
#define CHIRAL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One input; always returns 0. Ends the process when something is wrong. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Inputs to begin with: calls fuzz_seed() for each. */
void fuzz_seeds(void);
void fuzz_seed(const void *data, size_t size);

/* A property that must hold for every input; in force in every build. */
#define fuzz_check(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
