/* SPDX-License-Identifier: Apache-2.0 */
#include "match/leader_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define STDIN_MAX (2 * STDIN_AHEAD) /* what a hub that keeps to its credit never exceeds */

/* The hub may send as many more: what it reads never piles up here, whether the program reads or
 * not. */
static void credit_stdin(struct leader *l, size_t n)
{
	uint8_t body[1 + sizeof(uint32_t)] = { 0 };
	uint32_t taken = (uint32_t)n;

	memcpy(body + 1, &taken, sizeof(taken));
	if (n && !l->dead)
		link_send(l->link, FRAME_STDIO, body, sizeof(body));
}

static void end_stdin(struct leader *l)
{
	credit_stdin(l, l->stdin_len);
	l->stdin_len = 0;
	cleanup_close_fn(&l->stdio[0]);
}

/* Bytes for the program's stdin wait here until its pipe takes them. An empty frame is the end. */
int leader_on_stdin(struct leader *l, const struct frame *f)
{
	size_t len = f->len - 1;
	uint8_t *p;

	if (f->len < 1 || f->body[0] != 0 || l->stdin_ended || len > STDIN_MAX - l->stdin_len)
		return -EPROTO;
	l->stdin_ended = len == 0;
	if (l->stdio[0] < 0) {
		credit_stdin(l, len);
		return 0;
	}
	if (len == 0) {
		if (l->stdin_len == 0)
			end_stdin(l);
		return 0;
	}
	p = realloc(l->stdin_data, l->stdin_len + len);
	if (!p)
		return -ENOMEM;
	l->stdin_data = p;
	memcpy(p + l->stdin_len, f->body + 1, len);
	l->stdin_len += len;
	return 0;
}

void leader_write_stdin(struct leader *l)
{
	ssize_t n = write(l->stdio[0], l->stdin_data, l->stdin_len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) { /* the program closed it: what is left has no reader */
		end_stdin(l);
		return;
	}
	credit_stdin(l, (size_t)n);
	l->stdin_len -= (size_t)n;
	memmove(l->stdin_data, l->stdin_data + n, l->stdin_len);
	if (l->stdin_len == 0 && l->stdin_ended)
		end_stdin(l);
}

void leader_read_output(struct leader *l, int which)
{
	uint8_t chunk[1 + 4096];
	ssize_t n = read(l->stdio[which], chunk + 1, sizeof(chunk) - 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	chunk[0] = (uint8_t)which;
	if (n <= 0) {
		cleanup_close_fn(&l->stdio[which]);
		n = 0;
	}
	if (!l->dead)
		link_send(l->link, FRAME_STDIO, chunk, (size_t)n + 1);
}

void leader_drain_output(struct leader *l)
{
	for (int i = 1; i < 3; i++)
		while (l->stdio[i] >= 0 && !l->dead && link_queued(l->link) < LINK_QUEUE_MAX / 2) {
			struct pollfd p = { l->stdio[i], POLLIN, 0 };

			if (poll(&p, 1, 0) <= 0)
				break;
			leader_read_output(l, i);
		}
}
