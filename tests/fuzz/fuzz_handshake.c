/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link over a socket pair: the input is all that a peer sends before it closes. First the handshake,
 * then frames. Whatever it is, a side ends with one sentence that names the peer, and stays so.
 */
#include "fuzz.h"

#include "base/cleanup.h"
#include "link/link.h"

#include <errno.h>
#include <sys/socket.h>

static struct hello own_hello(void)
{
	struct hello h = { .version = PROTOCOL_VERSION, .isa = 1, .page_size = 4096 };

	memcpy(h.magic, PROTOCOL_MAGIC, sizeof(h.magic));
	memset(h.session, 7, sizeof(h.session));
	memset(h.table_digest, 9, sizeof(h.table_digest));
	return h;
}

static void check_error(const struct link *l)
{
	const char *error = link_error(l);

	fuzz_check(!strncmp(error, "the peer ", 9) && strlen(error) > 12);
	fuzz_check(!strchr(error, '\n'));
}

static void check_stays_failed(struct link *l, int r)
{
	struct frame f;

	fuzz_check(r == -EPROTO || r == -EPIPE);
	check_error(l);
	fuzz_check(link_recv(l, &f) == r);
	fuzz_check(link_send(l, FRAME_ACK, "x", 1) < 0);
	check_error(l);
}

static void check_accepted(const struct hello *mine, const struct hello *peer)
{
	static const uint8_t none[16];

	fuzz_check(!memcmp(peer->magic, PROTOCOL_MAGIC, sizeof(peer->magic)));
	fuzz_check(peer->version == PROTOCOL_VERSION && !peer->zero && peer->isa < 2);
	fuzz_check(peer->page_size == mine->page_size);
	fuzz_check(!memcmp(peer->table_digest, mine->table_digest, 16));
	fuzz_check(!memcmp(peer->session, none, 16) || !memcmp(peer->session, mine->session, 16));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hello mine = own_hello(), peer;
	cleanup_close int fd = -1;
	struct frame f;
	struct link *l;
	size_t total = 0;
	int s[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
		abort();
	fd = s[1];
	fuzz_check(link_new(s[0], "the peer", &l) == 0);
	if (size > 100000) /* what a socket pair holds */
		size = 100000;
	if (send(fd, data, size, 0) != (ssize_t)size)
		abort();
	shutdown(fd, SHUT_WR);
	r = link_handshake(l, &mine, 1000, &peer);
	if (r == 0) {
		check_accepted(&mine, &peer);
		fuzz_check(size >= FRAME_HEADER_SIZE + HELLO_SIZE);
		while ((r = link_recv(l, &f)) == 1) {
			fuzz_check(f.type != FRAME_HELLO && f.type != FRAME_END);
			fuzz_check(f.type < _FRAME_TYPE_MAX);
			total += f.len + FRAME_HEADER_SIZE;
		}
		fuzz_check(total + FRAME_HEADER_SIZE + HELLO_SIZE <= size);
		fuzz_check(r != -EPIPE || total + FRAME_HEADER_SIZE + HELLO_SIZE == size);
	}
	check_stays_failed(l, r);
	link_free(l);
	return 0;
}

static void seed_with(const struct hello *h, unsigned frames)
{
	struct writer w = { 0 };

	put_u32(&w, HELLO_SIZE);
	put_u32(&w, FRAME_HELLO);
	hello_encode(&w, h);
	for (unsigned i = 0; i < frames; i++) {
		put_u32(&w, i);
		put_u32(&w, 1 + i);
		put_bytes(&w, "abcdefgh", i % 9);
	}
	fuzz_seed(w.data, w.len);
	writer_free(&w);
}

void fuzz_seeds(void)
{
	struct hello h = own_hello();

	seed_with(&h, 0);
	seed_with(&h, 8);
	memset(h.session, 0, sizeof(h.session));
	h.isa = 0;
	seed_with(&h, 1);
	h.version++;
	seed_with(&h, 0);
	h = own_hello();
	h.page_size = 65536;
	seed_with(&h, 0);
	fuzz_seed("GET / HTTP/1.1\r\n\r\n", 18);
}
