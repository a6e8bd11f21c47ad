/* SPDX-License-Identifier: Apache-2.0 */
/* What ELF files say about themselves: this test's own, and damaged ones. */
#include "unit.h"

#include "isa/isa.h"
#include "variant/elffile.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void test_own(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct elffile e;
	bool libc = false;

	assert_int_equal(elffile_read(fd, &e), 0);
	close(fd);
	assert_int_equal(e.machine, isa_descs[isa_native].elf_machine);
	assert_int_equal(e.class, ELFCLASS64);
	assert_non_null(e.interp);
	assert_ptr_equal(strstr(e.interp, "/ld-linux"), strrchr(e.interp, '/'));
	for (size_t i = 0; i < e.needed.n; i++)
		libc = libc || !strcmp(e.needed.v[i], "libc.so.6");
	assert_true(libc);
	assert_int_equal(e.build_id_size, 20); /* Debian's gcc adds one */
	elffile_free(&e);
}

static void test_no_elf(void **state)
{
	char text[] = "#!/bin/sh\n", none[1] = "";
	struct elffile e = { .class = 77 };

	assert_int_equal(elffile_parse(text, sizeof(text), &e), -ENOEXEC);
	assert_int_equal(elffile_parse(none, 0, &e), -ENOEXEC);
	assert_int_equal(e.class, 77);
}

struct with_note {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	Elf64_Nhdr note;
	char owner[4];
	char text[64];
};

static struct with_note package_note(const char *json)
{
	struct with_note i = {
		.eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			.e_phoff = sizeof(i.eh), .e_ehsize = sizeof(i.eh),
			.e_phentsize = sizeof(i.ph[0]), .e_phnum = 2 },
		.ph = { { .p_type = PT_NOTE, .p_offset = offsetof(struct with_note, note),
			  .p_filesz = sizeof(i) - offsetof(struct with_note, note), .p_align = 4 },
			{ .p_type = PT_INTERP, .p_offset = 1ull << 40, .p_filesz = 100 } },
		.note = { 4, sizeof(i.text), 0xcafe1a7e },
		.owner = "FDO",
	};

	memcpy(i.text, json, strlen(json));
	return i;
}

static void test_package(void **state)
{
	struct with_note i = package_note("{\"type\":\"deb\",\"name\": \"x\",\"version\":\"1.2-3\"}");
	struct elffile e;

	assert_int_equal(elffile_parse(&i, sizeof(i), &e), 0);
	assert_string_equal(e.package, "x");
	assert_string_equal(e.version, "1.2-3");
	assert_null(e.interp); /* it is said to be outside of the file */
	elffile_free(&e);
	i = package_note("{\"name\":\"x\",\"version\":12}");
	assert_int_equal(elffile_parse(&i, sizeof(i), &e), 0);
	assert_null(e.package);
	assert_null(e.version);
	elffile_free(&e);
	i.note.n_descsz = 0xffffffff;
	assert_int_equal(elffile_parse(&i, sizeof(i), &e), 0);
	assert_null(e.package);
	elffile_free(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_no_elf),
		cmocka_unit_test(test_package),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
