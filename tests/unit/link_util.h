/* SPDX-License-Identifier: Apache-2.0 */
/* A link in the test's hand: one end is a link, the other a plain descriptor or a second link. */
#ifndef CHIRAL_TESTS_LINK_UTIL_H
#define CHIRAL_TESTS_LINK_UTIL_H

#include "unit.h"

#include "link/framing.h"
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The link "the follower" and the other end as a descriptor. */
static inline struct link *link_and_fd(int *ret_fd)
{
	struct link *l;
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(link_new(s[0], "the follower", &l), 0);
	*ret_fd = s[1];
	return l;
}

static inline struct link *link_pair(struct link **ret_other)
{
	struct link *l;
	int fd;

	l = link_and_fd(&fd);
	assert_int_equal(link_new(fd, "the leader", ret_other), 0);
	return l;
}

static inline void write_all(int fd, const void *p, size_t n)
{
	assert_int_equal(write(fd, p, n), n);
}

/* A frame as bytes, with any header. */
static inline void put_frame(struct writer *w, uint32_t len, uint16_t type, uint16_t zero,
			     const void *body, size_t n)
{
	put_u32(w, len);
	put_u16(w, type);
	put_u16(w, zero);
	put_bytes(w, body, n);
}

static inline struct hello test_hello(void)
{
	struct hello h = { .version = PROTOCOL_VERSION, .isa = 1, .page_size = 4096 };

	memcpy(h.magic, PROTOCOL_MAGIC, 8);
	memset(h.table_digest, 0xd1, sizeof(h.table_digest));
	return h;
}

static inline void put_hello_frame(struct writer *w, const struct hello *h)
{
	put_frame(w, HELLO_SIZE, FRAME_HELLO, 0, NULL, 0);
	hello_encode(w, h);
}

#endif
