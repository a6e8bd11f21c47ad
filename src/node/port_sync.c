/* SPDX-License-Identifier: Apache-2.0 */
#include "node/port_sync.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define SYNC_MAGIC                                                                                 \
	"\x7f"                                                                                     \
	"CHSYNC" /* as the length of a frame it is over the bound */
#define RESEND_MS 100
/* The guest looks this often whether the host is still there. */
#define GUEST_TICK_MS 200

enum sync_kind {
	SYNC_SYN = 1,
	SYNC_ACK,
	SYNC_GO,
	SYNC_READY,
};

struct sync_record {
	uint8_t magic[7];
	uint8_t kind;
	uint8_t nonce[16];
};

/* The bytes read last that may be the beginning of a record. */
struct sync_window {
	uint8_t data[sizeof(struct sync_record)];
	size_t len;
};

static bool is_prefix(const struct sync_window *w)
{
	size_t n = w->len < sizeof(SYNC_MAGIC) - 1 ? w->len : sizeof(SYNC_MAGIC) - 1;

	return memcmp(w->data, SYNC_MAGIC, n) == 0;
}

/*
 * Reads once, and no byte beyond the end of a record: 1 and a record, 0 when none is complete,
 * -EPIPE when the other side is gone, -errno. Call it when poll(2) says that there is something.
 */
static int window_read(struct sync_window *w, int fd, struct sync_record *ret)
{
	ssize_t n = read(fd, w->data + w->len, sizeof(w->data) - w->len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	w->len += (size_t)n;
	while (w->len && !is_prefix(w))
		memmove(w->data, w->data + 1, --w->len);
	if (w->len < sizeof(w->data))
		return 0;
	memcpy(ret, w->data, sizeof(*ret));
	w->len = 0;
	return 1;
}

static int record_send(int fd, enum sync_kind kind, const uint8_t nonce[16])
{
	struct sync_record r = {.kind = (uint8_t)kind};
	ssize_t n;

	memcpy(r.magic, SYNC_MAGIC, sizeof(r.magic));
	memcpy(r.nonce, nonce, sizeof(r.nonce));
	do {
		n = send(fd, &r, sizeof(r), MSG_NOSIGNAL); /* the host's end is a socket */
		if (n < 0 && errno == ENOTSOCK)
			n = write(fd, &r, sizeof(r));
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		return -errno;
	return 0; /* a record that did not fit is asked for again */
}

/* Waits for input until deadline: 1, 0 when it is over, -EPIPE on hang-up, -errno. */
static int wait_input(int fd, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n = poll(&p, 1, deadline_left_ms(deadline));

	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	if (n && !(p.revents & POLLIN))
		return -EPIPE;
	return n;
}

static int host_wait(int fd, struct sync_window *w, enum sync_kind kind, const uint8_t nonce[16],
		     int64_t deadline)
{
	for (;;) {
		struct sync_record got;
		int r = wait_input(fd, deadline);

		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
		r = window_read(w, fd, &got);
		if (r < 0)
			return r;
		if (r && got.kind == kind && !memcmp(got.nonce, nonce, sizeof(got.nonce)))
			return 0;
	}
}

int port_sync_host(int fd, int timeout_ms)
{
	int64_t deadline = deadline_after_ms(timeout_ms), resend;
	struct sync_window w = {.len = 0};
	uint8_t nonce[16];
	int r;

	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		return -EIO;
	do {
		r = record_send(fd, SYNC_SYN, nonce);
		if (r < 0)
			return r;
		resend = deadline_after_ms(RESEND_MS);
		r = host_wait(fd, &w, SYNC_ACK, nonce, resend < deadline ? resend : deadline);
	} while (r == -ETIMEDOUT && time_now_ms() < deadline);
	if (r < 0)
		return r;
	r = record_send(fd, SYNC_GO, nonce);
	if (r < 0)
		return r;
	return host_wait(fd, &w, SYNC_READY, nonce, deadline);
}

int port_sync_guest(int fd)
{
	struct sync_window w = {.len = 0};
	uint8_t nonce[16];
	bool open = false;

	for (;;) {
		struct sync_record got;
		int r = wait_input(fd, deadline_after_ms(GUEST_TICK_MS));

		if (r > 0)
			r = window_read(&w, fd, &got);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (got.kind == SYNC_SYN) {
			memcpy(nonce, got.nonce, sizeof(nonce));
			open = true;
			r = record_send(fd, SYNC_ACK, nonce);
		} else if (got.kind == SYNC_GO && open &&
			   !memcmp(got.nonce, nonce, sizeof(nonce))) {
			return record_send(fd, SYNC_READY, nonce);
		}
		if (r < 0)
			return r;
	}
}
