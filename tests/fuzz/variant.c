/* SPDX-License-Identifier: Apache-2.0 */
#include "variant.h"

#include "base/cleanup.h"

#include <errno.h>

static const uint8_t key[SESSION_KEY_SIZE] = "of a fuzzing session";

/* The part of [addr, addr + len) that is memory. */
static size_t accessible(const struct variant *v, uint64_t addr, size_t len)
{
	if (addr < VARIANT_BASE || addr - VARIANT_BASE >= v->size)
		return 0;
	addr -= VARIANT_BASE;
	return len < v->size - addr ? len : v->size - addr;
}

static ssize_t mem_read(struct mem *mem, uint64_t addr, void *buf, size_t len)
{
	struct variant *v = (struct variant *)mem;
	size_t n = accessible(v, addr, len);

	if (n)
		memcpy(buf, v->bytes + (addr - VARIANT_BASE), n);
	return n ? (ssize_t)n : -EFAULT;
}

static ssize_t mem_write(struct mem *mem, uint64_t addr, const void *buf, size_t len)
{
	struct variant *v = (struct variant *)mem;
	size_t n = accessible(v, addr, len);

	if (n)
		memcpy(v->bytes + (addr - VARIANT_BASE), buf, n);
	return n ? (ssize_t)n : -EFAULT;
}

static int64_t to_object(void *owner, int epfd, uint64_t cookie)
{
	return cookie & 1 ? -1 : (int64_t)(cookie & 0xff);
}

static uint64_t to_cookie(void *owner, int epfd, int64_t object)
{
	return (uint64_t)object * 0x10001;
}

static const struct cookie_ops cookie_ops = { to_object, to_cookie };

static uint64_t get_value(struct reader *r)
{
	unsigned head = get_u8(r), n = head % 16 % 9;
	uint64_t x = 0;
	const uint8_t *p = get_bytes(r, n);

	if (p && n) {
		memcpy(&x, p, n);
		x = (uint64_t)((int64_t)(x << (64 - 8 * n)) >> (64 - 8 * n));
	}
	return head & 16 ? VARIANT_BASE + x : x;
}

bool variant_get(struct reader *r, size_t memory_max, struct variant *ret)
{
	struct variant *v = ret;

	*v = (struct variant){
		.mem = { mem_read, mem_write },
		.cx = { .key = key, .cookies = &cookie_ops },
	};
	v->cx.mem = &v->mem;
	v->cx.isa = v->n.isa = get_u8(r) & 1;
	v->n.nr = get_u16(r);
	for (unsigned i = 0; i < CALL_ARGS_MAX; i++)
		v->n.arg[i] = get_value(r);
	v->ret = (int64_t)get_value(r);
	if (r->failed || call_resolve(&v->n) < 0)
		return false;
	v->size = r->left < memory_max ? r->left : memory_max;
	v->bytes = malloc(v->size ? v->size : 1);
	fuzz_check(v->bytes);
	memcpy(v->bytes, get_bytes(r, v->size), v->size);
	return true;
}

void variant_free(struct variant *v)
{
	free(v->bytes);
}

static void put_value(struct writer *w, uint64_t x, bool pointer)
{
	put_u8(w, pointer ? 16 + 2 : 8);
	put_bytes(w, &x, pointer ? 2 : 8);
}

void variant_put(struct writer *w, enum isa isa, int nr, const uint64_t arg[CALL_ARGS_MAX],
		 unsigned pointers, int64_t result, const void *memory, size_t size)
{
	put_u8(w, (uint8_t)isa);
	put_u16(w, (uint16_t)nr);
	for (unsigned i = 0; i < CALL_ARGS_MAX; i++)
		put_value(w, arg[i], pointers >> i & 1);
	put_value(w, (uint64_t)result, false);
	put_bytes(w, memory, size);
}

static void seed_row(const struct call_row *row, enum isa isa,
		     void (*seed)(struct writer *w, enum isa isa, int nr, const uint64_t *arg,
				  unsigned pointers))
{
	unsigned pointers = 0;
	uint64_t arg[CALL_ARGS_MAX] = { 0 };
	struct writer w = { 0 };

	for (unsigned i = 0; i < CALL_ARGS_MAX; i++) {
		bool points = row->args[i].kind >= ARG_PATH;

		pointers |= points ? 1u << i : 0;
		arg[i] = points ? 32 * i : 3;
	}
	if (row->parent != call_row_id(row)) {
		/* The selector is the last of the first two or three scalars that a sub-row fixes. */
		arg[row->sub_value2 ? 2 : 1] = row->sub_value2 ? row->sub_value2 : row->sub_value;
		if (row->sub_value2)
			arg[1] = row->sub_value;
	}
	seed(&w, isa, call_rows[row->parent].nr[isa], arg, pointers);
	writer_free(&w);
}

void variant_each(void (*seed)(struct writer *w, enum isa isa, int nr, const uint64_t *arg,
			       unsigned pointers))
{
	for (unsigned id = 0; id < _CALL_MAX; id++)
		for (unsigned isa = 0; isa < _ISA_MAX; isa++)
			if (call_rows[call_rows[id].parent].nr[isa] >= 0)
				seed_row(&call_rows[id], isa, seed);
}
