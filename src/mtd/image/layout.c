/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/image/image.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "mtd/image/elffile.h"
#include "mtd/runtime/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum kind { KIND_TEXT, KIND_RODATA, KIND_DATA, KIND_INIT, KIND_FINI, KIND_BSS, KIND_PRIVATE };

struct section {
	char *name;
	uint64_t size[2], align;
	enum kind kind;
	UT_hash_handle hh;
};

struct layout {
	struct section *sections;	/* in the order of the first object */
};

/* ---- reading the objects --------------------------------------------------------------------- */

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Constants that the back ends keep for themselves (.rodata.cst8) are each node's own; so is what
 * only debuggers read. */
static enum kind kind_of(const char *name, const GElf_Shdr *h)
{
	if (h->sh_type == SHT_NOTE || h->sh_flags & (SHF_MERGE | SHF_TLS) ||
	    has_prefix(name, ".eh_frame") || has_prefix(name, ".llvm"))
		return KIND_PRIVATE;
	if (h->sh_type == SHT_INIT_ARRAY)
		return KIND_INIT;
	if (h->sh_type == SHT_FINI_ARRAY)
		return KIND_FINI;
	if (h->sh_flags & SHF_EXECINSTR)
		return KIND_TEXT;
	if (h->sh_type == SHT_NOBITS)
		return KIND_BSS;
	return h->sh_flags & SHF_WRITE ? KIND_DATA : KIND_RODATA;
}

static int add_section(struct layout *l, unsigned which, const char *name, const GElf_Shdr *h)
{
	enum kind kind = kind_of(name, h);
	struct section *s;

	if (h->sh_flags & SHF_MERGE && h->sh_flags & SHF_STRINGS) {
		log_error("section %s holds strings that a linker merges (an error of Chiral)", name);
		return -EINVAL;
	}
	if (kind == KIND_PRIVATE || !h->sh_size)
		return 0;
	HASH_FIND_STR(l->sections, name, s);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s || !(s->name = strdup(name))) {
			free(s);
			return log_errno(ENOMEM, "cannot lay out the program");
		}
		s->kind = kind;
		HASH_ADD_KEYPTR(hh, l->sections, s->name, strlen(s->name), s);
	}
	if (s->kind != kind) {
		log_error("section %s is of another kind on the other ISA", name);
		return -EINVAL;
	}
	s->size[which] += h->sh_size;
	if (h->sh_addralign > s->align)
		s->align = h->sh_addralign;
	return 0;
}

static int read_object(struct layout *l, unsigned which, const char *path)
{
	struct elffile f;
	const char *name;
	GElf_Shdr h;
	int r = elffile_open(path, &f);

	if (r < 0)
		return r;
	for (Elf_Scn *s = NULL; r == 0 && (s = elffile_next(&f, s, &h, &name));)
		if (h.sh_flags & SHF_ALLOC)
			r = add_section(l, which, name, &h);
	elffile_close(&f);
	return r;
}

static void free_layout(struct layout *l)
{
	struct section *s, *next;

	HASH_ITER(hh, l->sections, s, next) {
		HASH_DEL(l->sections, s);
		free(s->name);
		free(s);
	}
}

/* ---- writing the script ---------------------------------------------------------------------- */

struct placer {
	FILE *f;
	const char *program;
	uint64_t at, end;
};

static void place_kind(struct layout *l, struct placer *p, enum kind kind)
{
	struct section *s, *next;

	HASH_ITER(hh, l->sections, s, next) {
		uint64_t align = s->align > 16 ? s->align : 16;
		uint64_t size = s->size[0] > s->size[1] ? s->size[0] : s->size[1];

		if (s->kind != kind)
			continue;
		p->at = (p->at + align - 1) & ~(align - 1);
		/* LLD takes `.` inside an output section as absolute. */
		fprintf(p->f, "    . = 0x%" PRIx64 "; %s(\"%s\")\n", p->at, p->program, s->name);
		p->at += size;
	}
	p->at = (p->at + 15) & ~15ull;
	fprintf(p->f, "    . = 0x%" PRIx64 ";\n", p->at);
}

/* Constructors run in the order of their names, the ones without a priority last. The linker's sort
 * is not used: it would not see the explicit places. */
static int by_name(struct section *a, struct section *b)
{
	size_t la = strlen(a->name), lb = strlen(b->name);

	if (a->kind != b->kind || (a->kind != KIND_INIT && a->kind != KIND_FINI))
		return 0;
	if (!strchr(a->name + 1, '.') != !strchr(b->name + 1, '.'))
		return la < lb ? 1 : -1;
	return strcmp(a->name, b->name);
}

static int begin_output(struct placer *p, const char *name, uint64_t at, uint64_t max)
{
	p->at = at;
	p->end = at + max;
	fprintf(p->f, "  %s 0x%" PRIx64 " : {\n", name, at);
	return 0;
}

static int end_output(struct placer *p, const char *segment)
{
	fprintf(p->f, "  } :%s\n", segment);
	if (p->at <= p->end)
		return 0;
	log_error("the program is too large: its segment %s ends behind 0x%" PRIx64, segment, p->end);
	return -EFBIG;
}

static int place_array(struct layout *l, struct placer *p, enum kind kind, const char *name)
{
	struct section *s, *next;

	p->at = (p->at + 15) & ~15ull;
	fprintf(p->f, "    . = 0x%" PRIx64 "; __%s_start = .;\n", p->at, name);
	HASH_ITER(hh, l->sections, s, next) {
		if (s->kind != kind)
			continue;
		if (s->size[0] != s->size[1]) {
			log_error("%s has another size on the other ISA", s->name);
			return -EINVAL;
		}
		fprintf(p->f, "    . = 0x%" PRIx64 "; %s(\"%s\")\n", p->at, p->program, s->name);
		p->at += s->size[0];
	}
	fprintf(p->f, "    __%s_end = .;\n", name);
	return 0;
}

static int place_program(struct layout *l, struct placer *p)
{
	int r;

	begin_output(p, ".text", MTD_TEXT, MTD_TEXT_MAX);
	place_kind(l, p, KIND_TEXT);
	r = end_output(p, "text");
	begin_output(p, ".rodata", MTD_RODATA, MTD_RODATA_MAX);
	place_kind(l, p, KIND_RODATA);
	r = r ? r : end_output(p, "rodata");
	fprintf(p->f, "  __mtd_data_start = 0x%lx;\n", MTD_DATA);
	begin_output(p, ".data", MTD_DATA, MTD_DATA_MAX);
	r = r ? r : place_array(l, p, KIND_INIT, "init_array");
	r = r ? r : place_array(l, p, KIND_FINI, "fini_array");
	place_kind(l, p, KIND_DATA);
	r = r ? r : end_output(p, "data");
	begin_output(p, ".bss", (p->at + MTD_PAGE - 1) & ~(MTD_PAGE - 1), p->end - p->at);
	place_kind(l, p, KIND_BSS);
	r = r ? r : end_output(p, "data");
	fputs("  __mtd_data_end = ALIGN(4096);\n", p->f);
	return r;
}

/* Everything else: the runtime, constant pools, libgcc. Each ISA's own. */
static void place_private(FILE *f, const uint64_t build_id[2])
{
	fprintf(f, "  .mtd.text 0x%lx : { *(.text .text.*) } :private\n", MTD_PRIVATE);
	fputs("  .mtd.rodata : { *(.rodata .rodata.*) . = ALIGN(16); __mtd_build_id = .;\n", f);
	fprintf(f, "    QUAD(0x%" PRIx64 ") QUAD(0x%" PRIx64 ") } :private\n", build_id[0], build_id[1]);
	fputs("  .eh_frame : { *(.eh_frame) } :private\n", f);
	fprintf(f, "  .tdata 0x%lx : { *(.tdata .tdata.*) } :private_data :tls\n", MTD_PRIVATE_DATA);
	fputs("  .tbss : { *(.tbss .tbss.*) } :private_data :tls\n"
	      "  .mtd.data : { *(.data .data.* .got .got.plt) } :private_data\n"
	      "  .mtd.bss : { *(.bss .bss.* COMMON) } :private_data\n"
	      "  /DISCARD/ : { *(.note*) *(.comment) *(.llvm_addrsig) }\n",
	      f);
}

static int write_script(struct layout *l, const char *program, const uint64_t build_id[2], FILE *f)
{
	struct placer p = { .f = f, .program = program };
	int r;

	HASH_SORT(l->sections, by_name);
	fputs("ENTRY(_start)\n"
	      "PHDRS { text PT_LOAD FLAGS(5); rodata PT_LOAD FLAGS(4); data PT_LOAD FLAGS(6);\n"
	      "  private PT_LOAD FLAGS(5); private_data PT_LOAD FLAGS(6); tls PT_TLS;\n"
	      "  stack PT_GNU_STACK FLAGS(6); }\n"
	      "SECTIONS {\n",
	      f);
	r = place_program(l, &p);
	place_private(f, build_id);
	fputs("}\n", f);
	return r;
}

int image_write_layout(const char *const objects[2], const char *program,
		       const uint64_t build_id[2], const char *script)
{
	cleanup_fclose FILE *f = fopen(script, "we");
	struct layout l = { 0 };
	int r = 0;

	if (!f)
		return log_errno(errno, "cannot write %s", script);
	for (unsigned i = 0; i < 2 && r == 0; i++)
		r = read_object(&l, i, objects[i]);
	if (r == 0)
		r = write_script(&l, program, build_id, f);
	if (r == 0 && (fflush(f) || ferror(f)))
		r = log_errno(EIO, "cannot write %s", script);
	free_layout(&l);
	return r;
}
