/* SPDX-License-Identifier: Apache-2.0 */
#include "event/view.h"
#include "event/memio.h"

#include <errno.h>

/* asm-generic's open flags that make the mode argument count. */
#define CANON_O_CREAT   0100u
#define CANON_O_TMPFILE 020000000u

int call_resolve(struct native_call *n)
{
	const struct call_row *row = call_row_of_nr(n->isa, n->nr);

	if (!row)
		return -ENOSYS;
	n->row = call_row_sub(row, n->arg);
	n->canon = &call_rows[n->row->canonical];
	return 0;
}

/* Flag arguments are ints in the kernel unless the set has flags above. */
static bool flagset_is_wide(const struct flagset_spec *set)
{
	for (unsigned i = 0; i < set->n_flags; i++)
		if (set->flags[i].canon >> 32)
			return true;
	return false;
}

static uint64_t flags_canon(uint8_t set, enum isa isa, uint64_t raw)
{
	uint64_t v = flags_to_canon(set, isa, raw);

	return (v >> 32) && !flagset_is_wide(&flagset_specs[set])
		       ? (uint32_t)flags_to_canon(set, isa, (uint32_t)raw)
		       : v;
}

static uint64_t scalar_canon(const struct arg_spec *s, enum isa isa, uint64_t raw)
{
	switch ((enum arg_kind)s->kind) {
	case ARG_NONE:
	case ARG_IGNORED:
		return 0;
	case ARG_INT:
	case ARG_FD:
	case ARG_DIRFD:
	case ARG_PID:
	case ARG_SIGNAL:
		return (uint64_t)(int64_t)(int32_t)raw;
	case ARG_UINT:
	case ARG_MODE:
	case ARG_UID:
	case ARG_CMD:
		return (uint32_t)raw;
	case ARG_LONG:
	case ARG_ULONG:
		return raw;
	case ARG_FLAGS:
		return flags_canon(s->what, isa, raw);
	default:
		return raw != 0;
	}
}

static void view_arg(struct call_view *v, unsigned i, const struct conv *conv)
{
	uint64_t raw = conv->kind == CONV_CONST ? (uint64_t)conv->value : 0;

	if (conv->kind != CONV_CONST && conv->value >= 0 && conv->value < CALL_ARGS_MAX)
		raw = v->n->arg[conv->value];
	v->raw[i] = raw;
	v->conv[i] = conv->kind;
}

static uint64_t view_scalar(const struct call_view *v, unsigned i)
{
	const struct arg_spec *s = &v->row->args[i];
	uint64_t raw = v->raw[i];

	switch (v->conv[i]) {
	case CONV_CONST: /* canonical as it stands: flags are asm-generic's */
		return s->kind == ARG_FLAGS ? raw : scalar_canon(s, v->n->isa, raw);
	case CONV_MS:
		return (int32_t)raw >= 0;
	case CONV_TIME: /* newer libcs always give clock_gettime and setitimer a place to write */
	case CONV_ALARM:
	case CONV_ALARM_OLD:
		return 1;
	default:
		return scalar_canon(s, v->n->isa, raw);
	}
}

/* Without O_CREAT the kernel never looks at the mode, and programs leave anything there. */
static void view_drop_unused_mode(struct call_view *v)
{
	for (unsigned i = 1; i < v->row->n_args; i++) {
		const struct arg_spec *before = &v->row->args[i - 1];

		if (v->row->args[i].kind == ARG_MODE && before->kind == ARG_FLAGS &&
		    before->what == FLAGS_OPEN &&
		    !(v->scalar[i - 1] & (CANON_O_CREAT | CANON_O_TMPFILE)))
			v->scalar[i] = 0;
	}
}

/* All but the scalars. */
static int view_init_args(struct call_view *v, const struct call_ctx *cx, const struct native_call *n)
{
	bool alias = n->row->canonical != call_row_id(n->row);
	int r;

	/* Member by member: clearing all of it at once takes longer than all that follows. */
	v->cx = cx;
	v->n = n;
	v->row = n->canon;
	memset(v->raw, 0, sizeof(v->raw));
	memset(v->scalar, 0, sizeof(v->scalar));
	memset(v->conv, 0, sizeof(v->conv));
	v->ret = 0;
	v->native_ret = 0;
	v->at_exit = false;
	v->len_before = 0;
	for (unsigned i = 0; i < v->row->n_args; i++) {
		struct conv same = {CONV_ARG, i};

		view_arg(v, i, alias ? &n->row->conv[i] : &same);
	}
	v->lenptr = v->row->lenptr - 1;
	if (v->lenptr >= 0 && v->raw[v->lenptr]) {
		r = mem_get(cx->mem, v->raw[v->lenptr], &v->len_before, sizeof(v->len_before),
			    NULL);
		if (r == -EFAULT)
			v->len_before = 0;
		else if (r < 0)
			return r;
	}
	v->len_after = v->len_before;
	return 0;
}

int view_init(struct call_view *v, const struct call_ctx *cx, const struct native_call *n)
{
	int r = view_init_args(v, cx, n);

	for (unsigned i = 0; i < v->row->n_args; i++)
		v->scalar[i] = view_scalar(v, i);
	view_drop_unused_mode(v);
	return r;
}

int view_init_exit(struct call_view *v, const struct call_ctx *cx, const struct native_call *n,
		   const uint64_t scalar[CALL_ARGS_MAX])
{
	int r = view_init_args(v, cx, n);

	memcpy(v->scalar, scalar, sizeof(v->scalar));
	return r;
}

void view_set_exit(struct call_view *v, int64_t ret)
{
	v->ret = ret;
	v->at_exit = true;
}

static bool kind_is_signed(uint8_t kind)
{
	return kind == ARG_INT || kind == ARG_LONG || kind == ARG_FD || kind == ARG_PID;
}

uint64_t view_count_of(const struct call_view *v, unsigned i)
{
	if (i == (unsigned)v->lenptr)
		return v->at_exit && v->len_after < v->len_before ? v->len_after : v->len_before;
	if (kind_is_signed(v->row->args[i].kind) && (int64_t)v->scalar[i] < 0)
		return 0;
	return v->scalar[i];
}

uint64_t view_length(const struct call_view *v, unsigned i)
{
	const struct len_source *l = &v->row->args[i].len;
	uint64_t n = 0, cap;

	switch ((enum len_kind)l->kind) {
	case LEN_ONE:
		n = 1;
		break;
	case LEN_CONST:
		n = l->value;
		break;
	case LEN_ARG:
	case LEN_DEREF:
		n = l->value < CALL_ARGS_MAX ? view_count_of(v, l->value) : 0;
		break;
	case LEN_RET:
		n = v->ret > 0 ? (uint64_t)v->ret : 0;
		break;
	}
	if (l->cap_arg && l->cap_arg <= CALL_ARGS_MAX) {
		cap = view_count_of(v, l->cap_arg - 1u);
		if (n > cap)
			n = cap;
	}
	if (v->row->args[i].kind == ARG_SOCKADDR && v->at_exit && n > SOCKADDR_MAX)
		n = SOCKADDR_MAX; /* however much room there was, no address is longer */
	return n > INT64_MAX / 65536u ? INT64_MAX : n * l->scale + l->add;
}

/* accept(fd, NULL, &garbage): without an address the kernel does not look at its length. */
static bool view_lenptr_unused(const struct call_view *v, unsigned i)
{
	const struct call_row *row = v->row;

	for (unsigned k = 0; k < row->n_args; k++)
		if (row->args[k].kind == ARG_SOCKADDR && row->args[k].len.kind == LEN_DEREF &&
		    row->args[k].len.value == i && !v->raw[k])
			return true;
	return false;
}

bool view_has_in(const struct call_view *v, unsigned i)
{
	const struct arg_spec *s = &v->row->args[i];

	if (s->kind < ARG_PATH || !v->scalar[i])
		return false;
	switch (s->kind) {
	case ARG_IOVEC:
	case ARG_MSGHDR:
	case ARG_MMSGHDR:
		return true; /* what can be received counts as a read's size does */
	case ARG_LENPTR:
		return !view_lenptr_unused(v, i);
	default:
		return s->dir & DIR_IN;
	}
}

static bool ret_is_interruption(int64_t ret)
{
	return ret == -EINTR || (ret <= -512 && ret >= -516); /* ERESTARTSYS to _RESTARTBLOCK */
}

/*
 * The kernel has written the struct behind s at this result. What is out only and marked `always`
 * is a remainder (nanosleep): it is written when the sleep was interrupted and only then; at other
 * times the leader's memory there is anything, which must not get into a follower.
 */
static bool ret_has_written(const struct arg_spec *s, int64_t ret)
{
	if (s->always && s->dir == DIR_OUT)
		return ret_is_interruption(ret);
	return s->always || !ret_is_error(ret);
}

bool view_has_out(const struct call_view *v, unsigned i)
{
	const struct arg_spec *s = &v->row->args[i];

	if (s->kind < ARG_PATH || !v->scalar[i] || v->conv[i] == CONV_MS ||
	    v->conv[i] == CONV_ALARM)
		return false;
	if (!(s->dir & DIR_OUT) && s->kind != ARG_MMSGHDR)
		return false;
	if (!ret_has_written(s, v->ret))
		return false;
	return s->kind != ARG_LENPTR || !view_lenptr_unused(v, i);
}
