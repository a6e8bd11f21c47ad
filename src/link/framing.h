/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames in a buffer: the decoder behind links and record files. It never reads; its owner puts
 * bytes into the buffer, as many as framing_want() asks for, and takes frames out.
 */
#ifndef CHIRAL_LINK_FRAMING_H
#define CHIRAL_LINK_FRAMING_H

#include "link/buffer.h"
#include "link/link.h"

/* What may come, checked on the header alone, before a body is waited for. */
struct framing_rule {
	uint32_t types;	     /* bit for each enum frame_type */
	uint32_t body_max;   /* bytes, at most FRAME_MAX */
	const char *waiting; /* completes "... instead of "; NULL: nothing special */
};

#define FRAMING_BIT(type) (1u << (type))

extern const struct framing_rule framing_rule_any;   /* all that a link carries */
extern const struct framing_rule framing_rule_hello; /* a HELLO of any version */

struct framing {
	struct buffer in;
	size_t handed; /* bytes of the frame handed out last, taken at the next call */
	const struct framing_rule *rule;
};

/* The next frame: 1 (body borrowed until the next call), 0 when more bytes are needed, -EPROTO with
 * what it was in why ("a frame of ..."), -ENOMEM. On 0 there is room for more in in. */
int framing_next(struct framing *f, struct frame *ret, char *why, size_t why_size);
/* True when the buffer ends inside a frame. */
bool framing_inside(const struct framing *f);
void framing_init(struct framing *f, const struct framing_rule *rule);
void framing_free(struct framing *f);

void framing_put_header(uint8_t header[FRAME_HEADER_SIZE], enum frame_type type, size_t len);

#endif
