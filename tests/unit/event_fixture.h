/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two variants without a kernel: an array is the memory of each, at addresses of its own, and the
 * test does what the leader's kernel would do. Every scenario runs for all pairs of ISAs.
 */
#ifndef CHIRAL_TESTS_EVENT_FIXTURE_H
#define CHIRAL_TESTS_EVENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "event/call.h"

#include <errno.h>

#define PAGE          4096u
#define PAGES         16u
#define UNMAPPED_FROM 12u /* pages from here on are not accessible */

struct side {
	struct mem mem; /* first: the functions below get it */
	enum isa isa;
	uint64_t base;
	uint8_t bytes[PAGES * PAGE];
	struct call_ctx cx;
	struct native_call n;
	struct call_record c;
	unsigned writes; /* bytes written by the code under test */
};

static const uint8_t test_key[SESSION_KEY_SIZE] = "a key that no variant ever sees";

static inline size_t side_room(struct side *s, uint64_t addr, size_t len)
{
	uint64_t end = s->base + UNMAPPED_FROM * PAGE;

	if (addr < s->base || addr >= end)
		return 0;
	return len < end - addr ? len : end - addr;
}

static inline ssize_t side_read(struct mem *mem, uint64_t addr, void *buf, size_t len)
{
	struct side *s = (struct side *)mem;
	size_t n = side_room(s, addr, len);

	memcpy(buf, n ? s->bytes + (addr - s->base) : s->bytes, n);
	return n ? (ssize_t)n : -EFAULT;
}

static inline ssize_t side_write(struct mem *mem, uint64_t addr, const void *buf, size_t len)
{
	struct side *s = (struct side *)mem;
	size_t n = side_room(s, addr, len);

	memcpy(n ? s->bytes + (addr - s->base) : s->bytes, buf, n);
	s->writes += (unsigned)n;
	return n ? (ssize_t)n : -EFAULT;
}

/* cookies of a variant: base + 16 * fd, so that both variants' differ */
static inline int64_t side_to_object(void *owner, int epfd, uint64_t cookie)
{
	struct side *s = owner;

	assert_int_equal(epfd, 5);
	return cookie >= s->base && (cookie - s->base) / 16 < 100
		       ? (int64_t)((cookie - s->base) / 16)
		       : -1;
}

static inline uint64_t side_to_cookie(void *owner, int epfd, int64_t object)
{
	struct side *s = owner;

	assert_int_equal(epfd, 5);
	return s->base + 16 * (uint64_t)object;
}

static const struct cookie_ops side_cookies = {side_to_object, side_to_cookie};

static inline void side_init(struct side *s, enum isa isa, uint64_t base)
{
	*s = (struct side){.mem = {side_read, side_write}, .isa = isa, .base = base};
	/* What programs leave on their stacks is never the same twice. */
	memset(s->bytes, isa == ISA_X86_64 ? 0xa5 : 0x5a, sizeof(s->bytes));
	s->bytes[0] = (uint8_t)(base >> 16);
	s->cx = (struct call_ctx){isa, &s->mem, test_key, &side_cookies, s};
}

static inline uint64_t at(struct side *s, size_t off)
{
	return s->base + off;
}

static inline void poke(struct side *s, size_t off, const void *p, size_t n)
{
	memcpy(s->bytes + off, p, n);
}

static inline void poke32(struct side *s, size_t off, uint32_t v)
{
	poke(s, off, &v, sizeof(v));
}

static inline void poke64(struct side *s, size_t off, uint64_t v)
{
	poke(s, off, &v, sizeof(v));
}

static inline uint32_t peek32(struct side *s, size_t off)
{
	uint32_t v;

	memcpy(&v, s->bytes + off, sizeof(v));
	return v;
}

static inline uint64_t peek64(struct side *s, size_t off)
{
	uint64_t v;

	memcpy(&v, s->bytes + off, sizeof(v));
	return v;
}

static inline bool isa_has(const char *name, enum isa isa)
{
	for (unsigned i = 0; i < _CALL_MAX; i++)
		if (strcmp(call_rows[i].name, name) == 0)
			return call_rows[i].nr[isa] >= 0;
	fail_msg("no row %s", name);
	return false;
}

static inline void side_resolve(struct side *s, const char *name, const uint64_t arg[CALL_ARGS_MAX])
{
	s->n = (struct native_call){.isa = s->isa};
	for (unsigned i = 0; i < _CALL_MAX; i++)
		if (strcmp(call_rows[i].name, name) == 0)
			s->n.nr = call_rows[i].nr[s->isa];
	memcpy(s->n.arg, arg, sizeof(s->n.arg));
	assert_int_equal(call_resolve(&s->n), 0);
	assert_string_equal(s->n.row->name, name);
}

/* The variant makes the call: up to its entry. */
static inline void side_enter(struct side *s, const char *name, const uint64_t arg[CALL_ARGS_MAX])
{
	side_resolve(s, name, arg);
	assert_int_equal(call_capture_in(&s->cx, &s->n, &s->c), 0);
}
#define enter(s, name, ...) side_enter(s, name, (const uint64_t[CALL_ARGS_MAX]){__VA_ARGS__})

static inline void side_exit(struct side *s, int64_t ret)
{
	assert_int_equal(call_capture_out(&s->cx, &s->n, ret, &s->c), 0);
}

/* What the follower's monitor gets of a leader's record. Checks that there is one encoding only. */
static inline void pass_on(const struct call_record *c, struct call_record *ret)
{
	struct writer w = {0}, again = {0};
	struct reader r;
	unsigned parts = 0, sent = CALL_PART_ENTRY | (c->has_exit ? CALL_PART_EXIT : 0);

	call_encode(&w, c, sent);
	r = reader_of(w.data, w.len);
	assert_int_equal(call_decode(&r, ret, &parts), 0);
	assert_true(reader_done(&r));
	assert_int_equal(parts, sent);
	call_encode(&again, ret, parts);
	assert_int_equal(again.len, w.len);
	assert_memory_equal(again.data, w.data, w.len);
	writer_free(&w);
	writer_free(&again);
}

static inline void assert_same(struct side *l, struct side *f)
{
	struct call_mismatch m;

	if (!call_equal(&l->c, &f->c, &m))
		fail_msg("%s -> %s: %s", isa_descs[l->isa].name, isa_descs[f->isa].name, m.text);
}

static inline struct call_mismatch assert_differ(struct side *l, struct side *f)
{
	struct call_mismatch m = {0};

	assert_false(call_equal(&l->c, &f->c, &m));
	assert_true(m.text[0]);
	return m;
}

/* Both are at the entry of equal calls, the leader's kernel has answered. */
static inline int side_replay(struct side *l, struct side *f, int64_t ret, int64_t *ret_native)
{
	struct call_record c = {0};
	int r;

	assert_same(l, f);
	side_exit(l, ret);
	pass_on(&l->c, &c);
	f->writes = 0;
	r = call_apply_out(&f->cx, &f->n, &c, ret_native);
	call_record_free(&c);
	return r;
}

static inline int64_t replay(struct side *l, struct side *f, int64_t ret)
{
	int64_t got = INT64_MIN;

	assert_int_equal(side_replay(l, f, ret, &got), 0);
	return got;
}

/* Runs fn(leader, follower) for all pairs of ISAs. */
static inline void for_all_pairs(void (*fn)(struct side *l, struct side *f))
{
	static struct side l, f;

	for (unsigned i = 0; i < _ISA_MAX; i++) {
		for (unsigned k = 0; k < _ISA_MAX; k++) {
			side_init(&l, (enum isa)i, 0x100000);
			side_init(&f, (enum isa)k, 0x7ff000230000);
			fn(&l, &f);
			call_record_free(&l.c);
			call_record_free(&f.c);
		}
	}
}

#define PAIR_TEST(name)                                                                            \
	static void name##_pair(struct side *l, struct side *f);                                   \
	static void name(void **state)                                                             \
	{                                                                                          \
		for_all_pairs(name##_pair);                                                        \
	}                                                                                          \
	static void name##_pair(struct side *l, struct side *f)

#endif
