/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/runtime/runtime.h"

#include "calls.h"

#define EINTR 4

static void write_all(const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		long r = isa_call(OWN_sendto, mtd_node.link, (long)p, (long)n, MSG_NOSIGNAL, 0, 0);

		if (r == -EINTR)
			continue;
		if (r <= 0)
			leave(EXIT_PEER_GONE);
		p += r;
		n -= (size_t)r;
	}
}

/* Private to the node: the stack is not, and the kernel cannot wait for a page of it. */
static struct mtd_message out, in;

void link_send_message(const struct mtd_message *m)
{
	out = *m;
	write_all(&out, sizeof(out));
}

void link_send(uint32_t type, const int64_t *v, unsigned n)
{
	struct mtd_message m = { .type = type };

	for (unsigned i = 0; i < n && i < 7; i++)
		m.v[i] = v[i];
	link_send_message(&m);
}

int link_receive(struct mtd_message *ret)
{
	char *p = (char *)&in;
	size_t left = sizeof(in);

	while (left) {
		long r = isa_call(OWN_read, mtd_node.link, (long)p, (long)left, 0, 0, 0);

		if (r == -EINTR)
			continue;
		if (r <= 0 && left == sizeof(in))
			return -1;
		if (r <= 0)
			die("the link to the other node was cut inside a message");
		p += r;
		left -= (size_t)r;
	}
	if (in.type < MTD_HELLO || in.type > MTD_END || (in.carried && in.type != MTD_CALL))
		die_number("a message of an unknown type came from the other node: ", in.type);
	*ret = in;
	return 0;
}

/* In the linker script: a digest of the program, the same in both files. */
extern const uint64_t __mtd_build_id[2];

void link_greet(void)
{
	int64_t hello[] = { (int64_t)__mtd_build_id[0], (int64_t)__mtd_build_id[1], mtd_node.role };
	struct mtd_message m;

	link_send(MTD_HELLO, hello, 3);
	if (link_receive(&m) < 0)
		die("the other node's process ended before it began");
	if (m.type != MTD_HELLO || m.v[2] == mtd_node.role)
		die("the peer is not the other node of this program");
	if (m.v[0] != hello[0] || m.v[1] != hello[1])
		die("the two nodes have files of different builds; build the program again");
}
