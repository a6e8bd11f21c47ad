/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/image/image.h"

#include "base/log.h"
#include "mtd/image/elffile.h"
#include "mtd/runtime/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct symbol {
	char *name;
	uint64_t address, size;
	int type;
	unsigned seen;	/* bit i: in file i */
	UT_hash_handle hh;
};

struct symbols {
	struct symbol *table;
	unsigned which;
};

static bool is_shared_address(uint64_t a)
{
	return (a >= MTD_TEXT && a < MTD_TEXT + MTD_TEXT_MAX) || (a >= MTD_RODATA && a < MTD_CONTROL);
}

static int differs(const char *name, const char *how)
{
	log_error("%s %s: the two files do not agree, so the program cannot move (an error of Chiral)",
		  name, how);
	return -EINVAL;
}

/* ---- symbols --------------------------------------------------------------------------------- */

static int add_symbol(struct symbols *t, const char *name, const GElf_Sym *sym)
{
	struct symbol *s;

	HASH_FIND_STR(t->table, name, s);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s || !(s->name = strdup(name))) {
			free(s);
			return log_errno(ENOMEM, "cannot check the program");
		}
		s->address = sym->st_value;
		s->size = sym->st_size;
		s->type = GELF_ST_TYPE(sym->st_info);
		HASH_ADD_KEYPTR(hh, t->table, s->name, strlen(s->name), s);
	}
	s->seen |= 1u << t->which;
	if (s->address != sym->st_value)
		return differs(name, "has different addresses");
	/* Code has the size that its ISA needs. */
	if (s->type == STT_OBJECT && s->size != sym->st_size)
		return differs(name, "has different sizes");
	return 0;
}

static int read_symbol(struct symbols *t, const char *name, const GElf_Sym *sym)
{
	int type = GELF_ST_TYPE(sym->st_info);

	/* "__AArch64ADRPThunk_x", "..._x_thunk": code that LLD put in between. */
	if (strstr(name, "Thunk_"))
		return differs(name, "is a thunk of the linker, which moves the code behind it");
	if (type != STT_OBJECT && type != STT_FUNC)
		return 0;
	return is_shared_address(sym->st_value) ? add_symbol(t, name, sym) : 0;
}

static int read_table(struct symbols *t, const struct elffile *f, Elf_Scn *s, const GElf_Shdr *h)
{
	Elf_Data *d = elf_getdata(s, NULL);
	size_t n = h->sh_entsize ? h->sh_size / h->sh_entsize : 0;
	int r = 0;

	for (size_t i = 1; d && i < n && r == 0; i++) {
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(d, (int)i, &sym))
			return differs(f->path, "has a symbol table that cannot be read");
		name = elf_strptr(f->elf, h->sh_link, sym.st_name);
		if (name && *name)
			r = read_symbol(t, name, &sym);
	}
	return r;
}

static int read_symbols(struct symbols *t, const struct elffile *f)
{
	const char *name;
	GElf_Shdr h;
	int r = 0;

	for (Elf_Scn *s = NULL; r == 0 && (s = elffile_next(f, s, &h, &name));)
		if (h.sh_type == SHT_SYMTAB)
			r = read_table(t, f, s, &h);
	return r;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static int check_object(const struct symbol *s, const struct elffile f[2])
{
	const void *a, *b;

	if (s->seen != 3)
		return differs(s->name, "is in one file only");
	if (s->type != STT_OBJECT || !s->size)
		return 0;
	a = elffile_bytes(&f[0], s->address, s->size);
	b = elffile_bytes(&f[1], s->address, s->size);
	if (!a != !b)
		return differs(s->name, "is not initialised alike");
	return a && memcmp(a, b, s->size) ? differs(s->name, "has different bytes") : 0;
}

/* Writable data as a whole: also what has no symbol. */
static int check_data(const struct elffile f[2])
{
	uint64_t size[2] = { 0 };
	const char *name;
	const void *a, *b;
	GElf_Shdr h;

	for (int i = 0; i < 2; i++)
		for (Elf_Scn *s = NULL; (s = elffile_next(&f[i], s, &h, &name));)
			if (h.sh_addr == MTD_DATA && h.sh_type == SHT_PROGBITS)
				size[i] = h.sh_size;
	if (size[0] != size[1])
		return differs(".data", "has different sizes");
	a = elffile_bytes(&f[0], MTD_DATA, size[0]);
	b = elffile_bytes(&f[1], MTD_DATA, size[1]);
	if (size[0] && (!a || !b || memcmp(a, b, size[0])))
		return differs(".data", "has different bytes");
	return 0;
}

static int check_files(const struct elffile f[2])
{
	struct symbols t = { 0 };
	struct symbol *s, *next;
	int r = 0;

	for (t.which = 0; t.which < 2 && r == 0; t.which++)
		r = read_symbols(&t, &f[t.which]);
	HASH_ITER(hh, t.table, s, next) {
		if (r == 0)
			r = check_object(s, f);
		HASH_DEL(t.table, s);
		free(s->name);
		free(s);
	}
	return r ? r : check_data(f);
}

int image_check(const char *const files[2])
{
	struct elffile f[2] = { { .fd = -1 }, { .fd = -1 } };
	int r = elffile_open(files[0], &f[0]);

	if (r == 0)
		r = elffile_open(files[1], &f[1]);
	if (r == 0)
		r = check_files(f);
	elffile_close(&f[0]);
	elffile_close(&f[1]);
	return r;
}
