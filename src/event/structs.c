/* SPDX-License-Identifier: Apache-2.0 */
#include "event/structs.h"
#include "event/memio.h"

#include <errno.h>
#include <sys/stat.h>

/* Native bytes read or written at once. */
#define STRUCT_BATCH 4096u
/* No struct whose size the program gives may be longer (copy_struct_from_user: a page). */
#define STRUCT_BEYOND_MAX 4096u

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "all ISAs of the table are little endian");

static uint64_t load(const uint8_t *p, unsigned size)
{
	uint64_t x = 0;

	memcpy(&x, p, size < 8 ? size : 8);
	return x;
}

static void store(uint8_t *p, unsigned size, uint64_t x)
{
	memcpy(p, &x, size < 8 ? size : 8);
}

static uint64_t sign_extend(uint64_t x, unsigned size)
{
	unsigned shift = size < 8 ? 64 - 8 * size : 0;

	return (uint64_t)((int64_t)(x << shift) >> shift);
}

static int cookie_epfd(const struct call_view *v)
{
	return (int)(int64_t)v->scalar[0];
}

#define VALUE_IS_ADDRESS (UINT64_C(1) << 32)

/* An address is what can be read there; nothing is compared of it, for it is the variant's own. The
 * upper half of an integer's union is anything. */
static uint64_t value_to_canon(const struct call_view *v, uint64_t x)
{
	uint8_t byte;

	return mem_get(v->cx->mem, x, &byte, sizeof(byte), NULL) == 0 ? VALUE_IS_ADDRESS : (uint32_t)x;
}

static bool seconds_count(const uint8_t *native, const struct field_spec *f, enum isa isa)
{
	uint64_t nsec = load(native + f->off[isa] + f->size[isa], 8);

	return nsec != UTIME_NOW && nsec != UTIME_OMIT;
}

static uint64_t field_to_canon(const struct call_view *v, const struct field_spec *f, bool in,
			       uint64_t x, unsigned size)
{
	const struct call_ctx *cx = v->cx;

	switch ((enum field_kind)f->kind) {
	case FIELD_SINT:
	case FIELD_FD:
	case FIELD_PID:
		return sign_extend(x, size);
	case FIELD_FLAGS:
		return flags_to_canon(f->what, cx->isa, x);
	case FIELD_PTR:
		return x != 0;
	case FIELD_VALUE:
		return value_to_canon(v, x);
	case FIELD_COOKIE:
		if (in || !cx->cookies)
			return 0;
		return (uint64_t)cx->cookies->to_object(cx->cookies_owner, cookie_epfd(v), x);
	default:
		return x;
	}
}

void struct_to_canon(const struct call_view *v, const struct struct_spec *s, bool in,
		     const uint8_t *native, uint8_t *ret_canon)
{
	enum isa isa = v->cx->isa;

	for (unsigned i = 0; i < s->n_fields; i++) {
		const struct field_spec *f = &s->fields[i];
		uint8_t *to = ret_canon + f->canon_off;
		unsigned size = f->size[isa];

		memset(to, 0, f->canon_size);
		if (!size || f->kind == FIELD_IGNORED || (in && f->dir == DIR_OUT) ||
		    (f->kind == FIELD_UTIME && !seconds_count(native, f, isa)))
			continue;
		if (f->kind == FIELD_BYTES)
			memcpy(to, native + f->off[isa],
			       size < f->canon_size ? size : f->canon_size);
		else
			store(to, f->canon_size,
			      field_to_canon(v, f, in, load(native + f->off[isa], size), size));
	}
}

static uint64_t field_from_canon(const struct call_view *v, const struct field_spec *f, uint64_t x)
{
	const struct call_ctx *cx = v->cx;

	if (f->kind == FIELD_FLAGS)
		return flags_from_canon(f->what, cx->isa, x);
	if (f->kind != FIELD_COOKIE)
		return x;
	if (!cx->cookies)
		return 0;
	return cx->cookies->to_cookie(cx->cookies_owner, cookie_epfd(v), (int64_t)x);
}

void struct_from_canon(const struct call_view *v, const struct struct_spec *s, const uint8_t *canon,
		       uint8_t *native)
{
	enum isa isa = v->cx->isa;

	for (unsigned i = 0; i < s->n_fields; i++) {
		const struct field_spec *f = &s->fields[i];
		const uint8_t *from = canon + f->canon_off;
		uint8_t *to = native + f->off[isa];
		unsigned size = f->size[isa];
		uint64_t x;

		if (!size || f->kind == FIELD_IGNORED || f->kind == FIELD_PTR || f->dir == DIR_IN)
			continue;
		if (f->kind == FIELD_BYTES) {
			memcpy(to, from, size < f->canon_size ? size : f->canon_size);
			continue;
		}
		x = load(from, f->canon_size);
		if (f->kind == FIELD_SINT)
			x = sign_extend(x, f->canon_size);
		store(to, size, field_from_canon(v, f, x));
	}
}

/* Addresses in an out struct are left as the variant has them, and so is what a kernel only reads;
 * padding is cleared, as kernels do */
static bool struct_keeps_bytes(const struct struct_spec *s)
{
	for (unsigned i = 0; i < s->n_fields; i++)
		if (s->fields[i].kind == FIELD_PTR || s->fields[i].dir == DIR_IN)
			return true;
	return false;
}

static bool conv_is_struct(uint8_t conv)
{
	return conv != CONV_ARG && conv != CONV_CONST;
}

/*
 * Bytes of a single struct that exist when the program tells its size (openat2, getsockopt: a count
 * of one with a cap). What is over it counts as zero. A size of 0 in the struct itself is a default.
 */
static uint64_t struct_cap(const struct call_view *v, unsigned i)
{
	const struct len_source *l = &v->row->args[i].len;
	uint64_t cap = UINT64_MAX;

	if (l->kind == LEN_CONST && l->value == 1 && l->cap_arg)
		cap = view_count_of(v, l->cap_arg - 1u);
	return l->cap_deref && cap == 0 ? UINT64_MAX : cap;
}

/* Elements of argument i and the native bytes that exist of each. */
static int structs_shape(const struct call_view *v, unsigned i, const struct struct_spec *s,
			 uint64_t *ret_count, size_t *ret_size)
{
	const struct len_source *l = &v->row->args[i].len;
	size_t size = s->size[v->cx->isa];
	uint64_t cap = struct_cap(v, i);
	bool single = l->kind == LEN_ONE || (l->kind == LEN_CONST && l->value == 1);

	if (size == 0 || size > STRUCT_SIZE_MAX || s->canon_size > STRUCT_SIZE_MAX)
		return -EFAULT;
	*ret_size = single && cap < size ? (size_t)cap : size;
	*ret_count = single ? 1 : view_length(v, i);
	return *ret_count > STRUCT_COUNT_MAX ? -EFAULT : 0;
}

static int structs_capture_converted(const struct call_view *v, unsigned i, struct sink *to)
{
	const struct struct_spec *s = &struct_specs[v->row->args[i].what];
	uint8_t native[STRUCT_SIZE_MAX] = {0}, canon[STRUCT_SIZE_MAX];
	uint64_t count = v->conv[i] == CONV_TIMEVAL2 || v->conv[i] == CONV_UTIMBUF ? 2 : 1;
	size_t size = s->size[v->cx->isa];
	int r;

	if (size * count > CONVERT_MAX)
		return -EFAULT;
	r = convert_to_canon_row(v, i, native);
	for (uint64_t k = 0; k < count && r == 0; k++) {
		struct_to_canon(v, s, !v->at_exit, native + k * size, canon);
		r = sink_bytes(to, canon, s->canon_size);
	}
	return r;
}

/*
 * A program made for a later kernel gives a longer struct. Zeros after the fields of the table mean
 * nothing; anything else is compared as it stands, in units of the canonical struct.
 */
static int capture_beyond(const struct call_view *v, unsigned i, struct sink *to, size_t cap)
{
	const struct struct_spec *s = &struct_specs[v->row->args[i].what];
	size_t size = s->size[v->cx->isa], used = 0;
	uint8_t more[STRUCT_BEYOND_MAX + STRUCT_SIZE_MAX] = {0};
	int r;

	r = mem_get(v->cx->mem, v->raw[i] + size, more, cap - size, NULL);
	for (size_t k = 0; k < cap - size; k++)
		if (more[k])
			used = k + 1;
	if (used)
		used += (s->canon_size - used % s->canon_size) % s->canon_size;
	return r < 0 ? r : sink_bytes(to, more, used);
}

static int structs_capture_beyond(const struct call_view *v, unsigned i, struct sink *to)
{
	size_t size = struct_specs[v->row->args[i].what].size[v->cx->isa];
	uint64_t cap;

	if (v->at_exit || !v->row->args[i].len.cap_beyond)
		return 0;
	cap = struct_cap(v, i);
	if (cap <= size || cap > STRUCT_BEYOND_MAX)
		return 0; /* the kernel refuses what is longer than a page */
	return capture_beyond(v, i, to, (size_t)cap);
}

/* Elements that are in one place and as they are to be. NULL: they have to be read, or converted. */
static const uint8_t *structs_peek(const struct call_view *v, const struct struct_spec *s, uint64_t addr,
				   uint64_t count, size_t size)
{
	if (!s->plain[v->cx->isa] || size != s->canon_size || !v->cx->mem->peek)
		return NULL;
	return v->cx->mem->peek(v->cx->mem, addr, count * size);
}

int structs_capture(const struct call_view *v, unsigned i, struct sink *to)
{
	const struct struct_spec *s = &struct_specs[v->row->args[i].what];
	uint8_t native[STRUCT_BATCH], canon[STRUCT_SIZE_MAX];
	uint64_t addr = v->raw[i], count, batch;
	const uint8_t *plain;
	size_t size, got;
	int r, q = 0;

	if (conv_is_struct(v->conv[i]))
		return structs_capture_converted(v, i, to);
	r = structs_shape(v, i, s, &count, &size);
	if (r < 0 || count == 0)
		return r;
	plain = structs_peek(v, s, addr, count, size);
	if (plain) {
		q = sink_bytes(to, plain, count * size);
		count = 0;
	}
	if (size < s->size[v->cx->isa])
		memset(native, 0, sizeof(native));
	batch = size ? sizeof(native) / s->size[v->cx->isa] : 1;
	for (; count && r == 0 && q == 0; count -= batch, addr += batch * size) {
		if (batch > count)
			batch = count;
		r = mem_get(v->cx->mem, addr, native, batch * size, &got);
		for (size_t k = 0; q == 0 && k < batch && (k + 1) * size <= got; k++) {
			struct_to_canon(v, s, !v->at_exit, native + k * size, canon);
			q = sink_bytes(to, canon, s->canon_size);
		}
	}
	if (r == 0 && q == 0)
		q = structs_capture_beyond(v, i, to);
	return q < 0 ? q : r;
}

static int structs_apply_converted(const struct call_view *v, unsigned i, const uint8_t *canon,
				   size_t len)
{
	const struct struct_spec *s = &struct_specs[v->row->args[i].what];
	uint8_t native[STRUCT_SIZE_MAX] = {0};

	if (len != s->canon_size || s->size[v->cx->isa] > CONVERT_MAX)
		return -EPROTO;
	struct_from_canon(v, s, canon, native);
	return convert_from_canon_row(v, i, native);
}

int structs_apply(const struct call_view *v, unsigned i, const uint8_t *canon, size_t len)
{
	const struct arg_spec *spec = &v->row->args[i];
	const struct struct_spec *s = &struct_specs[spec->what];
	bool keep = spec->dir == DIR_INOUT || struct_keeps_bytes(s);
	uint64_t addr = v->raw[i], count, batch;
	uint8_t native[STRUCT_BATCH];
	size_t size, full = s->size[v->cx->isa];
	int r;

	if (conv_is_struct(v->conv[i]))
		return structs_apply_converted(v, i, canon, len);
	r = structs_shape(v, i, s, &count, &size);
	if (r < 0 || len != count * s->canon_size)
		return -EPROTO;
	batch = sizeof(native) / full;
	for (; count && r == 0; count -= batch, addr += batch * size) {
		if (batch > count)
			batch = count;
		if (!keep || size < full)
			memset(native, 0, batch * full);
		if (keep)
			r = mem_get(v->cx->mem, addr, native, batch * size, NULL);
		if (r < 0)
			break;
		for (size_t k = 0; k < batch; k++, canon += s->canon_size)
			struct_from_canon(v, s, canon, native + k * size);
		r = mem_put(v->cx->mem, addr, native, batch * size);
	}
	return r;
}
