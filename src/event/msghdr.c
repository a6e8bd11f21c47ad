/* SPDX-License-Identifier: Apache-2.0 */
#include "event/msghdr.h"
#include "event/iovec.h"
#include "event/memio.h"
#include "event/sockaddr.h"

#include <errno.h>
#include <stddef.h>

/* What capture_room() writes for each message. */
#define ROOM_SIZE 16u

static struct iov msg_iov(const struct call_view *v, const struct native_msghdr *h)
{
	return (struct iov){v->cx->mem, h->iov, h->iov_len};
}

/* ---- entry ---- */

static int capture_sent_name(struct mem *mem, const struct native_msghdr *h, struct sink *to)
{
	uint8_t addr[SOCKADDR_MAX];
	size_t len = h->name ? h->name_len : 0;
	int r;

	if (len > sizeof(addr)) /* so does the kernel */
		len = sizeof(addr);
	r = mem_get(mem, h->name, addr, len, NULL);
	if (r < 0)
		return r;
	len = sockaddr_normalise(addr, len);
	r = sink_u32(to, (uint32_t)len);
	return r < 0 ? r : sink_bytes(to, addr, len);
}

static int sink_control(struct sink *to, struct mem *mem, const struct native_cmsghdr *c,
			uint64_t addr, uint64_t n)
{
	int r = sink_u32(to, (uint32_t)n);

	if (r == 0)
		r = sink_u32(to, (uint32_t)c->level);
	if (r == 0)
		r = sink_u32(to, (uint32_t)c->type);
	return r < 0 ? r : sink_mem(to, mem, addr, n);
}

static int capture_controls(struct mem *mem, uint64_t addr, uint64_t len, struct sink *to)
{
	struct native_cmsghdr c;
	int r;

	if (len > MSG_CONTROL_MAX)
		return -EFAULT;
	while (addr && len >= sizeof(c)) {
		r = mem_get(mem, addr, &c, sizeof(c), NULL);
		if (r < 0)
			return r;
		if (c.len < sizeof(c) || c.len > len) {
			/* The kernel refuses it; what is there still counts. */
			c.level = c.type = (int32_t)MSG_SENT_BAD;
			c.len = len;
		}
		r = sink_control(to, mem, &c, addr + sizeof(c), c.len - sizeof(c));
		if (r < 0)
			return r;
		if (cmsg_align(c.len) >= len)
			break;
		addr += cmsg_align(c.len);
		len -= cmsg_align(c.len);
	}
	return sink_u32(to, MSG_CONTROL_END);
}

static int capture_data(const struct iov *iov, uint64_t max, struct sink *to)
{
	uint64_t total;
	int r = iov_total(iov, &total);

	if (r < 0)
		return r;
	if (total > max)
		total = max;
	if (total > PAYLOAD_MAX)
		return -E2BIG;
	r = sink_u32(to, (uint32_t)total);
	return r < 0 ? r : iov_gather(iov, total, to);
}

static int capture_sent(const struct call_view *v, const struct native_msghdr *h, struct sink *to)
{
	struct iov iov = msg_iov(v, h);
	int r = capture_sent_name(v->cx->mem, h, to);

	if (r == 0)
		r = capture_controls(v->cx->mem, h->control, h->control_len, to);
	return r < 0 ? r : capture_data(&iov, UINT64_MAX, to);
}

static uint32_t name_room(const struct native_msghdr *h)
{
	return !h->name ? 0 : h->name_len < SOCKADDR_MAX ? h->name_len : SOCKADDR_MAX;
}

static uint32_t control_room(const struct native_msghdr *h)
{
	return !h->control                   ? 0
	       : h->control_len < UINT32_MAX ? (uint32_t)h->control_len
					     : UINT32_MAX;
}

static int capture_room(const struct call_view *v, const struct native_msghdr *h, struct sink *to)
{
	struct iov iov = msg_iov(v, h);
	uint64_t total;
	int r = iov_total(&iov, &total);

	if (r == 0)
		r = sink_u32(to, name_room(h));
	if (r == 0)
		r = sink_u32(to, control_room(h));
	return r < 0 ? r : sink_bytes(to, &total, sizeof(total));
}

/* Reads header k of argument i. */
static int read_header(const struct call_view *v, unsigned i, uint64_t k,
		       struct native_mmsghdr *ret, uint64_t *ret_addr)
{
	bool many = v->row->args[i].kind == ARG_MMSGHDR;
	size_t size = many ? sizeof(*ret) : sizeof(ret->hdr);
	uint64_t addr = v->raw[i] + k * size;

	*ret_addr = addr;
	return mem_get(v->cx->mem, addr, ret, size, NULL);
}

static uint64_t header_count(const struct call_view *v, unsigned i)
{
	uint64_t n = v->row->args[i].kind == ARG_MMSGHDR ? view_length(v, i) : 1;

	return n < IOV_COUNT_MAX ? n
				 : IOV_COUNT_MAX; /* the kernel handles no more of them either */
}

int msghdr_capture_in(const struct call_view *v, unsigned i, struct sink *to)
{
	bool receives = spec_receives(&v->row->args[i]);
	uint64_t n = header_count(v, i), addr;
	struct native_mmsghdr h;
	int r = 0;

	for (uint64_t k = 0; k < n && r == 0; k++) {
		r = read_header(v, i, k, &h, &addr);
		if (r == 0)
			r = receives ? capture_room(v, &h.hdr, to) : capture_sent(v, &h.hdr, to);
	}
	return r;
}

/* ---- the leader's exit ---- */

/* Room for the address of message k as it was at entry: the kernel has overwritten it by the length
 * of the whole address. Unknown (the most possible) when the rooms were digested. */
static uint32_t name_room_before(const struct sink *to, unsigned i, uint64_t k)
{
	const struct payload *p = call_in_of(to->c, i);
	uint32_t room = SOCKADDR_MAX;

	if (p && p->form == PAYLOAD_BYTES && p->size >= (k + 1) * ROOM_SIZE)
		memcpy(&room, payload_data(to->c, p) + k * ROOM_SIZE, sizeof(room));
	return room;
}

static int capture_received(const struct call_view *v, const struct native_msghdr *h, uint32_t room,
			    uint64_t len, struct sink *to)
{
	struct iov iov = msg_iov(v, h);
	uint32_t name = name_room(h) < room ? name_room(h) : room;
	int r = sink_u32(to, h->name ? h->name_len : 0);

	if (r == 0)
		r = sink_u32(to, name);
	if (r == 0)
		r = sink_mem(to, v->cx->mem, h->name, name);
	if (r == 0)
		r = sink_u32(to, h->flags);
	if (r == 0)
		r = capture_controls(v->cx->mem, h->control, h->control_len, to);
	return r < 0 ? r : capture_data(&iov, len, to);
}

static uint64_t done_count(const struct call_view *v, unsigned i)
{
	uint64_t n = header_count(v, i), ret = v->ret > 0 ? (uint64_t)v->ret : 0;

	return v->row->args[i].kind == ARG_MSGHDR ? 1 : ret < n ? ret : n;
}

int msghdr_capture_out(const struct call_view *v, unsigned i, struct sink *to)
{
	bool many = v->row->args[i].kind == ARG_MMSGHDR;
	bool receives = spec_receives(&v->row->args[i]);
	uint64_t n = done_count(v, i), addr;
	struct native_mmsghdr h;
	int r = 0;

	for (uint64_t k = 0; k < n && r == 0; k++) {
		r = read_header(v, i, k, &h, &addr);
		if (r == 0 && many)
			r = sink_u32(to, h.len);
		if (r == 0 && receives)
			r = capture_received(v, &h.hdr, name_room_before(to, i, k),
					     many ? h.len : (uint64_t)v->ret, to);
	}
	return r;
}

/* ---- the follower's exit ---- */

static int write_controls(const struct call_view *v, const struct native_msghdr *h,
			  struct reader controls, uint64_t *ret_used)
{
	uint64_t at = h->control, left = control_room(h);
	struct msg_control c;

	while (msg_next_control(&controls, &c) > 0) {
		struct native_cmsghdr head = {sizeof(head) + c.len, (int32_t)c.level,
					      (int32_t)c.type};
		uint64_t space = cmsg_align(head.len);
		int r;

		if (head.len > left)
			return -EPROTO;
		r = mem_put(v->cx->mem, at, &head, sizeof(head));
		if (r == 0)
			r = mem_put(v->cx->mem, at + sizeof(head), c.data, c.len);
		if (r < 0)
			return r;
		if (space > left) /* a truncated last one has no padding */
			space = left;
		at += space;
		left -= space;
	}
	*ret_used = at - h->control;
	return 0;
}

static int write_u32(const struct call_view *v, uint64_t addr, uint32_t x)
{
	return mem_put(v->cx->mem, addr, &x, sizeof(x));
}

static int write_received(const struct call_view *v, uint64_t addr, const struct native_msghdr *h,
			  const struct msg_parts *m)
{
	struct iov iov = msg_iov(v, h);
	uint64_t total, used = 0;
	int r = iov_total(&iov, &total);

	if (r < 0)
		return r;
	if (m->size > total)
		return -EPROTO;
	r = write_controls(v, h, m->controls, &used);
	if (r == 0)
		r = mem_put(v->cx->mem, h->name, m->name,
			    m->name_size < name_room(h) ? m->name_size : name_room(h));
	if (r == 0 && h->name)
		r = write_u32(v, addr + offsetof(struct native_msghdr, name_len), m->name_len);
	if (r == 0)
		r = mem_put(v->cx->mem, addr + offsetof(struct native_msghdr, control_len), &used,
			    sizeof(used));
	if (r == 0)
		r = write_u32(v, addr + offsetof(struct native_msghdr, flags), m->flags);
	return r < 0 ? r : iov_scatter(&iov, m->data, m->size);
}

int msghdr_apply(const struct call_view *v, unsigned i, const uint8_t *data, size_t len)
{
	bool many = v->row->args[i].kind == ARG_MMSGHDR;
	bool receives = spec_receives(&v->row->args[i]);
	struct reader in = reader_of(data, len);
	uint64_t n = done_count(v, i), addr;
	struct native_mmsghdr h;
	struct msg_parts m;
	int r = 0;

	for (uint64_t k = 0; k < n && r == 0; k++) {
		uint32_t moved = many ? get_u32(&in) : 0;

		if (in.failed || (receives && msg_parse_received(&in, &m) < 0))
			return -EPROTO;
		r = read_header(v, i, k, &h, &addr);
		if (r == 0 && many)
			r = write_u32(v, addr + offsetof(struct native_mmsghdr, len), moved);
		if (r == 0 && receives)
			r = write_received(v, addr, &h.hdr, &m);
	}
	return r < 0 ? r : reader_done(&in) ? 0 : -EPROTO;
}
