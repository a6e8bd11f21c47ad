/* SPDX-License-Identifier: Apache-2.0 */
/* An ELF file that is open for reading, through libelf. */
#ifndef CHIRAL_MTD_IMAGE_ELFFILE_H
#define CHIRAL_MTD_IMAGE_ELFFILE_H

#include <gelf.h>
#include <stdbool.h>

struct elffile {
	const char *path;	/* borrowed */
	int fd;
	Elf *elf;
};

/* 0 or -errno, logged. */
int elffile_open(const char *path, struct elffile *ret);
void elffile_close(struct elffile *f);
/* The next section after s (NULL: the first), or NULL; its header and name. */
Elf_Scn *elffile_next(const struct elffile *f, Elf_Scn *s, GElf_Shdr *ret, const char **ret_name);
/* Bytes at an address of an executable, all inside one section with contents; NULL otherwise. */
const void *elffile_bytes(const struct elffile *f, uint64_t address, uint64_t size);

#endif
