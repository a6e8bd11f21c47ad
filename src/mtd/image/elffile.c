/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/image/elffile.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int elffile_open(const char *path, struct elffile *ret)
{
	struct elffile f = { .path = path, .fd = open(path, O_RDONLY | O_CLOEXEC) };

	if (f.fd < 0)
		return log_errno(errno, "cannot read %s", path);
	elf_version(EV_CURRENT);
	f.elf = elf_begin(f.fd, ELF_C_READ_MMAP, NULL);
	if (!f.elf || elf_kind(f.elf) != ELF_K_ELF || gelf_getclass(f.elf) != ELFCLASS64) {
		elffile_close(&f);
		log_error("%s is not a 64-bit ELF file", path);
		return -EINVAL;
	}
	*ret = f;
	return 0;
}

void elffile_close(struct elffile *f)
{
	if (f->elf)
		elf_end(f->elf);
	if (f->fd >= 0)
		close(f->fd);
	*f = (struct elffile){ .fd = -1 };
}

Elf_Scn *elffile_next(const struct elffile *f, Elf_Scn *s, GElf_Shdr *ret, const char **ret_name)
{
	size_t strings;

	if (elf_getshdrstrndx(f->elf, &strings) < 0)
		return NULL;
	while ((s = elf_nextscn(f->elf, s))) {
		const char *name;

		if (!gelf_getshdr(s, ret))
			continue;
		name = elf_strptr(f->elf, strings, ret->sh_name);
		if (!name)
			continue;
		*ret_name = name;
		return s;
	}
	return NULL;
}

const void *elffile_bytes(const struct elffile *f, uint64_t address, uint64_t size)
{
	const char *name;
	GElf_Shdr h;

	for (Elf_Scn *s = NULL; (s = elffile_next(f, s, &h, &name));) {
		Elf_Data *d;

		if (!(h.sh_flags & SHF_ALLOC) || h.sh_type == SHT_NOBITS || h.sh_flags & SHF_TLS ||
		    address < h.sh_addr || address - h.sh_addr > h.sh_size ||
		    size > h.sh_size - (address - h.sh_addr))
			continue;
		d = elf_getdata(s, NULL);
		return d && d->d_buf && d->d_size >= h.sh_size
			       ? (const char *)d->d_buf + (address - h.sh_addr)
			       : NULL;
	}
	return NULL;
}
