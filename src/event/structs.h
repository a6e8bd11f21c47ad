/* SPDX-License-Identifier: Apache-2.0 */
/* Structures between their native layouts and the canonical packed form. Internal to src/event. */
#ifndef CHIRAL_EVENT_STRUCTS_H
#define CHIRAL_EVENT_STRUCTS_H

#include "event/payload.h"
#include "event/view.h"

/* One struct. in: entry, where fields that only the kernel writes and cookies count as zero. */
void struct_to_canon(const struct call_view *v, const struct struct_spec *s, bool in,
		     const uint8_t *native, uint8_t *ret_canon);
/* The other way, but for fields that the kernel only reads. */
void struct_from_canon(const struct call_view *v, const struct struct_spec *s, const uint8_t *canon,
		       uint8_t *native);

/* Argument i, an ARG_STRUCT of any conversion: 0, or an error of sink_mem(). */
int structs_capture(const struct call_view *v, unsigned i, struct sink *to);
/* Writes len canonical bytes to where argument i points: 0, -EPROTO when they are not what fits
 * there, -EFAULT, -ESRCH. */
int structs_apply(const struct call_view *v, unsigned i, const uint8_t *canon, size_t len);

/*
 * Alias arguments (enum conv_kind): the struct of the canonical row in this ISA's layout, made of
 * what the native argument is; and back. native has room for CONVERT_MAX bytes. 0, -EFAULT, -ESRCH.
 */
#define CONVERT_MAX 32
int convert_to_canon_row(const struct call_view *v, unsigned i, uint8_t *native);
int convert_from_canon_row(const struct call_view *v, unsigned i, const uint8_t *native);
/* The native result of an alias that returns what its canonical row writes (time, alarm). */
int64_t convert_ret(const struct call_view *v, unsigned i, const uint8_t *native);

#endif
