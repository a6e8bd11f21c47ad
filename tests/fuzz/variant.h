/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A variant without a kernel, made of an input: which call it makes with which registers, and what is
 * in its memory. Everything about it is hostile.
 *
 *	u8 ISA (lowest bit), u16 call number, six arguments, result, the rest: memory at VARIANT_BASE
 *
 * An argument and the result are a u8 that says how many bytes of the value follow (0 to 8, sign
 * extended), plus 16: an offset into the memory instead.
 */
#ifndef CHIRAL_TESTS_FUZZ_VARIANT_H
#define CHIRAL_TESTS_FUZZ_VARIANT_H

#include "fuzz.h"

#include "event/call.h"

#define VARIANT_BASE 0x10000u

struct variant {
	struct mem mem; /* first: the functions get it */
	uint8_t *bytes; /* exactly size bytes, so that a sanitizer sees one more */
	size_t size;
	struct call_ctx cx;
	struct native_call n;
	int64_t ret;
};

/* Takes a variant from the input; memory_max bounds its memory. False when there is no such call. */
bool variant_get(struct reader *r, size_t memory_max, struct variant *ret);
void variant_free(struct variant *v);

/* The beginning of such an input: nr of isa, with all arguments pointing into the memory (pointers)
 * or being value; then size bytes of memory. */
void variant_put(struct writer *w, enum isa isa, int nr, const uint64_t arg[CALL_ARGS_MAX],
		 unsigned pointers, int64_t result, const void *memory, size_t size);

/* Calls seed for each call of each ISA that has an own number, with a few shapes of arguments. */
void variant_each(void (*seed)(struct writer *w, enum isa isa, int nr, const uint64_t *arg,
			       unsigned pointers));

#endif
