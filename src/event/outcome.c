/* SPDX-License-Identifier: Apache-2.0 */
/* A call at its exit on the leader: what the kernel gave, in canonical form. */
#include "event/iovec.h"
#include "event/memio.h"
#include "event/msghdr.h"
#include "event/structs.h"
#include "event/view.h"

#include <errno.h>

static bool row_converts_ret(const struct call_view *v)
{
	for (unsigned i = 0; i < v->row->n_args; i++)
		if (v->conv[i] == CONV_TIME || v->conv[i] == CONV_ALARM_OLD)
			return true;
	return false;
}

static int64_t ret_to_canon(const struct call_view *v, int64_t ret)
{
	const struct call_row *native = v->n->row;

	if (ret_is_error(ret))
		return ret;
	/* Addresses mean nothing elsewhere; the others are in an argument or an out-payload. */
	if ((v->row->flags & CALL_RET_ADDR) || row_converts_ret(v) ||
	    (native != v->row && native->ret_arg))
		return 0;
	if (v->row->ret_flags)
		return (int64_t)flags_to_canon(v->row->ret_flags - 1, v->cx->isa, (uint64_t)ret);
	return ret;
}

static int capture_out_fdset(const struct call_view *v, unsigned i, struct sink *to)
{
	uint64_t bits = view_length(v, i);

	if (bits > FDSET_BITS_MAX)
		bits = FDSET_BITS_MAX;
	/* The kernel has cleared the bits after the last one. */
	return sink_mem(to, v->cx->mem, v->raw[i], (bits + 7) / 8);
}

static int capture_out_iovec(const struct call_view *v, unsigned i, struct sink *to)
{
	const struct len_source *l = &v->row->args[i].len;
	struct iov iov = {v->cx->mem, v->raw[i], 0};

	if (v->ret <= 0)
		return 0;
	iov.count = l->kind == LEN_ARG && l->value < CALL_ARGS_MAX ? v->scalar[l->value] : 0;
	return iov_gather(&iov, (uint64_t)v->ret, to);
}

static int capture_out_arg(const struct call_view *v, unsigned i, struct sink *to)
{
	switch ((enum arg_kind)v->row->args[i].kind) {
	case ARG_STRUCT:
		return structs_capture(v, i, to);
	case ARG_IOVEC:
		return capture_out_iovec(v, i, to);
	case ARG_MSGHDR:
	case ARG_MMSGHDR:
		return msghdr_capture_out(v, i, to);
	case ARG_LENPTR:
		return sink_bytes(to, &v->len_after, sizeof(v->len_after));
	case ARG_FDPAIR:
		return sink_mem(to, v->cx->mem, v->raw[i], 2 * sizeof(int32_t));
	case ARG_FDSET:
		return capture_out_fdset(v, i, to);
	default:
		return sink_mem(to, v->cx->mem, v->raw[i], view_length(v, i));
	}
}

/* At exit the kernel has overwritten the length that the program gave: the entry part has it. */
static void recall_len_before(struct call_view *v, const struct call_record *c)
{
	const struct payload *p = v->lenptr >= 0 ? call_in_of(c, (unsigned)v->lenptr) : NULL;

	if (p && p->form == PAYLOAD_BYTES && p->size == sizeof(v->len_before))
		memcpy(&v->len_before, payload_data(c, p), sizeof(v->len_before));
}

int call_capture_out(const struct call_ctx *cx, const struct native_call *n, int64_t ret,
		     struct call_record *c)
{
	struct call_view v;
	struct sink to;
	/* Of the entry: a pair without a set has become NULL there. */
	int r = view_init_exit(&v, cx, n, c->arg);

	if (r < 0)
		return r;
	recall_len_before(&v, c);
	v.native_ret = ret;
	c->ret = ret_to_canon(&v, ret);
	c->has_exit = true;
	c->n_out = 0;
	view_set_exit(&v, c->ret);
	for (unsigned i = 0; i < v.row->n_args; i++) {
		if (!view_has_out(&v, i))
			continue;
		sink_begin(&to, c, i, NULL);
		r = sink_end(&to, capture_out_arg(&v, i, &to));
		if (r < 0)
			return r;
	}
	return 0;
}
