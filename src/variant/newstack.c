/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/newstack.h"

#include <errno.h>
#include <sys/uio.h>

#define WORDS 512u
/* Linux (fs/exec.c, since 4.13) gives strings and pointers of an exec at most 6 MiB. */
#define POINTERS_MAX (6u * 1024 * 1024 / 8)

int newstack_read(pid_t pid, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = { buf, len }, remote = { (void *)(uintptr_t)addr, len };
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

int newstack_write(pid_t pid, uint64_t addr, const void *buf, size_t len)
{
	struct iovec local = { (void *)buf, len }, remote = { (void *)(uintptr_t)addr, len };
	ssize_t n = process_vm_writev(pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

int newstack_find_auxv(pid_t pid, uint64_t sp, uint64_t *ret)
{
	uint64_t argc, at, word[WORDS];
	size_t limit = POINTERS_MAX;
	int r = newstack_read(pid, sp, &argc, sizeof(argc));

	if (r < 0)
		return r;
	if (argc > POINTERS_MAX)
		return -E2BIG;
	at = sp + 8 * (argc + 2);
	while (limit > 0) {
		/* Near the top of the stack a whole chunk may not fit: read word by word then. */
		size_t n = newstack_read(pid, at, word, sizeof(word)) == 0 ? WORDS : 1;

		if (n == 1 && (r = newstack_read(pid, at, word, sizeof(word[0]))) < 0)
			return r;
		for (size_t i = 0; i < n; i++, limit--) {
			at += 8;
			if (word[i] == 0) {
				*ret = at;
				return 0;
			}
		}
	}
	return -E2BIG;
}
