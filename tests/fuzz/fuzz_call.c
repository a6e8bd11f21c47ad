/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile variant under a monitor: its call is captured, its outcome too. What a monitor sends has to
 * be what the other end accepts, a call is equal to itself, and its outcome can be given back to it.
 */
#include "variant.h"

#include "event/event.h"

#include <errno.h>

static FILE *nowhere;

static void check_print(const struct call_record *c)
{
	struct call_new_fd fds[8];

	if (!nowhere)
		nowhere = fopen("/dev/null", "we");
	call_print(nowhere, c);
	call_print_json(nowhere, c);
	fuzz_check(call_new_fds(c, fds, 8) < 100000);
}

/* Encoded, decoded and encoded again. */
static void check_wire(const struct call_record *c)
{
	struct writer first = { 0 }, second = { 0 };
	struct call_record copy = { 0 };
	struct event e = { .call = &copy };
	struct call_mismatch m;
	struct reader r;

	event_encode_call(&first, 7, c, CALL_PART_ENTRY | CALL_PART_EXIT);
	r = reader_of(first.data, first.len);
	fuzz_check(event_decode(&r, &e) == 0);
	fuzz_check(reader_done(&r) && e.tid == 7 && e.parts == (CALL_PART_ENTRY | CALL_PART_EXIT));
	event_encode_call(&second, 7, &copy, e.parts);
	fuzz_check(first.len == second.len && !memcmp(first.data, second.data, first.len));
	fuzz_check(call_equal(c, &copy, &m));
	call_record_free(&copy);
	writer_free(&first);
	writer_free(&second);
}

static void run(struct variant *v)
{
	struct call_record c = { 0 };
	int64_t ret;
	int r = call_capture_in(&v->cx, &v->n, &c);

	if (r == 0)
		r = call_capture_out(&v->cx, &v->n, v->ret, &c);
	fuzz_check(r == 0 || r == -E2BIG || r == -ENOMEM);
	if (r == 0) {
		check_wire(&c);
		check_print(&c);
		r = call_apply_out(&v->cx, &v->n, &c, &ret);
		fuzz_check(r == 0 || r == -EFAULT || r == -EPROTO);
	}
	call_record_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size);
	struct variant v;

	if (variant_get(&r, 65536, &v)) {
		run(&v);
		variant_free(&v);
	}
	return 0;
}

static void seed(struct writer *w, enum isa isa, int nr, const uint64_t *arg, unsigned pointers)
{
	uint8_t memory[256];

	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = i % 8 == 2 ? 1 : i % 32 ? 0 : 64;
	variant_put(w, isa, nr, arg, pointers, 2, memory, sizeof(memory));
	fuzz_seed(w->data, w->len);
}

void fuzz_seeds(void)
{
	variant_each(seed);
}
