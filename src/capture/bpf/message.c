/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel writes into a message that it was given (net/socket.c). Of one that is received it
 * overwrites how much room there was for an address and for control data, with what it needed: known
 * afterwards only where there was none. Of one that is sent with sendmmsg(2) it writes how much was sent, which
 * it does not read. Everything else is as before, unless the message lies in memory that is written.
 */
#include "capture/bpf/message.h"

#include "capture/bpf/record.h"

#define IOV_BATCH 32u

struct range {
	uint64_t addr, len;
};

static bool overlap(struct range a, struct range b)
{
	return a.addr < b.addr ? b.addr - a.addr < a.len : a.addr - b.addr < b.len;
}

/* What cannot be read now could not be read then either, and ended the call there. */
static bool read_all(struct mem *mem, uint64_t addr, void *to, size_t n)
{
	return mem->read(mem, addr, to, n) == (ssize_t)n;
}

static struct range array_of(const struct record_msg *m)
{
	uint64_t n = m->iov_len < RECORD_MMSG_MAX ? m->iov_len : RECORD_MMSG_MAX;

	return (struct range){ m->iov, n * sizeof(struct record_iov) };
}

/* Nothing that the message's elements point to overlaps the range. */
static bool data_is_beside(struct mem *mem, const struct record_msg *m, struct range range)
{
	struct range array = array_of(m);
	struct record_iov iov[IOV_BATCH];

	for (uint64_t done = 0, n; done < array.len; done += n) {
		n = array.len - done < sizeof(iov) ? array.len - done : sizeof(iov);
		if (!read_all(mem, array.addr + done, iov, n))
			return true;
		for (unsigned i = 0; i < n / sizeof(*iov); i++)
			if (overlap((struct range){ iov[i].addr, iov[i].len }, range))
				return false;
	}
	return true;
}

/* From the first one's begin to the last one's end. */
static struct range around(struct range a, struct range b)
{
	uint64_t from = a.addr < b.addr ? a.addr : b.addr;
	uint64_t to = a.addr + a.len > b.addr + b.len ? a.addr + a.len : b.addr + b.len;

	return !a.len ? b : !b.len ? a : (struct range){ from, to - from };
}

/* Messages that lie in all, of size bytes each; so many of them were received. */
static bool rooms_are_as_before(struct mem *mem, struct range all, uint64_t size, uint64_t received)
{
	struct range arrays = { 0, 0 };
	struct record_msg m;
	uint64_t n = 0;

	for (; n < all.len / size && read_all(mem, all.addr + n * size, &m, sizeof(m)); n++) {
		if (n < received && (m.name || m.control))
			return false;
		arrays = around(arrays, array_of(&m));
	}
	if (overlap(arrays, all))
		return false;
	for (uint64_t k = 0; k < n && read_all(mem, all.addr + k * size, &m, sizeof(m)); k++)
		if (!data_is_beside(mem, &m, all) || !data_is_beside(mem, &m, arrays))
			return false;
	return true;
}

/* Lengths are written while later messages are still to be read. */
static bool sent_are_as_before(struct mem *mem, struct range all)
{
	for (uint64_t done = 0; done < all.len; done += sizeof(struct record_mmsg)) {
		struct record_msg m;

		if (!read_all(mem, all.addr + done, &m, sizeof(m)))
			return true;
		if (overlap((struct range){ m.name, m.name_len }, all) ||
		    overlap((struct range){ m.control, m.control_len }, all) || overlap(array_of(&m), all) ||
		    !data_is_beside(mem, &m, all))
			return false;
	}
	return true;
}

bool message_is_as_before(struct mem *mem, const struct record_part *in, const uint64_t args[CALL_ARGS_MAX],
			  int64_t ret)
{
	bool many = in->what & RECORD_MANY;
	uint64_t n = many ? (uint32_t)args[in->len.arg] : 1;
	uint64_t size = many ? sizeof(struct record_mmsg) : sizeof(struct record_msg);
	struct range all = { args[in->arg], (n < RECORD_MMSG_MAX ? n : RECORD_MMSG_MAX) * size };

	if (ret < 0)
		return true;
	if ((in->what & ~RECORD_MANY) == RECORD_MSG_ROOM)
		return rooms_are_as_before(mem, all, size, many ? (uint64_t)ret : 1);
	return sent_are_as_before(mem, all);
}
