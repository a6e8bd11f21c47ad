/* SPDX-License-Identifier: Apache-2.0 */
#include "link/stdio.h"

#include "base/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define STDIN_MAX (2 * STDIN_AHEAD) /* what a hub that keeps to its credit never exceeds */

/* The hub may send as many more: what it reads never piles up here, whether the program reads or
 * not. */
static void credit(struct link *link, size_t n)
{
	uint8_t body[1 + sizeof(uint32_t)] = { 0 };
	uint32_t taken = (uint32_t)n;

	memcpy(body + 1, &taken, sizeof(taken));
	if (n && link)
		link_send(link, FRAME_STDIO, body, sizeof(body));
}

static void end_input(struct stdio_node *s, struct link *link)
{
	credit(link, s->n_waiting);
	s->n_waiting = 0;
	cleanup_close_fn(&s->fd[0]);
}

/* Bytes for the program's stdin wait here until its pipe takes them. An empty frame is the end. */
int stdio_node_receive(struct stdio_node *s, struct link *link, const struct frame *f)
{
	size_t len = f->len - 1;
	uint8_t *p;

	if (f->len < 1 || f->body[0] != 0 || s->ended || len > STDIN_MAX - s->n_waiting)
		return -EPROTO;
	s->ended = len == 0;
	if (s->fd[0] < 0) {
		credit(link, len);
		return 0;
	}
	if (len == 0) {
		if (s->n_waiting == 0)
			end_input(s, link);
		return 0;
	}
	p = realloc(s->waiting, s->n_waiting + len);
	if (!p)
		return -ENOMEM;
	s->waiting = p;
	memcpy(p + s->n_waiting, f->body + 1, len);
	s->n_waiting += len;
	return 0;
}

void stdio_node_write(struct stdio_node *s, struct link *link)
{
	ssize_t n = write(s->fd[0], s->waiting, s->n_waiting);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) { /* the program closed it: what is left has no reader */
		end_input(s, link);
		return;
	}
	credit(link, (size_t)n);
	s->n_waiting -= (size_t)n;
	memmove(s->waiting, s->waiting + n, s->n_waiting);
	if (s->n_waiting == 0 && s->ended)
		end_input(s, link);
}

void stdio_node_read(struct stdio_node *s, struct link *link, int which)
{
	uint8_t chunk[1 + 4096];
	ssize_t n = read(s->fd[which], chunk + 1, sizeof(chunk) - 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	chunk[0] = (uint8_t)which;
	if (n <= 0) {
		cleanup_close_fn(&s->fd[which]);
		n = 0;
	}
	if (link)
		link_send(link, FRAME_STDIO, chunk, (size_t)n + 1);
}

void stdio_node_drain(struct stdio_node *s, struct link *link)
{
	for (int i = 1; i < 3; i++)
		while (s->fd[i] >= 0 && link && link_queued(link) < LINK_QUEUE_MAX / 2) {
			struct pollfd p = { s->fd[i], POLLIN, 0 };

			if (poll(&p, 1, 0) <= 0)
				break;
			stdio_node_read(s, link, i);
		}
}

void stdio_node_close(struct stdio_node *s)
{
	for (int i = 0; i < 3; i++)
		cleanup_close_fn(&s->fd[i]);
	free(s->waiting);
	s->waiting = NULL;
}
