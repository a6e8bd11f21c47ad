/* SPDX-License-Identifier: Apache-2.0 */
/* The first bytes of files that are executed. */
#include "unit.h"

#include "isa/isa.h"
#include "variant/filehead.h"

#include <elf.h>
#include <string.h>

static struct filehead head_of(const char *text)
{
	struct filehead h;

	filehead_parse((const uint8_t *)text, strlen(text), &h);
	return h;
}

static void interpreter_is(const char *text, const char *want)
{
	struct filehead h = head_of(text);

	assert_int_equal(h.kind, FILEHEAD_SCRIPT);
	assert_string_equal(h.interpreter, want);
}

static void test_scripts(void **state)
{
	interpreter_is("#!/bin/sh\n", "/bin/sh");
	interpreter_is("#!/bin/sh", "/bin/sh");
	interpreter_is("#! \t/usr/bin/env python3 -u\nprint()\n", "/usr/bin/env");
	interpreter_is("#!sh -e\n", "sh");
	assert_int_equal(head_of("#!\n/bin/sh\n").kind, FILEHEAD_UNKNOWN);
	assert_int_equal(head_of("#!  ").kind, FILEHEAD_UNKNOWN);
	assert_int_equal(head_of("#").kind, FILEHEAD_UNKNOWN);
	assert_int_equal(head_of("").kind, FILEHEAD_UNKNOWN);
	assert_int_equal(head_of("echo hi\n").kind, FILEHEAD_UNKNOWN);
}

/* As the kernel: a name that goes on behind what it reads is no name. */
static void test_long_interpreter(void **state)
{
	char text[FILEHEAD_SIZE + 1];

	memset(text, 'a', sizeof(text));
	memcpy(text, "#!/", 3);
	text[FILEHEAD_SIZE] = 0;
	assert_int_equal(head_of(text).kind, FILEHEAD_UNKNOWN);
	text[FILEHEAD_SIZE - 1] = '\n';
	assert_int_equal(head_of(text).kind, FILEHEAD_SCRIPT);
	assert_int_equal(strlen(head_of(text).interpreter), FILEHEAD_SIZE - 3);
}

static struct filehead elf_of(uint16_t machine, uint8_t class, uint16_t type)
{
	Elf64_Ehdr e = {
		.e_ident = { 0x7f, 'E', 'L', 'F', class, ELFDATA2LSB },
		.e_type = type,
		.e_machine = machine,
	};
	struct filehead h;

	filehead_parse((const uint8_t *)&e, sizeof(e), &h);
	return h;
}

static void test_elf(void **state)
{
	uint16_t native = isa_descs[isa_native].elf_machine;
	struct filehead h = elf_of(native, ELFCLASS64, ET_DYN);

	assert_int_equal(h.kind, FILEHEAD_ELF);
	assert_true(h.native);
	assert_string_equal(filehead_isa_name(&h), isa_descs[isa_native].name);
	for (int i = 0; i < _ISA_MAX; i++) {
		h = elf_of(isa_descs[i].elf_machine, ELFCLASS64, ET_EXEC);
		assert_int_equal(h.native, i == (int)isa_native);
		assert_string_equal(filehead_isa_name(&h), isa_descs[i].name);
	}
	h = elf_of(native, ELFCLASS32, ET_DYN); /* x32 */
	assert_false(h.native);
	assert_string_equal(filehead_isa_name(&h), "another ISA");
	assert_false(elf_of(EM_386, ELFCLASS32, ET_DYN).native);
	assert_int_equal(elf_of(native, ELFCLASS64, ET_REL).kind, FILEHEAD_UNKNOWN);
	assert_int_equal(head_of("\x7f" "ELF").kind, FILEHEAD_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_long_interpreter),
		cmocka_unit_test(test_elf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
