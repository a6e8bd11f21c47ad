/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/bpf/present.h"

#include "variant/proc.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PRESENT_MAX (4u << 20)
#define BATCH	    64u

/* One byte of each page: to read a page of another process makes it present there (mm/gup.c). */
static void touch(pid_t pid, uint64_t from, uint64_t to, uint64_t page)
{
	uint8_t bytes[BATCH];

	for (unsigned n; from < to; from += n * page) {
		struct iovec here = { bytes, 0 }, there[BATCH];

		for (n = 0; n < BATCH && from + n * page < to; n++)
			there[n] = (struct iovec){ (void *)(uintptr_t)(from + n * page), 1 };
		here.iov_len = n;
		if (process_vm_readv(pid, &here, 1, there, n, 0) < (ssize_t)n)
			return; /* killed, or a file that has become shorter */
	}
}

static bool is_data(const struct proc_map *m)
{
	return !strncmp(m->perms, "rw", 2) && m->path[0] != '[';
}

void present_data(pid_t pid)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), left = PRESENT_MAX;
	struct proc_maps maps;

	if (proc_maps_read(pid, &maps) < 0)
		return;
	for (size_t i = 0; i < maps.n; i++) {
		const struct proc_map *m = &maps.map[i];
		uint64_t len = is_data(m) ? m->end - m->start : 0;

		len = len < left ? len : left;
		touch(pid, m->start, m->start + len, page);
		left -= len;
	}
	proc_maps_free(&maps);
}
