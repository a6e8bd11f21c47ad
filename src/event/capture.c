/* SPDX-License-Identifier: Apache-2.0 */
/* A call at its entry: what a variant asks for, in canonical form. */
#include "event/iovec.h"
#include "event/memio.h"
#include "event/msghdr.h"
#include "event/sockaddr.h"
#include "event/structs.h"
#include "event/view.h"

#include <errno.h>

/* Nothing of a variant is above: the kernel refuses such lengths before it looks at memory. */
#define USER_SPACE_MAX (UINT64_C(1) << 47)
/* execve takes no more than this anyway (the stack's limit / 4, at most 6 MiB). */
#define STRV_COUNT_MAX  (256u << 10)
#define STRV_BYTES_MAX  (8u << 20)
#define STRV_STRING_MAX (128u << 10)

static int capture_string(const struct call_view *v, unsigned i, struct sink *to)
{
	char text[STRING_MAX];
	size_t len = 0;
	int r = mem_get_str(v->cx->mem, v->raw[i], text, sizeof(text), &len), q;

	q = sink_bytes(to, text, len);
	return q < 0 ? q : r < 0 ? r : 0;
}

/* One string of a vector with its NUL. */
static int capture_vector_string(const struct call_view *v, uint64_t addr, struct sink *to)
{
	uint64_t start = to->len;
	char text[STRING_MAX];
	size_t len = 0;

	for (;;) {
		int r = mem_get_str(v->cx->mem, addr, text, sizeof(text), &len);
		int q = sink_bytes(to, text, len);

		if (r < 0 || q < 0)
			return q < 0 ? q : r;
		if (r == 1)
			return sink_bytes(to, "", 1);
		addr += len;
		if (to->len - start > STRV_STRING_MAX)
			return -EFAULT;
	}
}

static int capture_vector(const struct call_view *v, unsigned i, struct sink *to)
{
	uint64_t batch[64], addr = v->raw[i];

	for (unsigned done = 0; done < STRV_COUNT_MAX && to->len < STRV_BYTES_MAX;) {
		size_t room = (MEM_PAGE - addr % MEM_PAGE) / sizeof(*batch), got;
		size_t want = room == 0 ? 1 : room < 64 ? room : 64;
		int r = mem_get(v->cx->mem, addr, batch, want * sizeof(*batch), &got);

		for (size_t k = 0; k < got / sizeof(*batch); k++) {
			int q;

			if (batch[k] == 0)
				return 0;
			q = capture_vector_string(v, batch[k], to);
			if (q < 0)
				return q;
		}
		if (r < 0)
			return r;
		done += want;
		addr += want * sizeof(*batch);
	}
	return -EFAULT;
}

static int capture_buffer(const struct call_view *v, unsigned i, struct sink *to)
{
	uint64_t n = view_length(v, i);

	return n > USER_SPACE_MAX ? -EFAULT : sink_mem(to, v->cx->mem, v->raw[i], n);
}

static int capture_iovec(const struct call_view *v, unsigned i, struct sink *to)
{
	struct iov iov = {v->cx->mem, v->raw[i], view_length(v, i)};
	uint64_t total;
	int r;

	if (v->row->args[i].dir & DIR_IN)
		return iov_gather(&iov, UINT64_MAX, to);
	r = iov_total(&iov, &total);
	return r < 0 ? r : sink_bytes(to, &total, sizeof(total));
}

static int capture_sockaddr(const struct call_view *v, unsigned i, struct sink *to)
{
	uint8_t addr[SOCKADDR_MAX];
	uint64_t len = view_length(v, i);
	int r;

	if (len > sizeof(addr))
		return -EFAULT; /* EINVAL in the kernel */
	r = mem_get(v->cx->mem, v->raw[i], addr, len, NULL);
	return r < 0 ? r : sink_bytes(to, addr, sockaddr_normalise(addr, len));
}

static int capture_fdset(const struct call_view *v, unsigned i, struct sink *to)
{
	uint64_t bits = view_length(v, i), left;
	uint8_t chunk[4096];
	int r = 0, q;

	if (bits > FDSET_BITS_MAX)
		bits = FDSET_BITS_MAX;
	left = (bits + 7) / 8;
	for (uint64_t addr = v->raw[i]; left && r == 0; addr += sizeof(chunk)) {
		size_t n = left < sizeof(chunk) ? left : sizeof(chunk), got;

		r = mem_get(v->cx->mem, addr, chunk, n, &got);
		left -= n;
		if (left == 0 && got == n && bits % 8)
			chunk[n - 1] &= (uint8_t)((1u << bits % 8) - 1);
		q = sink_bytes(to, chunk, got);
		if (q < 0)
			return q;
	}
	return r;
}

static int capture_sigsetpair(const struct call_view *v, unsigned i, struct sink *to)
{
	uint64_t pair[2];
	int r = mem_get(v->cx->mem, v->raw[i], pair, sizeof(pair), NULL);

	if (r < 0)
		return r;
	/* The size is 8 or the kernel refuses the call: one of another size is no set. */
	return pair[1] == 8 ? sink_mem(to, v->cx->mem, pair[0], 8) : -EFAULT;
}

static int capture_in_arg(const struct call_view *v, unsigned i, struct sink *to)
{
	switch ((enum arg_kind)v->row->args[i].kind) {
	case ARG_PATH:
	case ARG_STR:
		return capture_string(v, i, to);
	case ARG_STRV:
		return capture_vector(v, i, to);
	case ARG_STRUCT:
		return structs_capture(v, i, to);
	case ARG_IOVEC:
		return capture_iovec(v, i, to);
	case ARG_MSGHDR:
	case ARG_MMSGHDR:
		return msghdr_capture_in(v, i, to);
	case ARG_SOCKADDR:
		return capture_sockaddr(v, i, to);
	case ARG_LENPTR:
		return sink_mem(to, v->cx->mem, v->raw[i], sizeof(uint32_t));
	case ARG_FDSET:
		return capture_fdset(v, i, to);
	case ARG_SIGSETPAIR:
		return capture_sigsetpair(v, i, to);
	default:
		return capture_buffer(v, i, to);
	}
}

/* pselect6 with a pair that holds no set is pselect6 without a pair (which libcs use for select) */
static int drop_empty_sigsetpair(struct call_view *v)
{
	for (unsigned i = 0; i < v->row->n_args; i++) {
		uint64_t set;
		int r;

		if (v->row->args[i].kind != ARG_SIGSETPAIR || !v->raw[i])
			continue;
		r = mem_get(v->cx->mem, v->raw[i], &set, sizeof(set), NULL);
		if (r < 0 && r != -EFAULT)
			return r;
		if (r == 0 && set == 0)
			v->scalar[i] = 0;
	}
	return 0;
}

int call_capture_in(const struct call_ctx *cx, const struct native_call *n, struct call_record *c)
{
	struct call_view v;
	struct sink to;
	int r = view_init(&v, cx, n);

	if (r == 0)
		r = drop_empty_sigsetpair(&v);
	if (r < 0)
		return r;
	call_record_reset(c);
	c->id = (uint16_t)call_row_id(n->canon);
	memcpy(c->arg, v.scalar, sizeof(c->arg));
	for (unsigned i = 0; i < v.row->n_args; i++) {
		if (!view_has_in(&v, i))
			continue;
		sink_begin(&to, c, i, cx->key);
		r = sink_end(&to, capture_in_arg(&v, i, &to));
		if (r < 0)
			return r;
	}
	return 0;
}
