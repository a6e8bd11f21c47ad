/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/elf_symbol.h"

#include "base/cleanup.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define TABLE_MAX (4u << 20)
#define HEADERS_MAX 256 /* of each kind; libraries have some 30 */

struct table {
	void *data;
	size_t size;
};

static void table_free(struct table *t)
{
	free(t->data);
}

#define cleanup_table cleanup(table_free)

static int read_at(int fd, void *buf, size_t size, uint64_t offset)
{
	ssize_t n;

	if (offset > INT64_MAX)
		return -EBADMSG;
	n = pread(fd, buf, size, (off_t)offset);
	if (n < 0)
		return -EIO;
	return (size_t)n == size ? 0 : -EBADMSG;
}

/* One byte more than the table, a NUL, ends whatever string is its last. */
static int read_table(int fd, uint64_t offset, uint64_t size, struct table *ret)
{
	int r;

	if (size > TABLE_MAX)
		return -E2BIG;
	ret->data = calloc(1, size + 1);
	if (!ret->data)
		return -ENOMEM;
	r = read_at(fd, ret->data, size, offset);
	ret->size = size;
	return r;
}

static int read_headers(int fd, uint64_t offset, unsigned n, size_t each, struct table *ret)
{
	if (n == 0 || n > HEADERS_MAX)
		return -EBADMSG;
	return read_table(fd, offset, n * each, ret);
}

static int read_header(int fd, Elf64_Ehdr *ret)
{
	int r = read_at(fd, ret, sizeof(*ret), 0);

	if (r < 0)
		return r;
	if (memcmp(ret->e_ident, ELFMAG, SELFMAG) || ret->e_ident[EI_CLASS] != ELFCLASS64 ||
	    ret->e_ident[EI_DATA] != ELFDATA2LSB || ret->e_phentsize != sizeof(Elf64_Phdr) ||
	    ret->e_shentsize != sizeof(Elf64_Shdr))
		return -EBADMSG;
	return 0;
}

/* The exported function of that name. */
static int find_function(int fd, const Elf64_Ehdr *h, const char *name, Elf64_Sym *ret)
{
	cleanup_table struct table sections = { 0 }, symbols = { 0 }, strings = { 0 };
	const Elf64_Shdr *s, *dynsym = NULL;
	const Elf64_Sym *sym;
	int r = read_headers(fd, h->e_shoff, h->e_shnum, sizeof(*s), &sections);

	if (r < 0)
		return r;
	s = sections.data;
	for (unsigned i = 0; i < h->e_shnum && !dynsym; i++)
		if (s[i].sh_type == SHT_DYNSYM)
			dynsym = &s[i];
	if (!dynsym || dynsym->sh_link >= h->e_shnum)
		return -EBADMSG;
	r = read_table(fd, dynsym->sh_offset, dynsym->sh_size, &symbols);
	if (r == 0)
		r = read_table(fd, s[dynsym->sh_link].sh_offset, s[dynsym->sh_link].sh_size, &strings);
	if (r < 0)
		return r;
	sym = symbols.data;
	for (size_t i = 0; i < symbols.size / sizeof(*sym); i++) {
		if (ELF64_ST_TYPE(sym[i].st_info) != STT_FUNC || sym[i].st_size == 0 ||
		    sym[i].st_shndx == SHN_UNDEF || sym[i].st_name >= strings.size ||
		    strcmp((const char *)strings.data + sym[i].st_name, name))
			continue;
		*ret = sym[i];
		return 0;
	}
	return -ENOENT;
}

/* Address in the library to offset in the file. */
static int file_offset(int fd, const Elf64_Ehdr *h, const Elf64_Sym *sym, struct elf_symbol *ret)
{
	cleanup_table struct table segments = { 0 };
	const Elf64_Phdr *p;
	int r = read_headers(fd, h->e_phoff, h->e_phnum, sizeof(*p), &segments);

	if (r < 0)
		return r;
	p = segments.data;
	for (unsigned i = 0; i < h->e_phnum; i++) {
		uint64_t at = sym->st_value - p[i].p_vaddr;

		if (p[i].p_type != PT_LOAD || !(p[i].p_flags & PF_X) ||
		    sym->st_value < p[i].p_vaddr || at >= p[i].p_filesz ||
		    sym->st_size > p[i].p_filesz - at || p[i].p_offset > UINT64_MAX - p[i].p_filesz)
			continue;
		*ret = (struct elf_symbol){ .offset = p[i].p_offset + at, .size = sym->st_size };
		return 0;
	}
	return -EBADMSG;
}

int elf_symbol_find(int fd, const char *name, struct elf_symbol *ret)
{
	Elf64_Ehdr header;
	Elf64_Sym sym;
	int r = read_header(fd, &header);

	if (r == 0)
		r = find_function(fd, &header, name, &sym);
	return r < 0 ? r : file_offset(fd, &header, &sym, ret);
}
