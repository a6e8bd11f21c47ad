/* SPDX-License-Identifier: Apache-2.0 */
/* The program's side of the page protocol: it hands its memory to the pager, a process of its own. */
#include "mtd/runtime/runtime.h"

#include "calls.h"

#define EPERM	   1
#define EINTR	   4
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define O_CLOEXEC_NONBLOCK 02004000
#define UFFD_USER_MODE_ONLY 1

/* struct msghdr and what belongs to it, as in both ISAs' kernels. */
struct vector {
	const void *base;
	uint64_t size;
};
struct control_header {
	uint64_t size;
	int32_t level, type, fd, zero;
};
struct message_header {
	const void *name;
	uint64_t name_size;
	const struct vector *vector;
	uint64_t n;
	const void *control;
	uint64_t control_size, flags;
};

/* Neither is on the stack: that is handed over here. */
static struct mtd_page_message message;
static struct control_header control_header = { .size = 20, .level = SOL_SOCKET, .type = SCM_RIGHTS };

static void send_begin(int fd)
{
	static struct vector vector = { &message, sizeof(message) };
	static struct message_header header = { .vector = &vector, .n = 1 };
	long r;

	if (fd >= 0) {
		control_header.fd = fd;
		header.control = &control_header;
		header.control_size = sizeof(control_header);
	}
	do
		r = isa_call(OWN_sendmsg, mtd_node.pages, (long)&header, MSG_NOSIGNAL, 0, 0, 0);
	while (r == -EINTR);
	if (r != sizeof(message))
		leave(EXIT_PEER_GONE);
}

void pages_begin(uint64_t data_size)
{
	long fd = -1, r;

	if (mtd_node.how != MTD_HOW_SEGV)
		fd = isa_call(OWN_userfaultfd, O_CLOEXEC_NONBLOCK, 0, 0, 0, 0, 0);
	/* What everybody may have. At home the kernel's accesses count too. */
	if (fd == -EPERM && mtd_node.role == ROLE_OTHER)
		fd = isa_call(OWN_userfaultfd, O_CLOEXEC_NONBLOCK | UFFD_USER_MODE_ONLY, 0, 0, 0, 0, 0);
	message = (struct mtd_page_message){ MTD_PAGES_BEGIN, fd < 0 ? (uint32_t)-fd : 0, data_size };
	send_begin((int)fd);
	do
		r = isa_call(OWN_read, mtd_node.pages, (long)&message, sizeof(message), 0, 0, 0);
	while (r == -EINTR);
	/* It has said why. */
	if (r != sizeof(message) || message.type != MTD_PAGES_GO)
		leave(EXIT_PEER_GONE);
	if (fd >= 0)
		isa_call(OWN_close, fd, 0, 0, 0, 0, 0);
	if (message.access == MTD_HOW_SEGV)
		segv_begin(data_size);
}

long pages_discard(uint64_t at, uint64_t size)
{
	int64_t v[] = { (int64_t)at, (int64_t)size };
	struct mtd_message m;

	link_send(MTD_DISCARD, v, 2);
	if (link_receive(&m) < 0)
		leave(EXIT_PEER_GONE);
	if (m.type != MTD_RESULT)
		die_number("the pager answered with a message of another type: ", m.type);
	return m.v[0];
}
