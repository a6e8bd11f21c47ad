/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/auxv.h"

#include "isa/cpu.h"
#include "isa/isa.h"

#include <elf.h>
#include <errno.h>
#include <sys/uio.h>

#define AUXV_MAX 64u
#define WORDS 512u

static int mem_move(pid_t pid, uint64_t addr, void *buf, size_t len, bool write)
{
	struct iovec local = { buf, len }, remote = { (void *)(uintptr_t)addr, len };
	ssize_t n = write ? process_vm_writev(pid, &local, 1, &remote, 1, 0)
			  : process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

/* The stack at exec: argc, argv..., NULL, envp..., NULL, auxv. Returns where the auxv starts. */
static int find_auxv(pid_t pid, uint64_t sp, uint64_t *ret)
{
	uint64_t argc, at, word[WORDS];
	size_t limit = START_STRINGS_MAX * 2;
	int r = mem_move(pid, sp, &argc, sizeof(argc), false);

	if (r < 0)
		return r;
	if (argc > START_STRINGS_MAX)
		return -E2BIG;
	at = sp + 8 * (argc + 2);
	while (limit > 0) {
		/* Near the top of the stack a whole chunk may not fit: read word by word then. */
		size_t n = mem_move(pid, at, word, sizeof(word), false) == 0 ? WORDS : 1;

		if (n == 1 && (r = mem_move(pid, at, word, sizeof(word[0]), false)) < 0)
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

static void edit_entry(uint64_t *type, uint64_t *value, const struct start *identity)
{
	if (*type == AT_SYSINFO_EHDR)
		*type = AT_IGNORE;
	if (*type == AT_HWCAP || *type == AT_HWCAP2)
		*value = isa_cpu_hwcap(*type, *value);
	if (!identity)
		return;
	switch (*type) {
	case AT_UID:
		*value = identity->uid;
		break;
	case AT_EUID:
		*value = identity->euid;
		break;
	case AT_GID:
		*value = identity->gid;
		break;
	case AT_EGID:
		*value = identity->egid;
		break;
	}
}

int auxv_edit(pid_t pid, const struct start *identity, struct loader_place *ret)
{
	struct isa_regs regs;
	uint64_t at;
	int r = isa_regs_get(pid, &regs);

	if (r < 0)
		return r;
	r = find_auxv(pid, isa_regs_sp(&regs), &at);
	if (r < 0)
		return r;
	*ret = (struct loader_place){ 0 };
	for (unsigned i = 0; i < AUXV_MAX; i++, at += 16) {
		uint64_t entry[2];

		r = mem_move(pid, at, entry, sizeof(entry), false);
		if (r < 0 || entry[0] == AT_NULL)
			return r;
		if (entry[0] == AT_BASE)
			ret->base = entry[1];
		if (entry[0] == AT_ENTRY)
			ret->entry = entry[1];
		edit_entry(&entry[0], &entry[1], identity);
		r = mem_move(pid, at, entry, sizeof(entry), true);
		if (r < 0)
			return r;
	}
	return -E2BIG;
}
