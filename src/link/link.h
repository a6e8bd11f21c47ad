/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A framed connection over a stream descriptor: a socket or a character device (virtio-serial), which
 * both end with a read of 0 bytes. Never raises SIGPIPE on these.
 * One owner; not thread-safe, except that link_fd() may be polled anywhere.
 *
 * A link that failed stays failed: every later call returns the same -errno and link_error() the same
 * sentence, which names the peer. Nothing is logged by a link; its owner decides.
 *
 * In a poll loop: wait for POLLIN, and for POLLOUT while link_queued() is not 0; then link_flush(),
 * and link_recv() until it returns 0: complete frames may wait in memory where poll(2) sees nothing.
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

/* Bytes that may wait for a peer that has stopped reading, unless link_set_queue_max() says else. */
#define LINK_QUEUE_MAX ((size_t)96 << 20)

/* Takes ownership of fd (made non-blocking; kept by the caller on failure). peer names the other end
 * in messages, as the subject of a sentence ("the follower"); copied. 0, -ENOMEM, -errno of fcntl. */
int link_new(int fd, const char *peer, struct link **ret);
void link_free(struct link *l);

int link_fd(const struct link *l);
const char *link_peer(const struct link *l);

/* At least FRAME_HEADER_SIZE + FRAME_MAX if the largest frame has to pass. */
void link_set_queue_max(struct link *l, size_t bytes);

/* Queues a frame (body copied); writes nothing: call link_flush() at the end of a batch. -EMSGSIZE
 * over FRAME_MAX, -ENOMEM, -ENOBUFS when more bytes than the bound would wait (the peer stopped
 * reading; the link is still usable, the frame is not sent), or why the link failed. */
int link_send(struct link *l, enum frame_type type, const void *body, size_t len);
/* Writes what can be written now. 1: all written, 0: some is left (poll for POLLOUT), -EPIPE when the
 * connection is gone. Frames that came before it went can still be received. */
int link_flush(struct link *l);
/* Bytes that wait to be written. */
size_t link_queued(const struct link *l);
/* Blocks until the queue is written or timeout_ms (-1: none) is over: 0, -ETIMEDOUT, -EPIPE. It does not
 * read: two ends that drain at each other wait until one gives up. */
int link_drain(struct link *l, int timeout_ms);

/* The next frame: 1; 0 when none is complete yet; -EPIPE when the peer closed between frames or the
 * connection broke, -EPROTO when the peer closed inside a frame or sent what is not the protocol,
 * -ENOMEM (link_error() says what). */
int link_recv(struct link *l, struct frame *ret);
/* Blocks up to timeout_ms (-1: for ever) for the next frame, and writes the queue meanwhile: 1,
 * -ETIMEDOUT, or as link_recv(). */
int link_recv_wait(struct link *l, int timeout_ms, struct frame *ret);
/* When the peer was heard last: known, or when bytes came later, of a frame that is not complete yet (a large
 * one takes its time). time_now_ms(). */
int64_t link_heard_at(const struct link *l, int64_t known);
/* One sentence without a full stop; "" when nothing went wrong. */
const char *link_error(const struct link *l);

/* Sends mine and checks the peer's HELLO: version, page size, table digest, and the session when both
 * have one. Either side may come first; frames that follow the peer's HELLO stay for link_recv().
 * Before it has succeeded no more than 1 KB is accepted from the peer; HELLO is refused afterwards.
 * 0, or -EPROTO / -ETIMEDOUT / -EPIPE with link_error() set to one clear sentence. */
int link_handshake(struct link *l, const struct hello *mine, int timeout_ms, struct hello *ret_peer);

/* Fills everything but the session (given as 16 bytes or NULL for zeros). */
void hello_init(struct hello *h, const uint8_t *session);

/* The body of a HELLO. Decoding gives -EPROTO, with a clause in why ("has ...", up to 160 bytes). */
void hello_encode(struct writer *w, const struct hello *h);
int hello_decode(struct reader *r, struct hello *ret, char *why, size_t why_size);

/* "tcp://HOST:PORT", "tcp://[IPV6]:PORT" or "unix:PATH". What goes over tcp:// is neither encrypted nor
 * authenticated: a warning says so once when a peer is not on loopback, and a listener on an address
 * that others reach serves whoever connects. Blocking, retried until timeout_ms is over, so that it does not
 * matter which side starts first; timeout_ms -1 tries for ever, 0 once. Returns a descriptor (CLOEXEC,
 * TCP_NODELAY) or -errno, logged. */
int transport_connect(const char *address, int timeout_ms);
/* Returns a listening descriptor (CLOEXEC) or -errno, logged. Port 0 picks one, host * is every address;
 * *ret_address (owned; ret_address may be NULL) is the address in its final form. A unix socket has mode
 * 0600 and replaces one that nobody serves; the caller unlinks it. */
int transport_listen(const char *address, char **ret_address);
/* A descriptor as from transport_connect(), -ETIMEDOUT (not logged), or -errno, logged. */
int transport_accept(int listen_fd, int timeout_ms);

/* "EVENTS", and what protocol.h says about it; "?" for what is no type. */
const char *frame_type_name(enum frame_type type);
const char *frame_type_text(enum frame_type type);

#endif
