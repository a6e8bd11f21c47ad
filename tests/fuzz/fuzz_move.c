/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the other node of a program that moves may send: MOVE_START, and MOVE to the page protocol in
 * either role, between faults of the program and pushes. Whatever comes, access and contents stay one
 * with the model's, and what is sent can be read again.
 */
#include "fuzz.h"

#include "base/bytes.h"
#include "mtd/pages/wire.h"
#include "mtd/remote.h"

#include <errno.h>

#define N 8u	/* pages of the machine; numbers on the wire are larger */

struct model {
	struct pages *pages;
	uint8_t access[N];
	uint8_t bytes[MTD_PAGE];
	struct writer sent;
};

static int set(struct model *m, uint32_t page, unsigned from, unsigned to)
{
	fuzz_check(page < N && m->access[page] == from);
	m->access[page] = (uint8_t)to;
	return 0;
}

static int op_install(void *ctx, uint32_t page, enum page_access access, const void *data)
{
	struct model *m = ctx;

	memcpy(m->bytes, data, MTD_PAGE);
	return set(ctx, page, PAGE_NONE, access);
}

static int op_protect(void *ctx, uint32_t page)
{
	return set(ctx, page, PAGE_WRITE, PAGE_READ);
}

static int op_unprotect(void *ctx, uint32_t page)
{
	return set(ctx, page, PAGE_READ, PAGE_WRITE);
}

static int op_remove(void *ctx, uint32_t page)
{
	struct model *m = ctx;

	fuzz_check(page < N && m->access[page] != PAGE_NONE);
	return set(ctx, page, m->access[page], PAGE_NONE);
}

static int op_clear(void *ctx, uint32_t page)
{
	struct model *m = ctx;

	return set(ctx, page, m->access[page], PAGE_WRITE);
}

static int op_wake(void *ctx, uint32_t page, enum page_access access)
{
	return set(ctx, page, access, access);
}

static const void *op_contents(void *ctx, uint32_t page)
{
	const struct model *m = ctx;

	fuzz_check(page < N && m->access[page] != PAGE_NONE);
	return m->bytes;
}

static int op_send(void *ctx, const struct pages_message *p)
{
	struct model *m = ctx;

	move_put_page(&m->sent, p);
	return 0;
}

static const struct pages_ops ops = {
	.install = op_install, .protect = op_protect, .unprotect = op_unprotect, .remove = op_remove,
	.clear = op_clear, .wake = op_wake, .contents = op_contents, .send = op_send,
};

/* What we say is what the wire can carry. */
static void check_sent(struct model *m)
{
	struct reader r = reader_of(m->sent.data, m->sent.len);
	struct move_item item;
	int got;

	while ((got = move_get(&r, &item)) == 1)
		fuzz_check(!item.is_program && item.page.page < N);
	fuzz_check(got == 0);
	writer_reset(&m->sent);
}

/* The program here does something. */
static int act(struct model *m, unsigned what)
{
	uint32_t page = what >> 3 & (N - 1);

	switch (what & 7) {
	case 0:
		return pages_fault(m->pages, page, PAGE_READ);
	case 1:
		return pages_fault(m->pages, page, PAGE_WRITE);
	case 2:
		return pages_push(m->pages, page, PAGE_READ);
	case 3:
		return pages_push(m->pages, page, PAGE_WRITE);
	case 4:
		return m->pages->home ? pages_discard(m->pages, page) : 0;
	default:
		return 0;
	}
}

static void try_move(const uint8_t *data, size_t size, bool home)
{
	struct model m = { 0 };
	struct reader r = reader_of(data, size);
	struct move_item item;
	int result = 0;

	m.pages = pages_new(home, N, &ops, &m);
	if (!m.pages)
		return;
	memset(m.access, home ? PAGE_WRITE : PAGE_NONE, N);
	while (result == 0 && r.left && !r.failed) {
		result = act(&m, get_u8(&r));
		fuzz_check(result == 0);
		if (r.left && move_get(&r, &item) == 1 && !item.is_program)
			result = pages_receive(m.pages, &item.page);
		fuzz_check(result == 0 || result == -EPROTO);
		for (uint32_t i = 0; i < N; i++)
			fuzz_check(m.access[i] == m.pages->page[i].own);
		check_sent(&m);
	}
	free(m.pages);
	writer_free(&m.sent);
}

static void try_start(const uint8_t *data, size_t size)
{
	struct mtd_start s;
	struct writer w = { 0 };

	if (mtd_start_decode(data, size, &s) < 0)
		return;
	fuzz_check(s.program.argv[0] && s.isa < _ISA_MAX && s.how < _MTD_HOW_MAX);
	mtd_start_encode(&w, &s);
	fuzz_check(w.len == size && !memcmp(w.data, data, size));
	writer_free(&w);
	exec_request_free(&s.program);
}

static void try_points(const uint8_t *data, size_t size)
{
	const void *config;
	struct mtd_config c;
	size_t n;

	if (mtd_points_decode(data, size, &config, &n) < 0)
		return;
	memcpy(&c, config, sizeof(c));
	fuzz_check(n + sizeof(uint32_t) == size && n == sizeof(c) + c.n_functions * sizeof(struct mtd_rate));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_move(data, size, true);
	try_move(data, size, false);
	try_start(data, size);
	try_points(data, size);
	return 0;
}

static void put_message(struct writer *w, unsigned act, enum pages_kind kind, enum page_access access,
			bool contents)
{
	static const uint8_t bytes[MTD_PAGE] = { 1 }, none[MTD_PAGE];
	struct pages_message m = { .kind = kind, .access = access,
				   .data = !contents ? NULL : access == PAGE_READ ? bytes : none };

	put_u8(w, (uint8_t)act);
	move_put_page(w, &m);
}

void fuzz_seeds(void)
{
	const struct mtd_config config = { .magic = MTD_CONFIG_MAGIC };
	char *argv[] = { "/bin/x", NULL };
	struct mtd_start start = { .program.argv = argv, .isa = ISA_AARCH64, .config = &config,
				   .config_size = sizeof(config) };
	struct mtd_message program = { .type = MTD_SWITCH };
	struct writer w = { 0 };

	mtd_start_encode(&w, &start);
	fuzz_seed(w.data, w.len);
	writer_reset(&w);
	put_blob(&w, &config, sizeof(config));
	fuzz_seed(w.data, w.len);
	writer_reset(&w);
	/* To home. */
	put_message(&w, 7, PAGES_REQUEST, PAGE_WRITE, false);
	put_message(&w, 0, PAGES_ANSWER, PAGE_READ, true);
	put_message(&w, 1, PAGES_ANSWER, PAGE_NONE, false);
	put_message(&w, 7, PAGES_REQUEST, PAGE_READ, false);
	put_message(&w, 4, PAGES_ANSWER, PAGE_NONE, false);
	fuzz_seed(w.data, w.len);
	writer_reset(&w);
	/* To the other node. */
	put_message(&w, 0, PAGES_GRANT, PAGE_READ, true);
	put_message(&w, 1, PAGES_GRANT, PAGE_WRITE, false);
	put_message(&w, 7, PAGES_FETCH, PAGE_NONE, false);
	put_message(&w, 7, PAGES_PUSH, PAGE_WRITE, true);
	put_u8(&w, 7);
	move_put_program(&w, &program);
	fuzz_seed(w.data, w.len);
	writer_free(&w);
}
