/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a function that a shared library exports (elf(5)). The file may be anybody's. */
#ifndef CHIRAL_VARIANT_ELF_SYMBOL_H
#define CHIRAL_VARIANT_ELF_SYMBOL_H

#include <stdint.h>

struct elf_symbol {
	uint64_t offset; /* of its code in the file */
	uint64_t size;	 /* bytes; never 0 */
};

/* fd: a regular file, whose offset stays. 0, -ENOENT when there is no such function, -EBADMSG when this
 * is no shared library of 64 bits and little endian, -E2BIG when its tables are larger than 4 MiB, -EIO,
 * -ENOMEM. */
int elf_symbol_find(int fd, const char *name, struct elf_symbol *ret);

#endif
