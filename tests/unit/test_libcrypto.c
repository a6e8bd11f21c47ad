/* SPDX-License-Identifier: Apache-2.0 */
/* What takes the place of a library's random numbers: the machine code, and finding where
 * it goes. That libcrypto uses it is shown end to end. */
#include "unit.h"

#include "isa/random.h"
#include "variant/elf_symbol.h"
#include "variant/libcrypto.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

typedef int random_fn(void *ignored, unsigned char *buf, size_t len);

static random_fn *code_at_another_place(void)
{
	size_t size = (size_t)(isa_random_code_end - isa_random_code);
	uint8_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED && size < 128);
	memcpy(p, isa_random_code, size);
	assert_int_equal(mprotect(p, PAGE, PROT_READ | PROT_EXEC), 0);
	__builtin___clear_cache((char *)p, (char *)p + size);
	return (random_fn *)(uintptr_t)p;
}

static void test_code(void **state)
{
	static unsigned char a[1 << 20], b[sizeof(a)];
	random_fn *fn = code_at_another_place();
	size_t zeros = 0;

	assert_int_equal(fn(NULL, a, sizeof(a) - 1), 1);
	assert_int_equal(fn(NULL, b, sizeof(b) - 1), 1);
	for (size_t i = 0; i < sizeof(a) - 1; i++)
		zeros += a[i] == 0;
	/* 4096 are expected */
	assert_in_range(zeros, 3000, 5300);
	assert_true(a[sizeof(a) - 1] == 0 && memcmp(a, b, 64) != 0);
	assert_int_equal(fn(NULL, NULL, 0), 1);
	assert_int_equal(fn(NULL, NULL, 1), 0); /* EFAULT */
}

/* The C library that this program runs with. */
static int open_libc(struct link_map **ret)
{
	void *at = dlopen("libc.so.6", RTLD_NOW);

	assert_non_null(at);
	assert_int_equal(dlinfo(at, RTLD_DI_LINKMAP, ret), 0);
	return open((*ret)->l_name, O_RDONLY | O_CLOEXEC);
}

static void test_symbol(void **state)
{
	struct link_map *map;
	int fd = open_libc(&map);
	struct elf_symbol s;
	uint8_t code[16];

	assert_int_equal(elf_symbol_find(fd, "getpid", &s), 0);
	assert_in_range(s.size, 1, 4096);
	assert_int_equal(pread(fd, code, sizeof(code), (off_t)s.offset), sizeof(code));
	assert_memory_equal(code, dlsym(RTLD_DEFAULT, "getpid"), s.size < 8 ? s.size : 8);
	assert_int_equal(elf_symbol_find(fd, "no_such_function", &s), -ENOENT);
	assert_int_equal(elf_symbol_find(fd, "", &s), -ENOENT);
	assert_int_equal(elf_symbol_find(fd, "environ", &s), -ENOENT); /* no function */
	close(fd);
}

static void test_no_library(void **state)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	struct elf_symbol s;

	assert_int_equal(elf_symbol_find(fd, "x", &s), -EBADMSG);
	assert_int_equal(ftruncate(fd, 1 << 16), 0);
	assert_int_equal(elf_symbol_find(fd, "x", &s), -EBADMSG);
	assert_false(libcrypto_is_mapped(getpid(), fd));
	assert_false(libcrypto_is_mapped(getpid(), -1));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_symbol),
		cmocka_unit_test(test_no_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
