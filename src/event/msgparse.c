/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical messages are read from the wire: everything in them is checked here. */
#include "event/msghdr.h"

#include <errno.h>

int msg_next_control(struct reader *r, struct msg_control *ret)
{
	uint32_t n = get_u32(r);

	if (r->failed)
		return -EPROTO;
	if (n == MSG_CONTROL_END)
		return 0;
	if (n > MSG_CONTROL_MAX)
		return -EPROTO;
	ret->level = get_u32(r);
	ret->type = get_u32(r);
	ret->data = get_bytes(r, n);
	ret->len = n;
	return r->failed ? -EPROTO : 1;
}

static int msg_parse_controls(struct reader *r, struct msg_parts *ret)
{
	struct msg_control c;
	int q;

	ret->controls = *r;
	ret->control_space = 0;
	while ((q = msg_next_control(r, &c)) > 0) {
		ret->control_space += cmsg_align(sizeof(struct native_cmsghdr) + c.len);
		if (ret->control_space > 2 * MSG_CONTROL_MAX)
			return -EPROTO;
	}
	return q;
}

static int msg_parse_tail(struct reader *r, struct msg_parts *ret)
{
	if (msg_parse_controls(r, ret) < 0)
		return -EPROTO;
	ret->data = get_blob(r, PAYLOAD_MAX, &ret->size);
	return r->failed ? -EPROTO : 0;
}

int msg_parse_sent(struct reader *r, struct msg_parts *ret)
{
	*ret = (struct msg_parts){0};
	ret->name = get_blob(r, SOCKADDR_MAX, &ret->name_size);
	ret->name_len = (uint32_t)ret->name_size;
	return msg_parse_tail(r, ret);
}

int msg_parse_received(struct reader *r, struct msg_parts *ret)
{
	*ret = (struct msg_parts){.name_len = get_u32(r)};
	ret->name = get_blob(r, SOCKADDR_MAX, &ret->name_size);
	ret->flags = get_u32(r);
	return msg_parse_tail(r, ret);
}
