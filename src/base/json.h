/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON (RFC 8259) to the end of a writer. Commas come by themselves. Several lines
 * can go into one buffer: end each with '\n'.
 *
 *	json_begin_object(w);
 *	json_key(w, "rule");
 *	json_cstr(w, "divergence");
 *	json_end_object(w);
 *
 * Out of memory shows in w->failed, as everywhere with writers. Nesting is the caller's to get right.
 */
#ifndef CHIRAL_BASE_JSON_H
#define CHIRAL_BASE_JSON_H

#include "base/bytes.h"

void json_begin_object(struct writer *w);
void json_end_object(struct writer *w);
void json_begin_array(struct writer *w);
void json_end_array(struct writer *w);

/* The value has to follow. */
void json_key(struct writer *w, const char *key);

/* n bytes of any content. The text is valid, printable UTF-8 whatever they are: control characters
 * and bytes that are no UTF-8 become \u00XX, XX being the byte. */
void json_str(struct writer *w, const void *s, size_t n);
/* s may be NULL: null. */
void json_cstr(struct writer *w, const char *s);
/* A string made by printf, cut after 1023 bytes. */
void json_fmt(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A string of two hexadecimal digits for each byte. */
void json_hex(struct writer *w, const void *p, size_t n);

/* Readers that keep numbers in a double lose digits above 2^53: give addresses as json_fmt("0x%lx"). */
void json_u64(struct writer *w, uint64_t v);
void json_s64(struct writer *w, int64_t v);
void json_bool(struct writer *w, bool v);
void json_null(struct writer *w);

#endif
