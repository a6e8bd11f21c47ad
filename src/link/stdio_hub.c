/* SPDX-License-Identifier: Apache-2.0 */
#include "link/stdio.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_MAX (1u << 20)	/* of the program's output that may wait for our stdout */
#define OUTPUT_CHUNK 4096	/* PIPE_BUF: a pipe that is ready takes so much without waiting */
#define STDIN_CHUNK 16384

static int on_taken(struct stdio_hub *s, const struct frame *f)
{
	struct reader r = reader_of(f->body + 1, f->len - 1);
	uint32_t n = get_u32(&r);

	if (!reader_done(&r) || n > s->in_ahead)
		return -EPROTO;
	s->in_ahead -= n;
	return 0;
}

int stdio_hub_receive(struct stdio_hub *s, const struct frame *f)
{
	if (f->len >= 1 && f->body[0] == 0)
		return on_taken(s, f);
	if (f->len < 1 || f->body[0] > 2)
		return -EPROTO;
	put_bytes(&s->out[f->body[0]], f->body + 1, f->len - 1);
	return 0;
}

bool stdio_hub_wants_input(const struct stdio_hub *s)
{
	return s->in_open && s->in_ahead + STDIN_CHUNK <= STDIN_AHEAD;
}

void stdio_hub_read(struct stdio_hub *s, struct link *link)
{
	uint8_t chunk[1 + STDIN_CHUNK];
	ssize_t n = read(STDIN_FILENO, chunk + 1, sizeof(chunk) - 1);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		s->in_open = false;
		n = 0;
	}
	chunk[0] = 0;
	s->in_ahead += (size_t)n;
	if (link && link_send(link, FRAME_STDIO, chunk, (size_t)n + 1) == 0)
		link_flush(link);
}

void stdio_hub_write(struct stdio_hub *s, int fd)
{
	struct writer *w = &s->out[fd];
	ssize_t n = write(fd, w->data, w->len < OUTPUT_CHUNK ? w->len : OUTPUT_CHUNK);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		writer_reset(w); /* nobody reads it any more; the program is not told, as over ssh */
		return;
	}
	w->len -= (size_t)n;
	memmove(w->data, w->data + n, w->len);
}

bool stdio_hub_has_room(const struct stdio_hub *s)
{
	return s->out[1].len < OUTPUT_MAX && s->out[2].len < OUTPUT_MAX;
}

/* Whoever reads our stdout reads it to its end, at the speed of their choice, as after cat(1). */
void stdio_hub_finish(struct stdio_hub *s, int until)
{
	for (int fd = 1; fd < 3; fd++) {
		struct pollfd p[2] = { { fd, POLLOUT, 0 }, { until, POLLIN, 0 } };

		while (s->out[fd].len && poll(p, 2, -1) >= 0 && !p[1].revents)
			stdio_hub_write(s, fd);
		writer_free(&s->out[fd]);
	}
}
