/* SPDX-License-Identifier: Apache-2.0 */
/* What an ELF file (elf(5)) says about itself: what it needs, and which build it is. */
#ifndef CHIRAL_VARIANT_ELFFILE_H
#define CHIRAL_VARIANT_ELFFILE_H

#include "base/strv.h"

#include <stddef.h>
#include <stdint.h>

#define ELFFILE_BUILD_ID_MAX 32u
#define ELFFILE_NEEDED_MAX 256u

struct elffile {
	uint16_t machine;	/* EM_* */
	uint8_t class;		/* ELFCLASS* */
	char *interp;		/* PT_INTERP, owned; NULL: none */
	struct strv needed;	/* DT_NEEDED */
	char *rpath, *runpath;	/* DT_RPATH, DT_RUNPATH, owned; NULL: none */
	uint8_t build_id[ELFFILE_BUILD_ID_MAX];
	uint8_t build_id_size;	/* 0: none */
	char *package, *version; /* of .note.package (systemd's package metadata), owned; both or NULL */
};

/* Reads from an open file, or from a buffer. 0; -ENOEXEC when it is no ELF file; -ENOMEM. What is
 * malformed or beyond the bounds is left out. */
int elffile_read(int fd, struct elffile *ret);
int elffile_parse(void *image, size_t size, struct elffile *ret);
void elffile_free(struct elffile *e);

#endif
