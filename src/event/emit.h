/* SPDX-License-Identifier: Apache-2.0 */
/* One way to say a value, two ways to write it: strace-like text and JSON. Internal to src/event */
#ifndef CHIRAL_EVENT_EMIT_H
#define CHIRAL_EVENT_EMIT_H

#include "base/json.h"
#include "calls/table.h"

struct emit {
	struct writer w;
	bool json;
	bool comma;   /* text: something stands before on this level */
	size_t limit; /* bytes of a string that are shown */
};

/* "{" and "}" (members by emit_key()), "[" and "]" (elements after emit_item() each). */
void emit_begin(struct emit *e, char bracket);
void emit_end(struct emit *e, char bracket);
void emit_key(struct emit *e, const char *name);
void emit_item(struct emit *e);

void emit_s64(struct emit *e, int64_t v);
void emit_u64(struct emit *e, uint64_t v);
/* 0644; a plain number in JSON. */
void emit_octal(struct emit *e, uint64_t v);
/* A word as it stands; a string in JSON. */
void emit_word(struct emit *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* NULL, null. */
void emit_null(struct emit *e);
/* Quoted and escaped, at most e->limit bytes of it. */
void emit_string(struct emit *e, const void *data, size_t len);
/* Quoted and escaped, all of it. */
void emit_whole_string(struct emit *e, const void *data, size_t len);
/* O_RDWR|O_CLOEXEC|0x10; v is canonical. */
void emit_flags(struct emit *e, unsigned set, uint64_t v);
void emit_signal(struct emit *e, int signal);

#endif
