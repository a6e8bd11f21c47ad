/* SPDX-License-Identifier: Apache-2.0 */
#include "calls/recorded.h"

#include <string.h>

#define TIMEVAL_SIZE 16u /* two longs on every LP64 ISA; a struct utimbuf has the same size */

#define SOCKADDR_MAX_BYTES 128u /* struct sockaddr_storage: no address is longer */

/* Which way memory goes, as far as the recorder is concerned. */
enum way {
	WAY_IN,
	WAY_OUT,
	WAY_BOTH,  /* what was in it at the entry is gone at the exit */
	WAY_MIXED, /* some fields go in, others come out: all are there at the exit */
};

/* A description in the making. */
struct describe {
	enum isa isa;
	const struct call_row *row, *canon;
	struct record_desc *d;
	struct record_part part[RECORD_PARTS_MAX];
	uint8_t way[RECORD_PARTS_MAX];
	unsigned n;
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

/* The u32 behind a pointer. At the exit it is what the kernel has left there. */
static bool number_behind(const struct describe *b, unsigned i, struct record_number *ret)
{
	const struct conv *conv = i < b->canon->n_args ? conv_of(b, i) : NULL;

	if (!conv || conv->kind != CONV_ARG || b->canon->args[i].kind != ARG_LENPTR)
		return false;
	*ret = (struct record_number){ .kind = RECORD_LEN_DEREF, .arg = (uint8_t)conv->value };
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
	case LEN_DEREF:
		return number_behind(b, l->value, ret);
	default:
		return false;
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
	case ARG_MSGHDR:
		p->what = s->dir == DIR_IN ? RECORD_MSG_SENT : RECORD_MSG_RECEIVED;
		return s->dir != DIR_INOUT;
	case ARG_MMSGHDR:
		/* How much of each was sent is written there. */
		p->what = RECORD_MANY | (s->dir == DIR_INOUT ? RECORD_MSG_SENT : RECORD_MSG_RECEIVED);
		p->flags |= RECORD_PART_CAPPED;
		p->cap = (struct record_number){ .kind = RECORD_LEN_CONST, .value = RECORD_MMSG_MAX };
		return s->len.kind == LEN_ARG && !s->len.cap_arg && number_of_len(b, &s->len, &p->len);
	case ARG_FDSET:
		p->flags |= RECORD_PART_BITS;
		return number_of_len(b, &s->len, &p->len);
	case ARG_LENPTR:
		p->len = (struct record_number){ .kind = RECORD_LEN_CONST, .value = sizeof(uint32_t) };
		p->scale = 1;
		return true;
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
		p->flags |= RECORD_PART_CAPPED;
		r = number_of_arg(b, s->len.cap_arg - 1u, &p->cap) ||
		    number_behind(b, s->len.cap_arg - 1u, &p->cap);
	} else if (r && s->kind == ARG_SOCKADDR && p->len.kind == RECORD_LEN_DEREF) {
		p->flags |= RECORD_PART_CAPPED;
		p->cap = (struct record_number){ .kind = RECORD_LEN_CONST,
						 .value = SOCKADDR_MAX_BYTES };
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
	b->d->null_args |= (uint8_t)(1u << conv->value);
	return true;
}

/* No field of the struct is both read and written by the kernel. */
static bool fields_go_one_way(const struct struct_spec *spec)
{
	for (unsigned i = 0; i < spec->n_fields; i++)
		if (spec->fields[i].dir == DIR_INOUT)
			return false;
	return true;
}

static enum way way_of(const struct arg_spec *s)
{
	/* Where a message goes, and how much of it, is read; how much of it came is written there. */
	if ((s->kind == ARG_MSGHDR && s->dir == DIR_OUT) || s->kind == ARG_MMSGHDR)
		return WAY_BOTH;
	if (s->dir != DIR_INOUT)
		return s->dir == DIR_IN ? WAY_IN : WAY_OUT;
	return s->kind == ARG_STRUCT && fields_go_one_way(&struct_specs[s->what]) ? WAY_MIXED : WAY_BOTH;
}

/* accept(fd, NULL, &garbage): without an address the kernel does not look at its length. */
static uint8_t with_of(const struct describe *b, unsigned lenptr)
{
	for (unsigned i = 0; i < b->canon->n_args; i++) {
		const struct arg_spec *s = &b->canon->args[i];
		const struct conv *conv = conv_of(b, i);

		if (s->kind == ARG_SOCKADDR && s->len.kind == LEN_DEREF && s->len.value == lenptr &&
		    conv->kind == CONV_ARG)
			return (uint8_t)(1 + conv->value);
	}
	return 0;
}

static bool describe_arg(struct describe *b, unsigned i)
{
	const struct arg_spec *s = &b->canon->args[i];
	const struct conv *conv = conv_of(b, i);
	struct record_part *p = &b->part[b->n];

	/* Without memory: scalars, values, and pointers that an old call does not have. */
	if (s->kind < ARG_PATH || conv->kind == CONV_CONST || conv->kind == CONV_MS ||
	    conv->kind == CONV_TIME || conv->kind == CONV_ALARM || conv->kind == CONV_ALARM_OLD)
		return s->dir != DIR_INOUT || conv->kind == CONV_CONST || conv->kind == CONV_MS;
	/* Bytes besides the counted ones, and sizes that are in memory themselves. */
	if (s->len.add || s->len.cap_deref || s->len.cap_beyond)
		return false;
	/* The remainder of a sleep is there after an interruption only. */
	if (b->n == RECORD_PARTS_MAX || (s->always && s->dir == DIR_OUT))
		return require_null(b, conv);
	*p = (struct record_part){ .arg = (uint8_t)conv->value };
	if (conv->kind == CONV_ARG ? !describe_memory(b, i, p) : !describe_converted(conv, p))
		return require_null(b, conv);
	/* What an old call has in another form is written as a whole. */
	b->way[b->n] = (uint8_t)(conv->kind == CONV_ARG || s->dir != DIR_INOUT ? way_of(s) : WAY_BOTH);
	if (b->way[b->n] == WAY_BOTH && s->always)
		p->flags |= RECORD_PART_ALWAYS;
	if (s->kind == ARG_LENPTR)
		p->with = with_of(b, i);
	/* A length is looked at whatever the result. */
	p->out = b->way[b->n] == WAY_OUT ||
		 (b->way[b->n] == WAY_BOTH && !s->always && s->kind != ARG_LENPTR);
	b->n++;
	return true;
}

static bool has_way(const struct describe *b, enum way way)
{
	for (unsigned i = 0; i < b->n; i++)
		if (b->way[i] == way)
			return true;
	return false;
}

/* What comes in has to be recorded at the entry when it may be overwritten: nothing keeps a program from
 * letting what comes in and what goes out overlap. */
static bool needs_entry(const struct describe *b)
{
	return has_way(b, WAY_BOTH) ||
	       (has_way(b, WAY_IN) && (has_way(b, WAY_OUT) || has_way(b, WAY_MIXED)));
}

static bool append(struct record_desc *d, const struct record_part *p, enum way way)
{
	if (d->n_parts == RECORD_PARTS_MAX)
		return false;
	d->part[d->n_parts] = *p;
	if (way == WAY_MIXED)
		d->part[d->n_parts].flags |= RECORD_PART_WHOLE;
	d->n_parts++;
	return true;
}

static bool append_entry_parts(struct describe *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct record_part *p = &b->d->part[b->d->n_parts];

		if (b->way[i] == WAY_OUT)
			continue;
		if (!append(b->d, &b->part[i], b->way[i]))
			return false;
		p->out = 0;
		if (record_is_message(p) && (p->what & ~RECORD_MANY) == RECORD_MSG_RECEIVED)
			p->what = (uint8_t)(RECORD_MSG_ROOM | (p->what & RECORD_MANY));
		b->d->entry_args |= (uint8_t)(1u << b->part[i].arg);
	}
	b->d->n_entry = b->d->n_parts;
	return true;
}

/* What is there of an array of messages when the call has ended: those that were moved. */
static void end_messages(struct record_part *p)
{
	p->len = (struct record_number){ .kind = RECORD_LEN_RET };
	if (p->what == (RECORD_MSG_SENT | RECORD_MANY)) {
		p->what = RECORD_BYTES;
		p->scale = RECORD_MMSG_SIZE;
	}
}

static bool append_exit_part(struct describe *b, unsigned i)
{
	struct record_part p = b->part[i];

	if (p.what & RECORD_MANY)
		end_messages(&p);
	return append(b->d, &p, b->way[i]);
}

/* Where the parts from + 1 .. to - 1 are. */
static uint8_t addresses(const struct record_desc *d, unsigned from, unsigned to)
{
	uint8_t bits = 0;

	for (unsigned i = from + 1; i < to; i++)
		bits |= (uint8_t)(1u << d->part[i].arg);
	return bits;
}

static bool arrange_parts(struct describe *b, bool entry)
{
	if (entry) {
		b->d->flags |= RECORD_ENTRY;
		if (!append_entry_parts(b))
			return false;
	}
	for (unsigned i = 0; i < b->n; i++)
		if ((!entry || b->way[i] != WAY_IN) && !append_exit_part(b, i))
			return false;
	b->d->more_entry = addresses(b->d, 0, b->d->n_entry);
	b->d->more_exit = addresses(b->d, b->d->n_entry, b->d->n_parts);
	return true;
}

/* What is decided of them needs no more than the descriptor, and what they change nothing but the result. */
static bool is_simple(const struct call_row *row)
{
	switch ((enum irregular)row->irregular) {
	case IRR_CLOSE:
		return row->n_args == 1;
	case IRR_DUP: /* what another descriptor's number means changes when it ends: before that is a race */
	case IRR_FDFLAGS:
		return true;
	default:
		return false;
	}
}

static bool is_regular(const struct call_row *row)
{
	if (row->flags & (CALL_RET_ADDR | CALL_WATCHED))
		return false;
	switch ((enum disposition)row->disposition) {
	case DISP_REPLAYED:
	case DISP_MIRRORED:
	case DISP_BY_FD:
	case DISP_BY_PATH:
		return true;
	case DISP_IRREGULAR:
		return is_simple(row);
	default:
		return false;
	}
}

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

/* Other threads meet its effect before it returns: what a cookie means, that a descriptor's number is free. */
static bool begins_for_others(const struct call_row *row)
{
	return has_cookie_in(row) || row->irregular == IRR_CLOSE;
}

/* A process has one session: its policy says which. */
static const uint64_t *held;

void record_hold(const uint64_t by_call[_CALL_MAX])
{
	held = by_call;
}

static bool describe_row(enum isa isa, const struct call_row *row, struct record_desc *ret)
{
	struct record_desc d = { .flags = RECORD_ON, .sel = { 0xff, 0xff } };
	struct describe b = { .isa = isa, .row = row, .canon = &call_rows[row->canonical], .d = &d };

	if (row->nr[isa] < 0 || !is_regular(row) || !is_regular(b.canon) || (held && held[row->canonical]))
		return false;
	for (unsigned i = 0; i < b.canon->n_args; i++)
		if (!describe_arg(&b, i))
			return false;
	if (!arrange_parts(&b, needs_entry(&b) || begins_for_others(b.canon)))
		return false;
	if (begins_for_others(b.canon))
		d.entry_args = 0;
	if (begins_for_others(b.canon) && !needs_entry(&b))
		d.flags |= RECORD_OTHERS;
	if (row->canonical == CALL_CLOCK_GETTIME)
		d.flags |= RECORD_CLOCK;
	*ret = d;
	return true;
}

/*
 * A parent stands for values that no sub-row has: the filter cannot tell these from the others. Nor can the
 * recorder tell equal arguments from others (dup2): there is no memory then.
 */
static bool describe_parent(enum isa isa, const struct call_row *row, struct record_desc *ret)
{
	struct record_desc d;

	for (unsigned id = call_row_id(row) + 1; id < _CALL_MAX; id++) {
		if (call_rows[id].parent != call_row_id(row))
			break; /* sub-rows follow their parent at once */
		if (!describe_row(isa, &call_rows[id], &d) || d.null_args ||
		    ((call_rows[id].flags & CALL_SUB_EQUAL) && d.n_parts))
			return false;
	}
	if (!describe_row(isa, row, &d) || d.null_args)
		return false;
	*ret = d;
	return true;
}

bool record_describe(enum isa isa, const struct call_row *row, struct record_desc *ret)
{
	if (row->flags & CALL_SUB_EQUAL)
		row = &call_rows[row->parent];
	return row->flags & CALL_PARENT ? describe_parent(isa, row, ret) : describe_row(isa, row, ret);
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

static uint8_t begins_of(const struct record_desc *d)
{
	if (!(d->flags & RECORD_ENTRY))
		return 0;
	return d->flags & RECORD_OTHERS ? RECORD_BEGINS_FOR_OTHERS : RECORD_BEGINS;
}

static uint8_t begins_of_subs(enum isa isa, const struct call_row *row)
{
	struct record_desc d;
	unsigned parent = call_row_id(row);
	uint8_t begins = 0;

	for (unsigned id = parent + 1; id < _CALL_MAX && call_rows[id].parent == parent; id++)
		if (record_describe(isa, &call_rows[id], &d))
			begins |= begins_of(&d);
	return begins;
}

void record_describe_nr(enum isa isa, long nr, struct record_desc *ret)
{
	const struct call_row *row = call_row_of_nr(isa, nr);
	unsigned n = 0;

	*ret = (struct record_desc){ .sel = { 0xff, 0xff } };
	if (!row)
		return;
	record_describe(isa, row, ret);
	ret->begins = begins_of(ret);
	if (!(row->flags & CALL_PARENT))
		return;
	ret->begins |= begins_of_subs(isa, row);
	ret->flags |= RECORD_SUBS;
	for (unsigned i = 0; i < row->n_args && n < 2; i++)
		if (row->args[i].kind == ARG_CMD)
			ret->sel[n++] = (uint8_t)i;
}
