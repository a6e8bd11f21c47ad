/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/elffile.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>

#define HEADERS_MAX 256u
#define STRING_MAX 4095u
#define NT_FDO_PACKAGING_METADATA 0xcafe1a7e

/* A string of the file at an offset in it, bounded; owned, or NULL. */
static char *string_at(Elf *elf, uint64_t offset, uint64_t limit)
{
	uint64_t n = limit < STRING_MAX + 1 ? limit : STRING_MAX + 1;
	Elf_Data *d = n ? elf_getdata_rawchunk(elf, (int64_t)offset, n, ELF_T_BYTE) : NULL;
	const char *end = d ? memchr(d->d_buf, 0, d->d_size) : NULL;

	return end && end != (const char *)d->d_buf ? strdup(d->d_buf) : NULL;
}

/* The value of "key":"value" in one flat JSON object without escapes, as linkers put it there. */
static char *json_member(const char *text, const char *key)
{
	char quoted[32];
	const char *at, *end;

	snprintf(quoted, sizeof(quoted), "\"%s\"", key);
	at = strstr(text, quoted);
	if (!at)
		return NULL;
	at += strlen(quoted);
	at += strspn(at, " \t\n:");
	if (*at != '"')
		return NULL;
	end = strchr(++at, '"');
	return end && end != at && !memchr(at, '\\', (size_t)(end - at))
		       ? strndup(at, (size_t)(end - at))
		       : NULL;
}

static void take_package(struct elffile *e, const char *desc, size_t n)
{
	cleanup_free char *text = strndup(desc, n);

	if (!text || e->package)
		return;
	e->package = json_member(text, "name");
	e->version = json_member(text, "version");
	if (!e->package || !e->version) {
		cleanup_free_fn(&e->package);
		cleanup_free_fn(&e->version);
	}
}

static void read_notes(Elf *elf, const GElf_Phdr *ph, struct elffile *e)
{
	Elf_Data *d = elf_getdata_rawchunk(elf, (int64_t)ph->p_offset, ph->p_filesz,
					   ph->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	size_t at = 0, next, name, desc;
	GElf_Nhdr n;

	while (d && (next = gelf_getnote(d, at, &n, &name, &desc)) > 0) {
		const char *owner = (const char *)d->d_buf + name;
		const char *text = (const char *)d->d_buf + desc;

		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && !memcmp(owner, "GNU", 4) &&
		    n.n_descsz && n.n_descsz <= ELFFILE_BUILD_ID_MAX) {
			memcpy(e->build_id, text, n.n_descsz);
			e->build_id_size = (uint8_t)n.n_descsz;
		} else if (n.n_type == NT_FDO_PACKAGING_METADATA && n.n_namesz == 4 &&
			   !memcmp(owner, "FDO", 4)) {
			take_package(e, text, n.n_descsz);
		}
		at = next;
	}
}

struct headers {
	GElf_Phdr v[HEADERS_MAX];
	size_t n;
};

/* Where in the file the byte of an address is, and how many follow it there; 0 when nowhere. */
static uint64_t offset_of(const struct headers *h, uint64_t addr, uint64_t *ret_left)
{
	for (size_t i = 0; i < h->n; i++) {
		const GElf_Phdr *p = &h->v[i];

		if (p->p_type == PT_LOAD && addr >= p->p_vaddr && addr - p->p_vaddr < p->p_filesz) {
			*ret_left = p->p_filesz - (addr - p->p_vaddr);
			return p->p_offset + (addr - p->p_vaddr);
		}
	}
	*ret_left = 0;
	return 0;
}

static int take_entry(Elf *elf, const GElf_Dyn *dyn, uint64_t strings, uint64_t left,
		      struct elffile *e)
{
	uint64_t at = dyn->d_un.d_val;
	cleanup_free char *s = NULL;
	int r = 0;

	if (at >= left ||
	    (dyn->d_tag != DT_NEEDED && dyn->d_tag != DT_RPATH && dyn->d_tag != DT_RUNPATH))
		return 0;
	s = string_at(elf, strings + at, left - at);
	if (!s)
		return 0;
	if (dyn->d_tag == DT_NEEDED && e->needed.n < ELFFILE_NEEDED_MAX)
		r = strv_add(&e->needed, s);
	else if (dyn->d_tag == DT_RPATH && !e->rpath)
		e->rpath = take_ptr(&s);
	else if (dyn->d_tag == DT_RUNPATH && !e->runpath)
		e->runpath = take_ptr(&s);
	return r;
}

static int read_dynamic(Elf *elf, const GElf_Phdr *ph, const struct headers *h, struct elffile *e)
{
	Elf_Data *d = elf_getdata_rawchunk(elf, (int64_t)ph->p_offset, ph->p_filesz, ELF_T_DYN);
	uint64_t strings = 0, left = 0;
	GElf_Dyn dyn;
	int r = 0;

	for (int i = 0; d && gelf_getdyn(d, i, &dyn) && dyn.d_tag != DT_NULL; i++)
		if (dyn.d_tag == DT_STRTAB)
			strings = offset_of(h, dyn.d_un.d_ptr, &left);
	for (int i = 0; d && r == 0 && gelf_getdyn(d, i, &dyn) && dyn.d_tag != DT_NULL; i++)
		r = take_entry(elf, &dyn, strings, left, e);
	return r;
}

static int read_elf(Elf *elf, struct elffile *e)
{
	struct headers h = { .n = 0 };
	GElf_Ehdr eh;
	size_t n;
	int r = 0;

	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &eh) ||
	    elf_getphdrnum(elf, &n) < 0)
		return -ENOEXEC;
	e->machine = eh.e_machine;
	e->class = (uint8_t)gelf_getclass(elf);
	while (h.n < n && h.n < HEADERS_MAX && gelf_getphdr(elf, (int)h.n, &h.v[h.n]))
		h.n++;
	for (size_t i = 0; i < h.n && r == 0; i++) {
		if (h.v[i].p_type == PT_INTERP && !e->interp)
			e->interp = string_at(elf, h.v[i].p_offset, h.v[i].p_filesz);
		else if (h.v[i].p_type == PT_NOTE)
			read_notes(elf, &h.v[i], e);
		else if (h.v[i].p_type == PT_DYNAMIC)
			r = read_dynamic(elf, &h.v[i], &h, e);
	}
	return r;
}

static int take_elf(Elf *elf, struct elffile *ret)
{
	struct elffile e = { 0 };
	int r = read_elf(elf, &e);

	if (elf)
		elf_end(elf);
	if (r < 0) {
		elffile_free(&e);
		return r;
	}
	*ret = e;
	return 0;
}

int elffile_read(int fd, struct elffile *ret)
{
	elf_version(EV_CURRENT);
	return take_elf(elf_begin(fd, ELF_C_READ_MMAP, NULL), ret);
}

int elffile_parse(void *image, size_t size, struct elffile *ret)
{
	elf_version(EV_CURRENT);
	return take_elf(elf_memory(image, size), ret);
}

void elffile_free(struct elffile *e)
{
	free(e->interp);
	strv_free(&e->needed);
	free(e->rpath);
	free(e->runpath);
	free(e->package);
	free(e->version);
	*e = (struct elffile){ 0 };
}
