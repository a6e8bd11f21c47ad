/* SPDX-License-Identifier: Apache-2.0 */
/* Between seeds.c and runner.c; targets need fuzz.h only. */
#ifndef CHIRAL_TESTS_FUZZ_SEEDS_H
#define CHIRAL_TESTS_FUZZ_SEEDS_H

#include <stddef.h>

void fuzz_each_seed(void (*sink)(const void *data, size_t size));
int LLVMFuzzerInitialize(int *argc, char ***argv);

#endif
