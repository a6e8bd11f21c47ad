/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A framed connection over a stream descriptor: a socket, a pipe pair or a virtio-serial port.
 * One owner; not thread-safe, except that link_fd() may be polled anywhere.
 */
#ifndef CHIRAL_LINK_LINK_H
#define CHIRAL_LINK_LINK_H

#include "base/bytes.h"
#include "link/protocol.h"

#include <stdbool.h>
#include <stddef.h>

struct link;

struct frame {
	enum frame_type type;
	const uint8_t *body; /* borrowed until the next link_recv() */
	size_t len;
};

/* Takes ownership of fd (made non-blocking). peer names the other end in messages; copied. */
int link_new(int fd, const char *peer, struct link **ret);
void link_free(struct link *l);

int link_fd(const struct link *l);
const char *link_peer(const struct link *l);

/* Queues a frame (body copied). -EMSGSIZE over FRAME_MAX, -ENOMEM, -ENOBUFS when more than
 * link_queue_max bytes wait: the peer stopped reading. */
int link_send(struct link *l, enum frame_type type, const void *body, size_t len);
/* Writes what can be written now. 1: all written, 0: some is left (poll for POLLOUT), -errno. */
int link_flush(struct link *l);
/* Bytes that wait to be written. */
size_t link_queued(const struct link *l);
/* Blocks until the queue is written or timeout_ms (-1: none) is over: 0, -ETIMEDOUT, -errno. */
int link_drain(struct link *l, int timeout_ms);

/* The next frame: 1; 0 when none is complete yet; -EPIPE when the peer closed between frames, -EPROTO
 * when it closed inside one or sent what is not the protocol (link_error() says what). */
int link_recv(struct link *l, struct frame *ret);
/* Blocks up to timeout_ms for the next frame: 1, -ETIMEDOUT, or as link_recv(). */
int link_recv_wait(struct link *l, int timeout_ms, struct frame *ret);
const char *link_error(const struct link *l);

/* Sends mine and checks the peer's HELLO: version, page size, table digest. Either side may come
 * first. 0, or -EPROTO / -ETIMEDOUT / -EPIPE with link_error() set to one clear sentence. */
int link_handshake(struct link *l, const struct hello *mine, int timeout_ms, struct hello *ret_peer);

/* Fills everything but the session (given as 16 bytes or NULL for zeros). */
void hello_init(struct hello *h, const uint8_t *session);

void hello_encode(struct writer *w, const struct hello *h);
int hello_decode(struct reader *r, struct hello *ret);

/* "tcp://HOST:PORT" or "unix:PATH". Blocking, retried until timeout_ms is over, so that it does not
 * matter which side starts first. Returns a descriptor (CLOEXEC, TCP_NODELAY) or -errno, logged. */
int transport_connect(const char *address, int timeout_ms);
/* Returns a listening descriptor or -errno, logged. Port 0 picks one; *ret_address (owned) is the
 * address in its final form. */
int transport_listen(const char *address, char **ret_address);
int transport_accept(int listen_fd, int timeout_ms);

const char *frame_type_name(enum frame_type type);

#endif
