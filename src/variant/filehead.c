/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/filehead.h"

#include "isa/isa.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static void parse_elf(const uint8_t *bytes, size_t n, struct filehead *h)
{
	Elf64_Ehdr e; /* up to e_machine the same in both classes */

	if (n < sizeof(e) || bytes[EI_DATA] != ELFDATA2LSB)
		return;
	memcpy(&e, bytes, sizeof(e));
	if (e.e_type != ET_EXEC && e.e_type != ET_DYN)
		return;
	h->kind = FILEHEAD_ELF;
	h->machine = e.e_machine;
	h->class = bytes[EI_CLASS];
	h->native = h->machine == isa_descs[isa_native].elf_machine && h->class == ELFCLASS64;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void parse_script(const uint8_t *bytes, size_t n, struct filehead *h)
{
	size_t from = 2, to;

	while (from < n && is_blank(bytes[from]))
		from++;
	to = from;
	while (to < n && !is_blank(bytes[to]) && bytes[to] != '\n' && bytes[to] != 0)
		to++;
	/* The kernel does not guess where a name ends that it has not read to its end. */
	if (to == from || (to == n && n == FILEHEAD_SIZE))
		return;
	memcpy(h->interpreter, bytes + from, to - from);
	h->kind = FILEHEAD_SCRIPT;
}

void filehead_parse(const uint8_t *bytes, size_t n, struct filehead *ret)
{
	struct filehead h = { .kind = FILEHEAD_UNKNOWN };

	if (n >= SELFMAG && !memcmp(bytes, ELFMAG, SELFMAG))
		parse_elf(bytes, n, &h);
	else if (n >= 2 && bytes[0] == '#' && bytes[1] == '!')
		parse_script(bytes, n, &h);
	*ret = h;
}

int filehead_read(int fd, struct filehead *ret)
{
	uint8_t bytes[FILEHEAD_SIZE];
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);

	if (n < 0)
		return -errno;
	filehead_parse(bytes, (size_t)n, ret);
	return 0;
}

const char *filehead_isa_name(const struct filehead *h)
{
	for (int i = 0; i < _ISA_MAX; i++)
		if (h->machine == isa_descs[i].elf_machine && h->class == ELFCLASS64)
			return isa_descs[i].name;
	return "another ISA";
}
