/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "isa/isa.h"
#include "link/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

static_assert(sizeof(struct hello) == HELLO_SIZE, "HELLO has no holes");

/* A second HELLO has no place. */
static const struct framing_rule rule_after = {
	.types = ~(FRAMING_BIT(FRAME_END) | FRAMING_BIT(FRAME_HELLO)),
	.body_max = FRAME_MAX,
};

void hello_encode(struct writer *w, const struct hello *h)
{
	put_bytes(w, h->magic, sizeof(h->magic));
	put_u16(w, h->version);
	put_u8(w, h->isa);
	put_u8(w, h->zero);
	put_u32(w, h->page_size);
	put_bytes(w, h->session, sizeof(h->session));
	put_bytes(w, h->table_digest, sizeof(h->table_digest));
}

static void get_array(struct reader *r, uint8_t *to, size_t n)
{
	const uint8_t *p = get_bytes(r, n);

	if (p)
		memcpy(to, p, n);
}

/* Fields in the order of what a person has to know first. */
int hello_decode(struct reader *r, struct hello *ret, char *why, size_t why_size)
{
	struct hello h = { 0 };

	get_array(r, h.magic, sizeof(h.magic));
	h.version = get_u16(r);
	if (r->failed || memcmp(h.magic, PROTOCOL_MAGIC, sizeof(h.magic))) {
		snprintf(why, why_size, "has another protocol magic than Chiral");
		return -EPROTO;
	}
	if (h.version != PROTOCOL_VERSION) {
		snprintf(why, why_size,
			 "has version %u of the protocol, this side has version %u; "
			 "install the same release on both",
			 h.version, PROTOCOL_VERSION);
		return -EPROTO;
	}
	h.isa = get_u8(r);
	h.zero = get_u8(r);
	h.page_size = get_u32(r);
	get_array(r, h.session, sizeof(h.session));
	get_array(r, h.table_digest, sizeof(h.table_digest));
	if (!reader_done(r)) {
		snprintf(why, why_size, "has a HELLO that is not %u bytes long", HELLO_SIZE);
		return -EPROTO;
	}
	if (h.zero || h.isa >= _ISA_MAX) {
		snprintf(why, why_size, "has a HELLO with %s",
			 h.zero ? "a reserved field that is not zero" : "an unknown ISA");
		return -EPROTO;
	}
	*ret = h;
	return 0;
}

static bool sessions_differ(const struct hello *a, const struct hello *b)
{
	static const uint8_t none[sizeof(a->session)];

	return memcmp(a->session, none, sizeof(none)) && memcmp(b->session, none, sizeof(none)) &&
	       memcmp(a->session, b->session, sizeof(none));
}

static int check_peer(struct link *l, const struct hello *mine, const struct hello *peer)
{
	if (peer->page_size != mine->page_size)
		return link_fail(l, -EPROTO,
				 "has pages of %u bytes, this side of %u; both need the same",
				 peer->page_size, mine->page_size);
	if (memcmp(peer->table_digest, mine->table_digest, sizeof(peer->table_digest)))
		return link_fail(l, -EPROTO,
				 "was built with another call table; install the same release on both");
	if (sessions_differ(mine, peer))
		return link_fail(l, -EPROTO, "belongs to another session");
	return 0;
}

static int send_hello(struct link *l, const struct hello *mine)
{
	struct writer w = { 0 };
	int r;

	hello_encode(&w, mine);
	r = w.failed ? -ENOMEM : link_send(l, FRAME_HELLO, w.data, w.len);
	writer_free(&w);
	return r;
}

static int recv_hello(struct link *l, const struct hello *mine, int64_t deadline, int timeout_ms,
		      struct hello *ret)
{
	struct frame f;
	struct reader in;
	char why[160];
	int r;

	r = link_recv_wait(l, deadline_left_ms(deadline), &f);
	if (r == -ETIMEDOUT)
		return link_fail(l, r, "sent no HELLO within %d ms", timeout_ms);
	if (r < 0)
		return r;
	in = reader_of(f.body, f.len);
	if (hello_decode(&in, ret, why, sizeof(why)) < 0)
		return link_fail(l, -EPROTO, "%s", why);
	return check_peer(l, mine, ret);
}

int link_handshake(struct link *l, const struct hello *mine, int timeout_ms, struct hello *ret_peer)
{
	int64_t deadline = deadline_after_ms(timeout_ms);
	struct hello peer;
	int r;

	link_set_rule(l, &framing_rule_hello);
	r = send_hello(l, mine);
	if (r < 0)
		return link_break(l, r);
	/* At once: a peer that waits for ours before it says something is no peer of this version, but
	 * one that checks ours and leaves should see it. */
	link_flush(l);
	r = recv_hello(l, mine, deadline, timeout_ms, &peer);
	if (r < 0)
		return link_break(l, r);
	r = link_drain(l, deadline_left_ms(deadline));
	if (r < 0)
		return link_break(l, r);
	link_set_rule(l, &rule_after);
	*ret_peer = peer;
	return 0;
}
