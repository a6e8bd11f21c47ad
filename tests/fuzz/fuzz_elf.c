/* SPDX-License-Identifier: Apache-2.0 */
/* Exported symbols of a library that may be anybody's file. */
#include "fuzz.h"

#include "variant/elf_symbol.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_symbol s = { 0 };
	int fd = memfd_create("library", MFD_CLOEXEC), r;

	fuzz_check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	r = elf_symbol_find(fd, "f", &s);
	/* What is found lies in the file's executable segment, whose size it says itself. */
	fuzz_check(r <= 0 && (r < 0 || (s.size > 0 && s.offset <= UINT64_MAX - s.size)));
	close(fd);
	return 0;
}

struct library {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	Elf64_Shdr section[2];
	Elf64_Sym symbol[2];
	char strings[8];
};

void fuzz_seeds(void)
{
	struct library l = {
		.header = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
			.e_phoff = offsetof(struct library, segment),
			.e_shoff = offsetof(struct library, section),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1,
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = 2,
		},
		.segment = { PT_LOAD, PF_X, 0, 0x1000, 0x1000, sizeof(l), sizeof(l), 0x1000 },
		.section = {
			{ .sh_type = SHT_DYNSYM, .sh_link = 1, .sh_size = sizeof(l.symbol),
			  .sh_offset = offsetof(struct library, symbol) },
			{ .sh_type = SHT_STRTAB, .sh_size = sizeof(l.strings),
			  .sh_offset = offsetof(struct library, strings) },
		},
		.symbol = { [1] = { 1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, 0x1040, 16 } },
		.strings = "\0f",
	};

	fuzz_seed(&l, sizeof(l));
}
