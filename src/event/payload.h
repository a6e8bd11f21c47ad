/* SPDX-License-Identifier: Apache-2.0 */
/* How the bytes of one argument get into a call record. Internal to src/event. */
#ifndef CHIRAL_EVENT_PAYLOAD_H
#define CHIRAL_EVENT_PAYLOAD_H

#include "event/call.h"

#include <sodium.h>

/* Bytes that a payload of this form and length has in the record: the bytes, or their digests. */
uint32_t payload_stored_size(uint8_t form, uint64_t len, bool in);

/*
 * A payload in the making. Bytes are stored as they come; in-payloads that grow over
 * PAYLOAD_INLINE_MAX turn into digests on the way, so that memory stays small whatever the variant
 * moves.
 */
struct sink {
	struct call_record *c;
	struct payload *p;
	const uint8_t *key; /* NULL: out-payload, never digested */
	uint64_t len;       /* bytes represented so far */
	uint32_t in_block;  /* bytes in the open digest */
	bool digesting;
	crypto_onetimeauth_state state;
};

/* Opens the next in- (key given) or out-payload (key NULL) of c, for argument arg. */
void sink_begin(struct sink *s, struct call_record *c, unsigned arg, const uint8_t *key);
/* 0, -E2BIG over PAYLOAD_MAX, -ENOMEM. */
int sink_bytes(struct sink *s, const void *data, size_t n);
int sink_u32(struct sink *s, uint32_t v);
/* n bytes of the variant at addr. Also -EFAULT, after having taken what could be read. */
int sink_mem(struct sink *s, struct mem *mem, uint64_t addr, uint64_t n);
/* n ranges of together len bytes with one look at the memory. False when that is not possible (or
 * not all could be read): nothing has been taken then. */
bool sink_ranges(struct sink *s, struct mem *mem, const struct mem_range *ranges, size_t n,
		 uint64_t len);
/* r: what making it gave: 0 closes the payload as bytes or digests and -EFAULT as a fault (both 0),
 * everything else drops it and is returned. */
int sink_end(struct sink *s, int r);

#endif
