/* SPDX-License-Identifier: Apache-2.0 */
#include "calls/table.h"
#include "calls/index.h"

#include <stddef.h>

const struct call_row *call_row_of_nr(enum isa isa, long nr)
{
	unsigned id;

	if ((unsigned)isa >= _ISA_MAX || nr < 0 || nr >= CALL_NR_MAX)
		return NULL;
	id = call_id_by_nr[isa][nr];
	return id ? &call_rows[id - 1] : NULL;
}

/* Values of the parent's selector arguments: int or unsigned int in the kernel, so 32 bits count. */
static void row_selectors(const struct call_row *row, const uint64_t args[CALL_ARGS_MAX],
			  uint32_t ret_value[2])
{
	unsigned n = 0;

	ret_value[0] = ret_value[1] = 0;
	for (unsigned i = 0; i < row->n_args && n < 2; i++)
		if (row->args[i].kind == ARG_CMD)
			ret_value[n++] = (uint32_t)args[i];
}

static bool row_is_selected(const struct call_row *sub, const uint64_t args[CALL_ARGS_MAX],
			    const uint32_t value[2])
{
	if (sub->flags & CALL_SUB_EQUAL)
		return (uint32_t)args[0] == (uint32_t)args[1];
	return sub->sub_value == value[0] && sub->sub_value2 == value[1];
}

const struct call_row *call_row_sub(const struct call_row *row, const uint64_t args[CALL_ARGS_MAX])
{
	uint32_t value[2];
	unsigned parent;

	if (!(row->flags & CALL_PARENT))
		return row;
	parent = call_row_id(row);
	row_selectors(row, args, value);
	/* The generator makes sure that sub-rows follow their parent at once. */
	for (unsigned id = parent + 1; id < _CALL_MAX && call_rows[id].parent == parent; id++)
		if (row_is_selected(&call_rows[id], args, value))
			return &call_rows[id];
	return row;
}

/*
 * A plain bit is moved when set; a value under a mask (O_ACCMODE) when the masked field has exactly
 * this value. Bits are taken out of `rest` as they are named, so that unnamed ones stay.
 */
static uint64_t flags_translate(const struct flagset_spec *set, enum isa isa, uint64_t from,
				bool to_canon)
{
	uint64_t to = 0, rest = from;

	for (unsigned i = 0; i < set->n_flags; i++) {
		const struct flag_spec *f = &set->flags[i];
		uint64_t src = to_canon ? f->native[isa] : f->canon;
		uint64_t dst = to_canon ? f->canon : f->native[isa];
		uint64_t mask = f->mask ? f->mask : src;

		if (src == 0 || (from & mask) != src || (rest & src) != src)
			continue;
		to |= dst;
		rest &= ~src;
	}
	return to | rest;
}

uint64_t flags_to_canon(enum flagset_id set, enum isa isa, uint64_t native)
{
	const struct flagset_spec *spec = &flagset_specs[set];

	return spec->translated ? flags_translate(spec, isa, native, true) : native;
}

uint64_t flags_from_canon(enum flagset_id set, enum isa isa, uint64_t canon)
{
	const struct flagset_spec *spec = &flagset_specs[set];

	return spec->translated ? flags_translate(spec, isa, canon, false) : canon;
}
