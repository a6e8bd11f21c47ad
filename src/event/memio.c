/* SPDX-License-Identifier: Apache-2.0 */
#include "event/memio.h"

#include <errno.h>
#include <string.h>

/* Paths are mostly shorter: the first read of a string takes no more. */
#define STR_CHUNK 256u

int mem_get(struct mem *mem, uint64_t addr, void *buf, size_t n, size_t *ret_got)
{
	ssize_t got = n ? mem->read(mem, addr, buf, n) : 0;

	if (ret_got)
		*ret_got = got > 0 ? (size_t)got : 0;
	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -EFAULT;
}

int mem_put(struct mem *mem, uint64_t addr, const void *buf, size_t n)
{
	ssize_t put = n ? mem->write(mem, addr, buf, n) : 0;

	if (put < 0)
		return (int)put;
	return (size_t)put == n ? 0 : -EFAULT;
}

int mem_get_str(struct mem *mem, uint64_t addr, char *buf, size_t cap, size_t *ret_len)
{
	size_t len = 0;

	while (len < cap) {
		size_t want = len ? MEM_PAGE : STR_CHUNK, got;
		size_t page_left = MEM_PAGE - (size_t)((addr + len) % MEM_PAGE);
		const char *nul;
		int r;

		/* Never across a page: the next one may not exist and need not. */
		if (want > page_left)
			want = page_left;
		if (want > cap - len)
			want = cap - len;
		r = mem_get(mem, addr + len, buf + len, want, &got);
		nul = memchr(buf + len, 0, got);
		if (nul) {
			*ret_len = (size_t)(nul - buf);
			return 1;
		}
		len += got;
		if (r < 0) {
			*ret_len = len;
			return r;
		}
	}
	*ret_len = len;
	return 0;
}
