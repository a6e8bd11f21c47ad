/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/auxv.h"

#include "isa/cpu.h"
#include "isa/isa.h"
#include "variant/newstack.h"

#include <elf.h>
#include <errno.h>

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
	r = newstack_find_auxv(pid, isa_regs_sp(&regs), &at);
	if (r < 0)
		return r;
	*ret = (struct loader_place){ 0 };
	for (unsigned i = 0; i < NEWSTACK_AUXV_MAX; i++, at += 16) {
		uint64_t entry[2];

		r = newstack_read(pid, at, entry, sizeof(entry));
		if (r < 0 || entry[0] == AT_NULL)
			return r;
		if (entry[0] == AT_BASE)
			ret->base = entry[1];
		if (entry[0] == AT_ENTRY)
			ret->entry = entry[1];
		edit_entry(&entry[0], &entry[1], identity);
		r = newstack_write(pid, at, entry, sizeof(entry));
		if (r < 0)
			return r;
	}
	return -E2BIG;
}

int auxv_show_vdso(pid_t pid, uint64_t base, uint64_t *ret_kernel)
{
	struct isa_regs regs;
	uint64_t at;
	int r = isa_regs_get(pid, &regs);

	if (r == 0)
		r = newstack_find_auxv(pid, isa_regs_sp(&regs), &at);
	for (unsigned i = 0; r == 0 && i < NEWSTACK_AUXV_MAX; i++, at += 16) {
		uint64_t entry[2];

		r = newstack_read(pid, at, entry, sizeof(entry));
		if (r < 0 || entry[0] == AT_NULL)
			break;
		if (entry[0] != AT_IGNORE)
			continue;
		*ret_kernel = entry[1];
		return newstack_write(pid, at, (uint64_t[2]){ AT_SYSINFO_EHDR, base }, sizeof(entry));
	}
	return r < 0 ? r : -ENOENT;
}
