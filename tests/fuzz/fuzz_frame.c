/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame decoder, fed from memory. The first byte of an input says in which portions the rest
 * comes; what comes out must not depend on it, and must be what a parser in ten lines says.
 */
#include "fuzz.h"

#include "link/framing.h"

#include <errno.h>

/* The reference: 1 and the frame at p, 0 when it is not all there, -1 when it is none. */
static int parse(const uint8_t *p, size_t n, struct frame *ret)
{
	uint32_t len;
	uint16_t type, zero;

	if (n < 8)
		return 0;
	memcpy(&len, p, 4);
	memcpy(&type, p + 4, 2);
	memcpy(&zero, p + 6, 2);
	if (len > FRAME_MAX || type >= _FRAME_TYPE_MAX || type == FRAME_END || zero)
		return -1;
	*ret = (struct frame){ .type = type, .len = len, .body = p + 8 };
	return n - 8 >= len;
}

static size_t feed(struct framing *f, const uint8_t *p, size_t n, size_t portion)
{
	size_t room = buffer_room(&f->in);

	fuzz_check(room > 0);
	if (n > portion)
		n = portion;
	if (n > room)
		n = room;
	memcpy(f->in.data + f->in.tail, p, n);
	f->in.tail += n;
	return n;
}

static void check_why(const char *why, size_t size)
{
	size_t n = strnlen(why, size);

	fuzz_check(n > 10 && n < size - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t portion, fed = 0, done = 0;
	struct framing f;
	struct frame got, expected;
	char why[160];
	int r, e;

	if (size < 1)
		return 0;
	portion = data[0] < 200 ? data[0] + 1u : SIZE_MAX;
	data++;
	size--;
	framing_init(&f, &framing_rule_any);
	do {
		memset(why, 0, sizeof(why));
		r = framing_next(&f, &got, why, sizeof(why));
		e = parse(data + done, fed - done, &expected);
		fuzz_check(f.in.cap <= 2 * fed + (256u << 10));
		if (r == 0) {
			fuzz_check(e == 0);
			fuzz_check(framing_inside(&f) == (fed > done));
			fed += feed(&f, data + fed, size - fed, portion);
			e = fed == size && parse(data + done, fed - done, &expected) == 0;
			if (e)
				break;
		} else if (r == 1) {
			fuzz_check(e == 1);
			fuzz_check(got.type == expected.type && got.len == expected.len);
			fuzz_check(!memcmp(got.body, expected.body, got.len));
			done += FRAME_HEADER_SIZE + got.len;
		} else {
			fuzz_check(r == -EPROTO && e == -1);
			check_why(why, sizeof(why));
		}
	} while (r >= 0);
	framing_free(&f);
	return 0;
}

static void put_frame(struct writer *w, enum frame_type type, size_t len)
{
	uint8_t header[FRAME_HEADER_SIZE];

	framing_put_header(header, type, len);
	put_bytes(w, header, sizeof(header));
	for (size_t i = 0; i < len && i < 5000; i++)
		put_u8(w, (uint8_t)i);
}

void fuzz_seeds(void)
{
	static const uint8_t portions[] = { 0, 2, 255 };

	for (size_t i = 0; i < sizeof(portions); i++) {
		struct writer w = { 0 };

		put_u8(&w, portions[i]);
		put_frame(&w, FRAME_EVENTS, 30);
		put_frame(&w, FRAME_HEARTBEAT, 0);
		put_frame(&w, FRAME_ACK, 8);
		fuzz_seed(w.data, w.len);
		writer_reset(&w);
		put_u8(&w, portions[i]);
		for (unsigned type = 0; type < FRAME_END; type++)
			put_frame(&w, type, type);
		fuzz_seed(w.data, w.len);
		writer_reset(&w);
		put_u8(&w, portions[i]);
		put_frame(&w, FRAME_VERDICT, FRAME_MAX);
		fuzz_seed(w.data, w.len);
		writer_free(&w);
	}
}
