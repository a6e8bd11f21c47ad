/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debian's multiarch directories have a name for each ISA (/usr/lib/x86_64-linux-gnu). A program that
 * asks for what is its own there asks for the same thing on both, although the names differ.
 */
#ifndef CHIRAL_EVENT_PATHNAME_H
#define CHIRAL_EVENT_PATHNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Equal, where any ISA's triplet is equal to any other's. Bytes without a NUL, of any content. */
bool pathname_same(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

#endif
