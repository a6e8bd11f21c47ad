/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct msghdr and arrays of mmsghdr. Internal to src/event.
 *
 * Canonical forms, all numbers u32 unless said otherwise:
 *	sent		n | address (normalised, n bytes) | controls | n | data
 *	to be received	address room | control room | u64 data room
 *	received	address length | n | address | msg_flags | controls | n | data
 *	controls	{ n | level | type | n bytes }... | MSG_CONTROL_END
 * and of mmsghdr arrays: sent and to be received one after another; at exit of a sending call the
 * msg_len of each, of a receiving one msg_len | received.
 */
#ifndef CHIRAL_EVENT_MSGHDR_H
#define CHIRAL_EVENT_MSGHDR_H

#include "event/payload.h"
#include "event/view.h"

#define MSG_CONTROL_END UINT32_MAX
#define MSG_CONTROL_MAX 65536u /* bytes of control data looked at */
#define MSG_SENT_BAD                                                                               \
	(UINT32_MAX - 1) /* level and type of what follows a malformed control header */

/* The layout of every LP64 ISA. */
struct native_msghdr {
	uint64_t name;
	uint32_t name_len, pad;
	uint64_t iov, iov_len;
	uint64_t control, control_len;
	uint32_t flags, pad2;
};

struct native_mmsghdr {
	struct native_msghdr hdr;
	uint32_t len, pad;
};

struct native_cmsghdr {
	uint64_t len; /* with this header */
	int32_t level, type;
};

static inline uint64_t cmsg_align(uint64_t n)
{
	return (n + 7) & ~UINT64_C(7);
}

/* Argument i, ARG_MSGHDR or ARG_MMSGHDR: errors of sink_mem(). */
int msghdr_capture_in(const struct call_view *v, unsigned i, struct sink *to);
int msghdr_capture_out(const struct call_view *v, unsigned i, struct sink *to);
/* 0, -EPROTO when data is malformed or does not fit, -EFAULT, -ESRCH. */
int msghdr_apply(const struct call_view *v, unsigned i, const uint8_t *data, size_t len);

/* ---- canonical forms, read back ---- */

struct msg_control {
	uint32_t level, type;
	const uint8_t *data;
	size_t len;
};

/* 1 and the next control message, 0 at their end, -EPROTO. */
int msg_next_control(struct reader *r, struct msg_control *ret);

struct msg_parts {
	uint32_t name_len; /* received: what the kernel says; sent: n */
	const uint8_t *name;
	size_t name_size;       /* bytes of it that are there */
	uint32_t flags;         /* received only */
	struct reader controls; /* for msg_next_control() */
	size_t control_space;   /* bytes they take in native form */
	const uint8_t *data;
	size_t size;
};

/* Borrowed from r. 0 or -EPROTO. */
int msg_parse_sent(struct reader *r, struct msg_parts *ret);
int msg_parse_received(struct reader *r, struct msg_parts *ret);

#endif
