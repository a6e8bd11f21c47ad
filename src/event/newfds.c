/* SPDX-License-Identifier: Apache-2.0 */
#include "event/msghdr.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define CANON_CLOEXEC 02000000u /* O_CLOEXEC, and all *_CLOEXEC flags that have its value */

struct fd_list {
	struct call_new_fd *fds;
	size_t max, n;
	bool cloexec;
};

static void add_fds(struct fd_list *l, const uint8_t *data, size_t size)
{
	for (; size >= sizeof(int32_t); data += sizeof(int32_t), size -= sizeof(int32_t)) {
		int32_t fd;

		memcpy(&fd, data, sizeof(fd));
		if (l->n < l->max)
			l->fds[l->n] = (struct call_new_fd){.fd = fd, .cloexec = l->cloexec};
		l->n++;
	}
}

static void add_passed_fds(struct fd_list *l, const struct call_record *c, const struct payload *p)
{
	bool many = call_rows[c->id].args[p->arg].kind == ARG_MMSGHDR;
	struct reader r = reader_of(payload_data(c, p), p->size);
	struct msg_control control;
	struct msg_parts m;

	while (r.left) {
		if (many)
			get_u32(&r);
		if (msg_parse_received(&r, &m) < 0)
			return;
		while (msg_next_control(&m.controls, &control) > 0)
			if (control.level == SOL_SOCKET && control.type == SCM_RIGHTS)
				add_fds(l, control.data, control.len);
	}
}

static bool passed_are_cloexec(const struct call_record *c)
{
	const struct call_row *row = &call_rows[c->id];

	for (unsigned i = 0; i < row->n_args; i++)
		if (row->args[i].kind == ARG_FLAGS && row->args[i].what == FLAGS_MSG)
			return c->arg[i] & MSG_CMSG_CLOEXEC;
	return false;
}

/* The flag is not where other calls have it: in the command, with another value, behind a pointer. */
static bool is_cloexec(const struct call_record *c)
{
	const struct call_row *row = &call_rows[c->id];
	const struct payload *how;
	uint64_t flags = 0;

	switch (c->id) {
	case CALL_FCNTL_F_DUPFD_CLOEXEC:
	case CALL_PIDFD_OPEN:
	case CALL_PIDFD_GETFD:
		return true;
	case CALL_MEMFD_CREATE:
		return c->arg[1] & MFD_CLOEXEC;
	case CALL_OPENAT2:
		how = call_in_of(c, 2);
		if (how && how->form == PAYLOAD_BYTES && how->size >= sizeof(flags))
			memcpy(&flags, payload_data(c, how), sizeof(flags));
		return flags & CANON_CLOEXEC;
	default:
		return row->cloexec_arg && (c->arg[row->cloexec_arg - 1] & CANON_CLOEXEC);
	}
}

size_t call_new_fds(const struct call_record *c, struct call_new_fd *ret, size_t max)
{
	const struct call_row *row = &call_rows[c->id];
	struct fd_list l = {ret, max, 0, false};

	if (!c->has_exit || c->ret < 0)
		return 0;
	l.cloexec = is_cloexec(c);
	if (row->flags & CALL_RET_FD) {
		int32_t fd = (int32_t)c->ret;

		add_fds(&l, (const uint8_t *)&fd, sizeof(fd));
	}
	for (unsigned i = 0; i < c->n_out; i++) {
		const struct payload *p = &c->out[i];
		const struct arg_spec *s = &row->args[p->arg];

		if (p->form != PAYLOAD_BYTES)
			continue;
		if (s->kind == ARG_FDPAIR) {
			add_fds(&l, payload_data(c, p), p->size);
		} else if ((s->kind == ARG_MSGHDR || s->kind == ARG_MMSGHDR) && spec_receives(s)) {
			l.cloexec = passed_are_cloexec(c);
			add_passed_fds(&l, c, p);
		}
	}
	return l.n;
}
