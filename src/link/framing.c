/* SPDX-License-Identifier: Apache-2.0 */
#include "link/framing.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

/* Bytes asked for at a time. A block never has more than twice what arrived and this: a peer that
 * announces FRAME_MAX and sends nothing costs nothing. */
#define READ_CHUNK (64u << 10)

static_assert(_FRAME_TYPE_MAX <= 32, "framing_rule.types has a bit for each type");

const struct framing_rule framing_rule_any = {
	.types = ~FRAMING_BIT(FRAME_END),
	.body_max = FRAME_MAX,
};

/* Its size may differ in another version; the version is what the message should be about. */
const struct framing_rule framing_rule_hello = {
	.types = FRAMING_BIT(FRAME_HELLO),
	.body_max = 1024,
	.waiting = "a HELLO",
};

void framing_put_header(uint8_t header[FRAME_HEADER_SIZE], enum frame_type type, size_t len)
{
	uint32_t length = (uint32_t)len;
	uint16_t words[2] = { (uint16_t)type, 0 };

	memcpy(header, &length, 4);
	memcpy(header + 4, words, 4);
}

static int refuse_type(const struct framing_rule *rule, unsigned type, char *why, size_t size)
{
	const char *waiting = rule->waiting ? rule->waiting : "what may come here";

	if (type >= _FRAME_TYPE_MAX)
		snprintf(why, size, "a frame of the unknown type %u instead of %s", type, waiting);
	else
		snprintf(why, size, "a frame of type %s instead of %s",
			 frame_type_name((enum frame_type)type), waiting);
	return -EPROTO;
}

static int check_header(const struct framing_rule *rule, struct reader r, struct frame *ret,
			char *why, size_t why_size)
{
	uint32_t len = get_u32(&r);
	unsigned type = get_u16(&r);
	unsigned zero = get_u16(&r);

	if (type >= _FRAME_TYPE_MAX || !(rule->types & FRAMING_BIT(type)))
		return refuse_type(rule, type, why, why_size);
	if (zero) {
		snprintf(why, why_size, "a frame of type %s with %u in the reserved field",
			 frame_type_name(type), zero);
		return -EPROTO;
	}
	if (len > rule->body_max) {
		snprintf(why, why_size, "a frame of type %s and %u bytes, over the bound of %u",
			 frame_type_name(type), len, rule->body_max);
		return -EPROTO;
	}
	ret->type = type;
	ret->len = len;
	return 0;
}

/* Room for the next read: for the rest of a frame (0: not known yet) if that is little. The block
 * doubles when it is full, whatever was announced. */
static int make_room(struct framing *f, size_t rest)
{
	return buffer_reserve(&f->in, rest && rest < READ_CHUNK ? rest : READ_CHUNK);
}

int framing_next(struct framing *f, struct frame *ret, char *why, size_t why_size)
{
	struct frame frame;
	size_t len;
	int r;

	if (f->handed) {
		buffer_take(&f->in, f->handed);
		f->handed = 0;
		buffer_trim(&f->in);
	}
	len = buffer_len(&f->in);
	if (len < FRAME_HEADER_SIZE)
		return make_room(f, 0);
	r = check_header(f->rule, reader_of(buffer_at(&f->in), FRAME_HEADER_SIZE), &frame, why,
			 why_size);
	if (r < 0)
		return r;
	if (len - FRAME_HEADER_SIZE < frame.len)
		return make_room(f, FRAME_HEADER_SIZE + frame.len - len);
	frame.body = buffer_at(&f->in) + FRAME_HEADER_SIZE;
	f->handed = FRAME_HEADER_SIZE + frame.len;
	*ret = frame;
	return 1;
}

bool framing_inside(const struct framing *f)
{
	return buffer_len(&f->in) > f->handed;
}

void framing_init(struct framing *f, const struct framing_rule *rule)
{
	*f = (struct framing){ .rule = rule };
	f->in.limit = FRAME_HEADER_SIZE + FRAME_MAX + READ_CHUNK;
}

void framing_free(struct framing *f)
{
	buffer_free(&f->in);
}
