/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile leader: an event from the wire is given as the outcome to a follower's call. It must be
 * refused or fit what the follower's own call allows: no byte outside of the variant's memory is written,
 * whatever the record says.
 *
 *	u8 length of the event / 4, the event (without its tid and kind), a variant
 */
#include "variant.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size), event;
	struct call_record leader = { 0 }, own = { 0 };
	struct call_mismatch m = { 0 };
	struct variant v;
	unsigned parts;
	size_t n = 4u * get_u8(&r);
	const uint8_t *p = get_bytes(&r, n);
	int64_t ret;
	int q;

	if (!p || !variant_get(&r, 65536, &v))
		return 0;
	event = reader_of(p, n);
	if (call_decode(&event, &leader, &parts) == 0 && call_capture_in(&v.cx, &v.n, &own) == 0) {
		call_equal(&leader, &own, &m);
		fuzz_check(strnlen(m.text, sizeof(m.text)) < sizeof(m.text));
		q = call_apply_out(&v.cx, &v.n, &leader, &ret);
		fuzz_check(q == 0 || q == -EFAULT || q == -EPROTO || q == -ENOMEM || q == -E2BIG);
	}
	call_record_free(&leader);
	call_record_free(&own);
	variant_free(&v);
	return 0;
}

/* What an honest leader with the same memory would send. */
static void seed(struct writer *w, enum isa isa, int nr, const uint64_t *arg, unsigned pointers)
{
	static const uint8_t memory[256] = { [0] = 3, [64] = 1, [72] = 2 };
	struct writer variant = { 0 }, event = { 0 };
	struct call_record c = { 0 };
	struct variant v;
	struct reader r;

	variant_put(&variant, isa, nr, arg, pointers, 2, memory, sizeof(memory));
	r = reader_of(variant.data, variant.len);
	if (variant_get(&r, 65536, &v)) {
		if (call_capture_in(&v.cx, &v.n, &c) == 0 &&
		    call_capture_out(&v.cx, &v.n, v.ret, &c) == 0)
			call_encode(&event, &c, CALL_PART_ENTRY | CALL_PART_EXIT);
		variant_free(&v);
	}
	while (event.len % 4)
		put_u8(&event, 0);
	if (event.len && event.len <= 4 * 255) {
		put_u8(w, (uint8_t)(event.len / 4));
		put_bytes(w, event.data, event.len);
		put_bytes(w, variant.data, variant.len);
		fuzz_seed(w->data, w->len);
	}
	call_record_free(&c);
	writer_free(&variant);
	writer_free(&event);
}

void fuzz_seeds(void)
{
	variant_each(seed);
}
