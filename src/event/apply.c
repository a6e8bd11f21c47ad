/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's outcome given to a follower. The record comes from another machine: it is checked
 * against what the follower's own call allows, not against what the record says of itself.
 */
#include "event/iovec.h"
#include "event/memio.h"
#include "event/msghdr.h"
#include "event/structs.h"
#include "event/view.h"

#include <errno.h>

static int apply_bytes(const struct call_view *v, unsigned i, const uint8_t *data, size_t len,
		       uint64_t want)
{
	return len == want ? mem_put(v->cx->mem, v->raw[i], data, len) : -EPROTO;
}

static int apply_fdset(const struct call_view *v, unsigned i, const uint8_t *data, size_t len)
{
	uint64_t bits = view_length(v, i);
	uint8_t zero[8] = {0};
	int r;

	if (bits > FDSET_BITS_MAX)
		bits = FDSET_BITS_MAX;
	r = apply_bytes(v, i, data, len, (bits + 7) / 8);
	/* The kernel writes whole longs. */
	return r < 0 ? r : mem_put(v->cx->mem, v->raw[i] + len, zero, -len % 8);
}

static int apply_iovec(const struct call_view *v, unsigned i, const uint8_t *data, size_t len)
{
	const struct len_source *l = &v->row->args[i].len;
	struct iov iov = {v->cx->mem, v->raw[i], 0};

	if (len != (v->ret > 0 ? (uint64_t)v->ret : 0))
		return -EPROTO;
	iov.count = l->kind == LEN_ARG && l->value < CALL_ARGS_MAX ? v->scalar[l->value] : 0;
	return iov_scatter(&iov, data, len);
}

static int apply_arg(const struct call_view *v, unsigned i, const uint8_t *data, size_t len)
{
	switch ((enum arg_kind)v->row->args[i].kind) {
	case ARG_STRUCT:
		return structs_apply(v, i, data, len);
	case ARG_IOVEC:
		return apply_iovec(v, i, data, len);
	case ARG_MSGHDR:
	case ARG_MMSGHDR:
		return msghdr_apply(v, i, data, len);
	case ARG_LENPTR:
		return apply_bytes(v, i, data, len, sizeof(uint32_t));
	case ARG_FDPAIR:
		return apply_bytes(v, i, data, len, 2 * sizeof(int32_t));
	case ARG_FDSET:
		return apply_fdset(v, i, data, len);
	default:
		return apply_bytes(v, i, data, len, view_length(v, i));
	}
}

/* The length that the kernel gave the leader; the out-payloads that depend on it are cut to it. */
static void view_set_len_after(struct call_view *v, const struct call_record *leader)
{
	const struct payload *p = v->lenptr >= 0 ? call_out_of(leader, (unsigned)v->lenptr) : NULL;

	if (p && p->size == sizeof(v->len_after))
		memcpy(&v->len_after, payload_data(leader, p), sizeof(v->len_after));
}

/*
 * A payload may be missing only where the leader's form of the call gives none: the remaining time
 * of a poll that the follower made as ppoll.
 */
static bool may_be_missing(const struct arg_spec *s)
{
	return s->kind == ARG_STRUCT && s->dir == DIR_INOUT;
}

static int apply_out_arg(const struct call_view *v, unsigned i, const struct call_record *leader)
{
	const struct payload *p = call_out_of(leader, i);

	if (!p)
		return may_be_missing(&v->row->args[i]) ? 0 : -EPROTO;
	if (p->form == PAYLOAD_FAULT) /* the leader's own memory went away: nobody has the bytes */
		return 0;
	if (p->form != PAYLOAD_BYTES || p->size != p->len)
		return -EPROTO;
	return apply_arg(v, i, payload_data(leader, p), p->size);
}

/* Native result of an alias that returns what its canonical row writes, or ret itself. */
static int64_t ret_converted(const struct call_view *v, const struct call_record *leader,
			     int64_t ret)
{
	for (unsigned i = 0; i < v->row->n_args; i++) {
		const struct payload *p = call_out_of(leader, i);
		uint8_t native[CONVERT_MAX] = {0};
		const struct struct_spec *s;

		if (v->conv[i] != CONV_TIME && v->conv[i] != CONV_ALARM_OLD)
			continue;
		s = &struct_specs[v->row->args[i].what];
		if (!p || p->size != s->canon_size || s->size[v->cx->isa] > sizeof(native))
			return -EPROTO;
		struct_from_canon(v, s, payload_data(leader, p), native);
		return convert_ret(v, i, native);
	}
	return ret;
}

static int64_t ret_to_native(const struct call_view *v, const struct call_record *leader)
{
	const struct call_row *native = v->n->row;
	int64_t ret = leader->ret;

	if (ret_is_error(ret))
		return ret;
	if (native != v->row && native->ret_arg)
		return (int32_t)v->n->arg[native->ret_arg - 1];
	if (v->row->ret_flags)
		return (int64_t)flags_from_canon(v->row->ret_flags - 1, v->cx->isa, (uint64_t)ret);
	return ret_converted(v, leader, ret);
}

int call_apply_out(const struct call_ctx *cx, const struct native_call *n,
		   const struct call_record *leader, int64_t *ret_native)
{
	struct call_view v;
	int64_t ret;
	int r;

	if (leader->id != call_row_id(n->canon) || !leader->has_exit)
		return -EPROTO;
	r = view_init(&v, cx, n);
	if (r < 0)
		return r;
	view_set_len_after(&v, leader);
	view_set_exit(&v, leader->ret);
	for (unsigned i = 0; i < v.row->n_args; i++) {
		r = view_has_out(&v, i) ? apply_out_arg(&v, i, leader) : 0;
		if (r < 0)
			return r;
	}
	ret = ret_to_native(&v, leader);
	*ret_native = ret;
	return 0;
}
