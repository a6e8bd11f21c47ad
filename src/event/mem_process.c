/* SPDX-License-Identifier: Apache-2.0 */
#include "event/mem_process.h"
#include "event/memio.h"

#include <errno.h>
#include <sys/uio.h>

typedef ssize_t process_vm_fn(pid_t, const struct iovec *, unsigned long, const struct iovec *,
			      unsigned long, unsigned long);

static ssize_t move_once(process_vm_fn *fn, pid_t pid, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = {buf, len}, remote = {(void *)(uintptr_t)addr, len};
	ssize_t n = fn(pid, &local, 1, &remote, 1, 0);

	return n < 0 ? -errno : n;
}

/*
 * The man page promises partial transfers between iovec elements only, and a write may stop
 * anywhere in a batch of pages; so what one call did not move is tried again page by page.
 */
static ssize_t move_bytes(process_vm_fn *fn, pid_t pid, uint64_t addr, void *buf, size_t len)
{
	ssize_t n = move_once(fn, pid, addr, buf, len);
	size_t done;

	if (n == (ssize_t)len || (n < 0 && n != -EFAULT))
		return n;
	done = n > 0 ? (size_t)n : 0;
	while (done < len) {
		size_t part = MEM_PAGE - (size_t)((addr + done) % MEM_PAGE);

		if (part > len - done)
			part = len - done;
		n = move_once(fn, pid, addr + done, (char *)buf + done, part);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done ? (ssize_t)done : n < 0 ? n : -EFAULT;
}

static ssize_t process_read(struct mem *mem, uint64_t addr, void *buf, size_t len)
{
	return move_bytes(process_vm_readv, ((struct mem_process *)mem)->pid, addr, buf, len);
}

static ssize_t process_write(struct mem *mem, uint64_t addr, const void *buf, size_t len)
{
	return move_bytes(process_vm_writev, ((struct mem_process *)mem)->pid, addr, (void *)buf,
			  len);
}

static ssize_t process_read_ranges(struct mem *mem, const struct mem_range *ranges, size_t n,
				   void *buf, size_t len)
{
	struct iovec local = {buf, len}, remote[MEM_RANGES_MAX];

	for (size_t i = 0; i < n && i < MEM_RANGES_MAX; i++)
		remote[i] = (struct iovec){(void *)(uintptr_t)ranges[i].addr, ranges[i].len};
	return process_vm_readv(((struct mem_process *)mem)->pid, &local, 1, remote, n, 0);
}

void mem_process_init(struct mem_process *m, pid_t pid)
{
	*m = (struct mem_process){
		.mem = {process_read, process_write, process_read_ranges},
		.pid = pid,
	};
}
