/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel decides by the first bytes of a file that is executed (fs/binfmt_elf.c,
 * fs/binfmt_script.c). */
#ifndef CHIRAL_VARIANT_FILEHEAD_H
#define CHIRAL_VARIANT_FILEHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILEHEAD_SIZE 256u	/* BINPRM_BUF_SIZE: what the kernel reads */
#define FILEHEAD_DEPTH_MAX 5	/* scripts whose interpreters are scripts: more is ELOOP */

enum filehead_kind {
	FILEHEAD_UNKNOWN, /* ENOEXEC */
	FILEHEAD_ELF,
	FILEHEAD_SCRIPT,
};

struct filehead {
	enum filehead_kind kind;
	bool native;		/* ELF: for the ISA that this binary of chiral runs on */
	uint16_t machine;	/* ELF: EM_* */
	uint8_t class;		/* ELF: ELFCLASS32, ELFCLASS64 */
	char interpreter[FILEHEAD_SIZE]; /* SCRIPT: its path */
};

/* n of the file's first bytes, all of it or FILEHEAD_SIZE. */
void filehead_parse(const uint8_t *bytes, size_t n, struct filehead *ret);

/* Reads from an open file. 0 or -errno. */
int filehead_read(int fd, struct filehead *ret);

/* "aarch64", "x86_64", "another ISA": for people. */
const char *filehead_isa_name(const struct filehead *h);

#endif
