/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of an EVENTS frame. What is accepted is encoded again: there is one encoding only, so the
 * bytes must be the same.
 */
#include "variant.h"

#include "event/event.h"
#include "variant/script.h"

#include <errno.h>
#include <signal.h>

static void encode(struct writer *w, const struct event *e)
{
	switch (e->kind) {
	case EVENT_CALL:
		event_encode_call(w, e->tid, e->call, e->parts);
		break;
	case EVENT_SIGNAL:
		event_encode_signal(w, e->tid, e->when, e->signal, e->siginfo);
		break;
	default:
		event_encode_death(w, e->tid, (int)e->wait_status);
	}
}

/* What a follower executes has an end, and so has every string that it puts on a stack. */
static void look_at_script(const struct call_record *c)
{
	size_t size, n = 0;
	const char *strings = script_strings(c, &size);

	if (!strings || !script_is_valid(strings, size))
		return;
	for (const char *p = strings; p < strings + size; p += strlen(p) + 1)
		n++;
	fuzz_check(n >= 2 && n <= 11);
}

static void look_at(const struct call_record *c, bool whole)
{
	static FILE *nowhere;
	struct call_new_fd fds[8];
	struct call_mismatch m;

	if (!nowhere)
		nowhere = fopen("/dev/null", "we");
	call_print(nowhere, c);
	call_print_json(nowhere, c);
	if (whole)
		call_new_fds(c, fds, 8);
	if (whole && call_rows[c->id].irregular == IRR_EXECVE)
		look_at_script(c);
	fuzz_check(call_equal(c, c, &m));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size);
	struct call_record c = { 0 };
	struct writer w = { 0 };

	while (r.left) {
		struct event e = { .call = &c };
		const uint8_t *begin = r.p;
		int q = event_decode(&r, &e);

		fuzz_check(q == 0 || q == -EPROTO || q == -ENOMEM);
		if (q < 0)
			break;
		fuzz_check(!r.failed);
		writer_reset(&w);
		encode(&w, &e);
		fuzz_check(w.len == (size_t)(r.p - begin) && !memcmp(w.data, begin, w.len));
		if (e.kind == EVENT_CALL)
			look_at(&c, c.has_exit);
	}
	call_record_free(&c);
	writer_free(&w);
	return 0;
}

static void seed(struct writer *w, enum isa isa, int nr, const uint64_t *arg, unsigned pointers)
{
	static const uint8_t memory[256] = { [0] = 'x', [32] = 3, [64] = 1, [72] = 2 };
	struct writer variant = { 0 };
	struct call_record c = { 0 };
	struct variant v;
	struct reader r;

	variant_put(&variant, isa, nr, arg, pointers, 2, memory, sizeof(memory));
	r = reader_of(variant.data, variant.len);
	if (variant_get(&r, 65536, &v)) {
		if (call_capture_in(&v.cx, &v.n, &c) == 0) {
			event_encode_call(w, 5, &c, CALL_PART_ENTRY);
			if (call_capture_out(&v.cx, &v.n, v.ret, &c) == 0) {
				event_encode_call(w, 5, &c, CALL_PART_EXIT);
				event_encode_call(w, 6, &c, CALL_PART_ENTRY | CALL_PART_EXIT);
			}
			fuzz_seed(w->data, w->len);
		}
		variant_free(&v);
	}
	call_record_free(&c);
	writer_free(&variant);
}

/* execve("s", ...) = 0 of a script that begins with #!/bin/sh -e */
static void seed_script(void)
{
	static const char strings[] = "/bin/sh\0-e\0s";
	struct call_record c = { .id = CALL_EXECVE, .arg = { 1 }, .has_exit = true, .n_out = 1 };
	struct writer w = { 0 };

	put_bytes(&c.bytes, strings, sizeof(strings));
	c.out[0] = (struct payload){ .arg = 1, .form = PAYLOAD_BYTES, .len = sizeof(strings),
				     .size = sizeof(strings) };
	event_encode_call(&w, 5, &c, CALL_PART_ENTRY | CALL_PART_EXIT);
	fuzz_seed(w.data, w.len);
	writer_free(&w);
	call_record_free(&c);
}

void fuzz_seeds(void)
{
	static const uint8_t info[EVENT_SIGINFO_SIZE] = { SIGTERM };
	struct writer w = { 0 };

	event_encode_signal(&w, 5, SIGNAL_BEFORE, SIGTERM, info);
	event_encode_signal(&w, 5, SIGNAL_FAULT, SIGSEGV, info);
	event_encode_death(&w, 5, 0x0b);
	fuzz_seed(w.data, w.len);
	writer_free(&w);
	seed_script();
	variant_each(seed);
}
