/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are to be executed: their first bytes, and ELF files whole. */
#include "fuzz.h"

#include "variant/elffile.h"
#include "variant/filehead.h"

#include <elf.h>
#include <errno.h>

static void try_head(const uint8_t *data, size_t size)
{
	struct filehead h;
	size_t n = size < FILEHEAD_SIZE ? size : FILEHEAD_SIZE;

	filehead_parse(data, n, &h);
	fuzz_check(memchr(h.interpreter, 0, sizeof(h.interpreter)));
	fuzz_check((h.kind == FILEHEAD_SCRIPT) == (h.interpreter[0] != 0));
	fuzz_check(h.kind == FILEHEAD_ELF || !h.native);
	fuzz_check(filehead_isa_name(&h));
}

static void try_elf(const uint8_t *data, size_t size)
{
	uint8_t *image = malloc(size + 1); /* libelf may change it */
	struct elffile e;
	int r;

	memcpy(image, data, size);
	r = elffile_parse(image, size, &e);
	fuzz_check(r == 0 || r == -ENOEXEC || r == -ENOMEM);
	if (r == 0) {
		fuzz_check(e.build_id_size <= ELFFILE_BUILD_ID_MAX);
		fuzz_check(e.needed.n <= ELFFILE_NEEDED_MAX && !e.package == !e.version);
		elffile_free(&e);
	}
	free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_head(data, size);
	try_elf(data, size);
	return 0;
}

/* A small dynamic program: what the linker makes of it is laid out as here. */
struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[4];
	char interp[16];
	Elf64_Dyn dyn[5];
	char strings[32];
	Elf64_Nhdr note;
	char owner[4];
	uint8_t build_id[8];
	Elf64_Nhdr package_note;
	char package_owner[4];
	char package[40];
};

#define AT(member) offsetof(struct image, member)
#define PH(type, member, size)                                                                     \
	{ .p_type = type, .p_offset = AT(member), .p_vaddr = AT(member), .p_filesz = (size),         \
	  .p_memsz = (size), .p_align = 4 }

void fuzz_seeds(void)
{
	struct image i = {
		.eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			.e_phoff = AT(ph), .e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 4 },
		.ph = { PH(PT_LOAD, eh, sizeof(i)), PH(PT_INTERP, interp, sizeof(i.interp)),
			PH(PT_DYNAMIC, dyn, sizeof(i.dyn)),
			PH(PT_NOTE, note, sizeof(i) - AT(note)) },
		.interp = "/lib/ld.so.1",
		.dyn = { { DT_STRTAB, { AT(strings) } }, { DT_NEEDED, { 1 } },
			 { DT_RUNPATH, { 11 } }, { DT_RPATH, { 11 } } },
		.strings = "\0libc.so.6\0$ORIGIN/x",
		.note = { 4, 8, NT_GNU_BUILD_ID },
		.owner = "GNU",
		.build_id = "1234567",
		.package_note = { 4, 40, 0xcafe1a7e },
		.package_owner = "FDO",
		.package = "{\"name\":\"a\",\"version\":\"1.0-2\"}",
	};

	fuzz_seed(&i, sizeof(i));
	fuzz_seed("#! /bin/sh -e\n", 14);
	fuzz_seed("#!/bin/sh", 9);
}
