/* SPDX-License-Identifier: Apache-2.0 */
/* What people and programs read of a call. */
#include "event_fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

static void assert_printed(const struct call_record *c, size_t limit, bool json, const char *want)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (json)
		call_print_json(f, c);
	else if (limit)
		call_print_limit(f, c, limit);
	else
		call_print(f, c);
	fclose(f);
	assert_string_equal(text, want);
	free(text);
}

static void assert_text(struct side *s, const char *want)
{
	assert_printed(&s->c, 0, false, want);
}

static void assert_json(struct side *s, const char *want)
{
	assert_printed(&s->c, 0, true, want);
}

PAIR_TEST(files)
{
	strcpy((char *)l->bytes + 100, "/etc/passwd");
	enter(l, "openat", (uint64_t)-100, at(l, 100), 0x80000);
	assert_text(l, "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC, 0) = ?");
	side_exit(l, 3);
	assert_text(l, "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC, 0) = 3");
	assert_json(l, "{\"call\":\"openat\",\"args\":{\"dirfd\":\"AT_FDCWD\",\"pathname\":"
		       "\"/etc/passwd\",\"flags\":\"O_RDONLY|O_CLOEXEC\",\"mode\":0},\"ret\":3}");
	enter(l, "openat", 5, at(l, 100), 0x41, 0644);
	side_exit(l, -EACCES);
	assert_text(l, "openat(5, \"/etc/passwd\", O_WRONLY|O_CREAT, 0644) = -1 EACCES "
		       "(Permission denied)");
	enter(l, "fcntl$F_GETFL", 3, 3);
	side_exit(l, 0x802);
	assert_text(l, "fcntl(3, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)");
	enter(l, "chdir", at(l, UNMAPPED_FROM * PAGE));
	side_exit(l, -EFAULT);
	assert_text(l, "chdir(<unreadable after 0 bytes>) = -1 EFAULT (Bad address)");
}

PAIR_TEST(buffers)
{
	poke(l, 0, "a\"b\\c\n\t\0017\001x\xff\xc3\xa9", 14);
	enter(l, "write", 1, at(l, 0), 14);
	side_exit(l, 14);
	assert_text(l, "write(1, \"a\\\"b\\\\c\\n\\t\\0017\\1x\\377\\303\\251\", 14) = 14");
	assert_json(
		l,
		"{\"call\":\"write\",\"args\":{\"fd\":1,\"buf\":"
		"\"a\\\"b\\\\c\\n\\t\\u00017\\u0001x\\u00ff\xc3\xa9\",\"count\":14},\"ret\":14}");
	memset(l->bytes, 'x', 100);
	enter(l, "read", 0, at(l, 0), 100);
	assert_text(l, "read(0, <pointer>, 100) = ?");
	side_exit(l, 100);
	assert_text(
		l, "read(0, \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"..."
		   ", 100) = 100");
	assert_printed(&l->c, 3, false, "read(0, \"xxx\"..., 100) = 100");
	enter(l, "read", 0, 0, 100);
	side_exit(l, -512);
	assert_text(l, "read(0, NULL, 100) = -1 ERESTARTSYS (To be restarted)");
	enter(l, "write", 1, at(l, 0), 3 * PAGE);
	side_exit(l, 3 * PAGE);
	assert_text(l, "write(1, <12288 bytes>, 12288) = 12288");
}

PAIR_TEST(sockets)
{
	static const uint8_t inet[16] = {AF_INET, 0, 0x1f, 0x90, 127, 0, 0, 1};

	poke32(l, 60, 16);
	enter(l, "accept4", 4, at(l, 64), at(l, 60), 0x80000);
	poke(l, 64, inet, 16);
	side_exit(l, 5);
	assert_text(
		l,
		"accept4(4, {sa_family=AF_INET, sin_port=8080, sin_addr=\"127.0.0.1\"}, 16 => 16, "
		"SOCK_CLOEXEC) = 5");
	enter(l, "setsockopt$SO_REUSEADDR", 4, 1, 2, at(l, 128), 4);
	poke32(l, 128, 1);
	enter(l, "setsockopt$SO_REUSEADDR", 4, 1, 2, at(l, 128), 4);
	side_exit(l, 0);
	assert_text(l, "setsockopt(4, 1, SO_REUSEADDR, 1, 4) = 0");
	poke32(l, 128, 6);
	poke32(l, 132, 7);
	enter(l, "pipe2", at(l, 128), 0);
	side_exit(l, 0);
	assert_text(l, "pipe2([6, 7], 0) = 0");
}

PAIR_TEST(structs)
{
	uint64_t set = 1u << 1 | 1u << 9; /* SIGINT, SIGUSR1 */

	poke64(l, 64, 1);
	poke64(l, 72, 5);
	poke64(l, 80, set);
	poke32(l, 128, 4);
	poke32(l, 132, 1);
	enter(l, "ppoll", at(l, 128), 1, at(l, 64), at(l, 80), 8);
	poke32(l, 132, 1 << 16 | 1);
	side_exit(l, 1);
	assert_text(l,
		    "ppoll([{fd=4, events=POLLIN}] => [{fd=4, events=POLLIN, revents=POLLIN}], 1, "
		    "{tv_sec=1, tv_nsec=5} => {tv_sec=1, tv_nsec=5}, [SIGINT, SIGUSR1], _) = 1");
	memset(l->bytes + 256, 0, 8);
	l->bytes[256] = 0x29;
	enter(l, "pselect6", 10, at(l, 256), 0, 0, 0, 0);
	assert_text(l, "pselect6(10, [0, 3, 5], NULL, NULL, NULL, NULL) = ?");
	assert_json(l, "{\"call\":\"pselect6\",\"args\":{\"nfds\":10,\"readfds\":[0,3,5],"
		       "\"writefds\":null,"
		       "\"exceptfds\":null,\"timeout\":null,\"sigmask\":null},\"ret\":null}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(buffers),
		cmocka_unit_test(sockets),
		cmocka_unit_test(structs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
