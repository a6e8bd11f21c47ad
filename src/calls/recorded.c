/* SPDX-License-Identifier: Apache-2.0 */
#include "calls/recorded.h"

#include <string.h>

#define TIMEVAL_SIZE 16u /* two longs on every LP64 ISA; a struct utimbuf has the same size */

/* A description in the making. */
struct describe {
	enum isa isa;
	const struct call_row *row, *canon;
	struct record_desc *d;
};

static const struct conv *conv_of(const struct describe *b, unsigned i)
{
	static const struct conv same[CALL_ARGS_MAX] = {
		{ CONV_ARG, 0 }, { CONV_ARG, 1 }, { CONV_ARG, 2 },
		{ CONV_ARG, 3 }, { CONV_ARG, 4 }, { CONV_ARG, 5 },
	};

	return b->row == b->canon ? &same[i] : &b->row->conv[i];
}

static enum record_width width_of(uint8_t kind)
{
	switch ((enum arg_kind)kind) {
	case ARG_INT:
	case ARG_FD:
	case ARG_PID:
		return RECORD_S32;
	case ARG_UINT:
	case ARG_CMD:
		return RECORD_U32;
	case ARG_LONG:
		return RECORD_S64;
	default:
		return RECORD_U64;
	}
}

/* Canonical argument i as a number. */
static bool number_of_arg(const struct describe *b, unsigned i, struct record_number *ret)
{
	const struct conv *conv;

	if (i >= b->canon->n_args)
		return false;
	conv = conv_of(b, i);
	if (conv->kind == CONV_CONST)
		*ret = (struct record_number){ .kind = RECORD_LEN_CONST,
					       .value = (uint32_t)conv->value };
	else if (conv->kind == CONV_ARG && b->canon->args[i].kind < ARG_PTR)
		*ret = (struct record_number){ .kind = RECORD_LEN_ARG,
					       .arg = (uint8_t)conv->value,
					       .width = (uint8_t)width_of(b->canon->args[i].kind) };
	else
		return false;
	return true;
}

static bool number_of_len(const struct describe *b, const struct len_source *l,
			  struct record_number *ret)
{
	switch ((enum len_kind)l->kind) {
	case LEN_ONE:
		*ret = (struct record_number){ .kind = RECORD_LEN_CONST, .value = 1 };
		return true;
	case LEN_CONST:
		*ret = (struct record_number){ .kind = RECORD_LEN_CONST, .value = l->value };
		return true;
	case LEN_RET:
		*ret = (struct record_number){ .kind = RECORD_LEN_RET };
		return true;
	case LEN_ARG:
		return number_of_arg(b, l->value, ret);
	default:
		return false; /* behind a pointer: it changes during the call */
	}
}

/* Of a struct of which the program tells the size, as many bytes as it has. */
static bool describe_struct(const struct describe *b, unsigned i, struct record_part *p)
{
	const struct arg_spec *s = &b->canon->args[i];
	uint32_t size = struct_specs[s->what].size[b->isa];

	if (!number_of_len(b, &s->len, &p->len))
		return false;
	p->scale = size * s->len.scale;
	if (s->len.kind == LEN_CONST && s->len.value == 1 && s->len.cap_arg) {
		p->len.value = size;
		p->scale = 1;
	}
	return size != 0;
}

static bool describe_memory(const struct describe *b, unsigned i, struct record_part *p)
{
	const struct arg_spec *s = &b->canon->args[i];
	bool r;

	p->scale = s->len.scale;
	switch ((enum arg_kind)s->kind) {
	case ARG_PATH:
	case ARG_STR:
		p->what = RECORD_STRING;
		p->len = (struct record_number){ .kind = RECORD_LEN_CONST, .value = 1 };
		return true;
	case ARG_IOVEC:
		p->what = RECORD_IOVEC;
		return s->len.kind == LEN_ARG && number_of_len(b, &s->len, &p->len);
	case ARG_FDPAIR:
		p->len = (struct record_number){ .kind = RECORD_LEN_CONST, .value = 8 };
		p->scale = 1;
		return true;
	case ARG_STRUCT:
		r = describe_struct(b, i, p);
		break;
	case ARG_SOCKADDR:
	case ARG_BUF:
	case ARG_SIGSET:
		r = number_of_len(b, &s->len, &p->len);
		break;
	default:
		return false;
	}
	if (r && s->len.cap_arg) {
		p->capped = 1;
		r = number_of_arg(b, s->len.cap_arg - 1u, &p->cap);
	}
	return r;
}

/* What an old call points to in place of the canonical struct. */
static bool describe_converted(const struct conv *conv, struct record_part *p)
{
	uint32_t size = conv->kind == CONV_TIMEVAL2 ? 2 * TIMEVAL_SIZE : TIMEVAL_SIZE;

	p->len = (struct record_number){ .kind = RECORD_LEN_CONST, .value = size };
	p->scale = 1;
	return true;
}

/* The row is recorded only when this argument is NULL. */
static bool require_null(const struct describe *b, const struct conv *conv)
{
	if (conv->kind != CONV_ARG)
		return false;
	b->d->null_args |= 1u << conv->value;
	return true;
}

static bool describe_arg(const struct describe *b, unsigned i)
{
	const struct arg_spec *s = &b->canon->args[i];
	const struct conv *conv = conv_of(b, i);
	struct record_part *p = &b->d->part[b->d->n_parts];

	/* Without memory: scalars, values, and pointers that an old call does not have. */
	if (s->kind < ARG_PATH || conv->kind == CONV_CONST || conv->kind == CONV_MS ||
	    conv->kind == CONV_TIME || conv->kind == CONV_ALARM || conv->kind == CONV_ALARM_OLD)
		return s->dir != DIR_INOUT || conv->kind == CONV_CONST;
	/* Bytes besides the counted ones, and sizes that are in memory themselves. */
	if (s->len.add || s->len.cap_deref || s->len.cap_beyond)
		return false;
	if (b->d->n_parts == RECORD_PARTS_MAX || (s->dir != DIR_IN && s->dir != DIR_OUT) ||
	    s->always)
		return require_null(b, conv);
	*p = (struct record_part){ .arg = (uint8_t)conv->value, .out = s->dir == DIR_OUT };
	if (conv->kind == CONV_ARG ? !describe_memory(b, i, p) : !describe_converted(conv, p))
		return require_null(b, conv);
	b->d->n_parts++;
	return true;
}

/*
 * Nothing keeps a program from letting what comes in and what goes out overlap: what came in would be
 * lost. The side that comes last in the arguments is mostly the one that may be left out.
 */
static void part_in_from_out(struct record_desc *d)
{
	bool last = d->n_parts && d->part[d->n_parts - 1].out;
	unsigned kept = 0;
	bool both = false;

	for (unsigned i = 0; i < d->n_parts; i++)
		both = both || d->part[i].out != last;
	for (unsigned i = 0; i < d->n_parts; i++) {
		if (both && d->part[i].out == last)
			d->null_args |= 1u << d->part[i].arg;
		else
			d->part[kept++] = d->part[i];
	}
	d->n_parts = (uint8_t)kept;
}

static bool describe_args(const struct describe *b)
{
	for (unsigned i = 0; i < b->canon->n_args; i++)
		if (!describe_arg(b, i))
			return false;
	part_in_from_out(b->d);
	return true;
}

static bool is_regular(const struct call_row *row)
{
	if (row->flags & (CALL_PARENT | CALL_RET_ADDR | CALL_SUB_EQUAL | CALL_WATCHED))
		return false;
	switch ((enum disposition)row->disposition) {
	case DISP_REPLAYED:
	case DISP_MIRRORED:
	case DISP_BY_FD:
	case DISP_BY_PATH:
		return true;
	default:
		return false;
	}
}

/* What a cookie means is known from the moment of its registration, not only from the call's end. */
static bool has_cookie_in(const struct call_row *row)
{
	for (unsigned i = 0; i < row->n_args; i++) {
		const struct arg_spec *s = &row->args[i];

		for (unsigned k = 0; s->kind == ARG_STRUCT && k < struct_specs[s->what].n_fields; k++)
			if (struct_specs[s->what].fields[k].kind == FIELD_COOKIE && s->dir == DIR_IN)
				return true;
	}
	return false;
}

bool record_describe(enum isa isa, const struct call_row *row, struct record_desc *ret)
{
	struct record_desc d = { .flags = RECORD_ON, .sel = { 0xff, 0xff } };
	struct describe b = { isa, row, &call_rows[row->canonical], &d };

	if (row->nr[isa] < 0 || !is_regular(row) || !is_regular(b.canon) || has_cookie_in(b.canon) ||
	    !describe_args(&b))
		return false;
	*ret = d;
	return true;
}

bool call_is_recorded(enum isa isa, const struct call_row *row, const uint64_t args[CALL_ARGS_MAX])
{
	struct record_desc d;

	if (!record_describe(isa, row, &d))
		return false;
	for (unsigned i = 0; i < CALL_ARGS_MAX; i++)
		if ((d.null_args >> i & 1) && args[i])
			return false;
	return true;
}

void record_describe_nr(enum isa isa, long nr, struct record_desc *ret)
{
	const struct call_row *row = call_row_of_nr(isa, nr);
	unsigned n = 0;

	*ret = (struct record_desc){ .sel = { 0xff, 0xff } };
	if (!row)
		return;
	if (!(row->flags & CALL_PARENT)) {
		record_describe(isa, row, ret);
		return;
	}
	ret->flags = RECORD_SUBS;
	for (unsigned i = 0; i < row->n_args && n < 2; i++)
		if (row->args[i].kind == ARG_CMD)
			ret->sel[n++] = (uint8_t)i;
}
