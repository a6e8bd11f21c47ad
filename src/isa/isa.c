/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/isa.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <string.h>

const struct isa_desc isa_descs[_ISA_MAX] = {
	[ISA_X86_64] = { "x86_64", "amd64", "x86_64-linux-gnu", AUDIT_ARCH_X86_64, EM_X86_64, 4 },
	[ISA_AARCH64] = { "aarch64", "arm64", "aarch64-linux-gnu", AUDIT_ARCH_AARCH64, EM_AARCH64, 3 },
};

int isa_from_name(const char *name)
{
	for (int i = 0; i < _ISA_MAX; i++)
		if (!strcmp(name, isa_descs[i].name) || !strcmp(name, isa_descs[i].debian))
			return i;
	return -EINVAL;
}
