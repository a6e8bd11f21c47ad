/* SPDX-License-Identifier: Apache-2.0 */
/* Machine code that takes the place of a library's random number generator. */
#ifndef CHIRAL_ISA_RANDOM_H
#define CHIRAL_ISA_RANDOM_H

#include <stdint.h>

/*
 * From isa_random_code to isa_random_code_end: a function of the C ABI,
 *
 *	int (void *ignored, unsigned char *buf, size_t len, ...)
 *
 * that fills buf by getrandom(2) and returns 1, or 0 when the call fails. It runs wherever it is copied
 * to, and uses no memory but buf.
 */
extern const uint8_t isa_random_code[], isa_random_code_end[];

#endif
