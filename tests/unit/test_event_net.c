/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and messages. */
#include "event_fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

static void poke_inet(struct side *s, size_t off, uint16_t port, uint32_t addr)
{
	uint16_t family = AF_INET;

	poke(s, off, &family, 2);
	port = htons(port);
	poke(s, off + 2, &port, 2);
	poke32(s, off + 4, htonl(addr));
}

PAIR_TEST(sin_zero_is_not_compared)
{
	struct call_mismatch m;

	poke_inet(l, 64, 8080, INADDR_LOOPBACK);
	poke_inet(f, 96, 8080, INADDR_LOOPBACK);
	memset(f->bytes + 104, 0x33, 8);
	enter(l, "bind", 3, at(l, 64), 16);
	enter(f, "bind", 3, at(f, 96), 16);
	assert_int_equal(replay(l, f, 0), 0);
	poke_inet(f, 96, 8081, INADDR_LOOPBACK);
	enter(f, "bind", 3, at(f, 96), 16);
	m = assert_differ(l, f);
	assert_int_equal(m.arg, 1);
	assert_int_equal(m.offset, 3);
}

PAIR_TEST(unix_paths_end_at_nul)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX}, b;

	memset(a.sun_path, 0x11, sizeof(a.sun_path));
	strcpy(a.sun_path, "/run/s");
	b = a;
	memset(b.sun_path + 7, 0x22, sizeof(b.sun_path) - 7);
	poke(l, 64, &a, sizeof(a));
	poke(f, 64, &b, sizeof(b));
	enter(l, "connect", 3, at(l, 64), sizeof(a));
	enter(f, "connect", 3, at(f, 64), sizeof(a));
	assert_same(l, f);
	/* abstract: all bytes count */
	l->bytes[66] = 0;
	f->bytes[66] = 0;
	enter(l, "connect", 3, at(l, 64), sizeof(a));
	enter(f, "connect", 3, at(f, 64), sizeof(a));
	assert_int_equal(assert_differ(l, f).offset, 2 + 7);
}

PAIR_TEST(accept_gives_the_address_whole)
{
	struct call_new_fd fd;

	poke32(l, 60, 16);
	poke32(f, 260, 16);
	enter(l, "accept4", 4, at(l, 64), at(l, 60), 0x80800);
	enter(f, "accept4", 4, at(f, 264), at(f, 260), 0x80800);
	poke_inet(l, 64, 40000, INADDR_LOOPBACK);
	memset(l->bytes + 72, 0, 8);
	poke32(l, 60, 16);
	assert_int_equal(replay(l, f, 8), 8);
	assert_memory_equal(f->bytes + 264, l->bytes + 64, 16);
	assert_int_equal(f->writes, 20);
	assert_int_equal(call_new_fds(&l->c, &fd, 1), 1);
	assert_int_equal(fd.fd, 8);
	assert_true(fd.cloexec);
}

PAIR_TEST(accept_without_an_address_ignores_the_length)
{
	enter(l, "accept", 4, 0, at(l, 60));
	enter(f, "accept4", 4, 0, at(f, 61), 0);
	assert_int_equal(replay(l, f, 8), 8);
	assert_int_equal(f->writes, 0);
}

PAIR_TEST(short_address_buffers_are_not_passed)
{
	static const uint8_t addr[28] = {AF_INET6, 0, 0x1f, 0x90, [23] = 1};

	poke32(l, 60, 5);
	poke32(f, 60, 5);
	memset(f->bytes + 64, 0x77, 64);
	enter(l, "getsockname", 4, at(l, 64), at(l, 60));
	enter(f, "getsockname", 4, at(f, 64), at(f, 60));
	poke(l, 64, addr, 5); /* the kernel writes no more, but tells the whole length */
	poke32(l, 60, sizeof(addr));
	assert_int_equal(replay(l, f, 0), 0);
	assert_memory_equal(f->bytes + 64, addr, 5);
	assert_int_equal(f->bytes[69], 0x77);
	assert_int_equal(peek32(f, 60), sizeof(addr));
	assert_int_equal(f->writes, 5 + 4);
	/* another length is another request */
	poke32(f, 60, 28);
	enter(f, "getsockname", 4, at(f, 64), at(f, 60));
	assert_int_equal(assert_differ(l, f).arg, 2);
}

PAIR_TEST(no_address_is_longer_than_the_longest)
{
	poke32(l, 60, 1000);
	poke32(f, 60, 1000);
	enter(l, "getsockname", 4, at(l, 64), at(l, 60));
	enter(f, "getsockname", 4, at(f, 64), at(f, 60));
	memset(l->bytes + 64, 0x11, 128);
	poke32(l, 60, 900); /* no kernel says so */
	assert_int_equal(replay(l, f, 0), 0);
	assert_int_equal(f->writes, 128 + 4);
}

PAIR_TEST(an_address_over_the_followers_room_is_refused)
{
	struct call_record c = {0};
	int64_t ret;

	poke32(l, 60, 16);
	enter(l, "getsockname", 4, at(l, 64), at(l, 60));
	poke32(l, 60, 16);
	side_exit(l, 0);
	pass_on(&l->c, &c);
	poke32(f, 60, 4);
	enter(f, "getsockname", 4, at(f, 64), at(f, 60));
	assert_int_equal(call_apply_out(&f->cx, &f->n, &c, &ret), -EPROTO);
	assert_int_equal(f->writes, 0);
	call_record_free(&c);
}

PAIR_TEST(getsockopt_is_cut_to_the_shorter_length)
{
	const char *name = "getsockopt$SO_ERROR";

	for (uint32_t room = 2; room <= 8; room += 2) {
		uint32_t used = room < 4 ? room : 4;

		poke32(l, 60, room);
		poke32(f, 60, room);
		poke32(f, 64, 0x77777777);
		enter(l, name, 4, SOL_SOCKET, SO_ERROR, at(l, 64), at(l, 60));
		enter(f, name, 4, SOL_SOCKET, SO_ERROR, at(f, 64), at(f, 60));
		poke32(l, 64, ECONNREFUSED);
		poke32(l, 60, used);
		assert_int_equal(replay(l, f, 0), 0);
		assert_int_equal(peek32(f, 64),
				 used == 2 ? 0x77770000 + ECONNREFUSED : ECONNREFUSED);
		assert_int_equal(peek32(f, 60), used);
		assert_int_equal(f->writes, used + 4);
	}
}

/* ---- messages; struct msghdr at off, its one iovec behind it, then name and control ---- */

#define IOV_AT     64
#define NAME_AT    96
#define CONTROL_AT 128
#define DATA_AT    512

static void poke_msg(struct side *s, size_t off, uint32_t name, uint64_t control, uint64_t data)
{
	memset(s->bytes + off, 0xcc, 56); /* padding is garbage */
	poke64(s, off, name ? at(s, off + NAME_AT) : 0);
	poke32(s, off + 8, name);
	poke64(s, off + 16, at(s, off + IOV_AT));
	poke64(s, off + 24, 1);
	poke64(s, off + 32, control ? at(s, off + CONTROL_AT) : 0);
	poke64(s, off + 40, control);
	poke32(s, off + 48, 0);
	poke64(s, off + IOV_AT, at(s, off + DATA_AT));
	poke64(s, off + IOV_AT + 8, data);
}

/* A control message; returns its space. */
static size_t poke_control(struct side *s, size_t off, int32_t level, int32_t type,
			   const void *data, size_t n)
{
	poke64(s, off, 16 + n);
	poke32(s, off + 8, (uint32_t)level);
	poke32(s, off + 12, (uint32_t)type);
	poke(s, off + 16, data, n);
	return (16 + n + 7) & ~7ul;
}

PAIR_TEST(sendmsg_ignores_padding)
{
	int32_t fd = 6;
	struct call_mismatch m;

	poke_msg(l, 1024, 16, 24, 5);
	poke_msg(f, 2048, 16, 24, 5);
	poke_inet(l, 1024 + NAME_AT, 53, 0x7f000035);
	poke_inet(f, 2048 + NAME_AT, 53, 0x7f000035);
	poke_control(l, 1024 + CONTROL_AT, SOL_SOCKET, SCM_RIGHTS, &fd, 4);
	poke_control(f, 2048 + CONTROL_AT, SOL_SOCKET, SCM_RIGHTS, &fd, 4);
	f->bytes[2048 + CONTROL_AT + 21] ^= 0xff;
	poke(l, 1024 + DATA_AT, "query", 5);
	poke(f, 2048 + DATA_AT, "query", 5);
	enter(l, "sendmsg", 3, at(l, 1024), 0x4000);
	enter(f, "sendmsg", 3, at(f, 2048), 0x4000);
	assert_int_equal(replay(l, f, 5), 5);
	assert_int_equal(f->writes, 0);
	f->bytes[2048 + DATA_AT + 3] = 'R';
	enter(f, "sendmsg", 3, at(f, 2048), 0x4000);
	m = assert_differ(l, f);
	assert_true(m.exact);
	assert_int_equal(m.arg, 1);
	assert_int_equal(m.offset, 3); /* in the data */
	fd = 7;
	poke_control(f, 2048 + CONTROL_AT, SOL_SOCKET, SCM_RIGHTS, &fd, 4);
	enter(f, "sendmsg", 3, at(f, 2048), 0x4000);
	assert_non_null(strstr(assert_differ(l, f).text, "control data"));
}

PAIR_TEST(recvmsg_passes_control_data)
{
	static const int32_t fds[2] = {14, 15}, level = 0, ttl = 64;
	struct call_new_fd got[4];
	size_t used;

	poke_msg(l, 1024, 28, 128, 100);
	poke_msg(f, 2048, 28, 128, 100);
	enter(l, "recvmsg", 3, at(l, 1024), 0x40000000);
	enter(f, "recvmsg", 3, at(f, 2048), 0x40000000);
	poke_inet(l, 1024 + NAME_AT, 1234, 0x01020304);
	poke32(l, 1024 + 8, 16);
	used = poke_control(l, 1024 + CONTROL_AT, SOL_SOCKET, SCM_RIGHTS, fds, 8);
	used += poke_control(l, 1024 + CONTROL_AT + used, level, IP_TTL, &ttl, 4);
	poke64(l, 1024 + 40, used);
	poke32(l, 1024 + 48, MSG_TRUNC);
	poke(l, 1024 + DATA_AT, "hello", 5);
	assert_int_equal(replay(l, f, 5), 5);
	assert_memory_equal(f->bytes + 2048 + DATA_AT, "hello", 5);
	assert_int_equal(peek32(f, 2048 + 8), 16);
	assert_memory_equal(f->bytes + 2048 + NAME_AT, l->bytes + 1024 + NAME_AT, 8);
	assert_int_equal(peek64(f, 2048 + 40), 48);
	assert_int_equal(peek32(f, 2048 + 48), MSG_TRUNC);
	assert_int_equal(peek64(f, 2048 + CONTROL_AT), 24);
	assert_int_equal(peek32(f, 2048 + CONTROL_AT + 16), 14);
	assert_int_equal(peek64(f, 2048 + CONTROL_AT + 24), 20);
	assert_int_equal(peek32(f, 2048 + CONTROL_AT + 24 + 16), 64);
	assert_int_equal(call_new_fds(&l->c, got, 4), 2);
	assert_int_equal(got[0].fd, 14);
	assert_int_equal(got[1].fd, 15);
	assert_true(got[1].cloexec);
}

PAIR_TEST(recvmsg_with_little_room)
{
	struct call_record c = {0};
	int32_t fds[2] = {14, 15};
	int64_t ret;

	poke_msg(l, 1024, 4, 20, 100);
	poke_msg(f, 2048, 4, 20, 100);
	memset(f->bytes + 2048 + NAME_AT, 0x77, 32);
	enter(l, "recvmsg", 3, at(l, 1024), 0);
	enter(f, "recvmsg", 3, at(f, 2048), 0);
	poke_inet(l, 1024 + NAME_AT, 1234, 0x01020304);
	poke32(l, 1024 + 8, 16);
	poke_control(l, 1024 + CONTROL_AT, SOL_SOCKET, SCM_RIGHTS, fds, 4); /* one fd fitted */
	poke64(l, 1024 + 40, 20);
	assert_int_equal(replay(l, f, 3), 3);
	assert_int_equal(peek32(f, 2048 + 8), 16);
	assert_int_equal(f->bytes[2048 + NAME_AT + 4], 0x77); /* no more than the room */
	assert_int_equal(peek64(f, 2048 + 40), 20);
	/* a record that does not fit this call */
	side_exit(l, 3);
	pass_on(&l->c, &c);
	poke_msg(f, 2048, 4, 16, 100);
	enter(f, "recvmsg", 3, at(f, 2048), 0);
	assert_int_equal(call_apply_out(&f->cx, &f->n, &c, &ret), -EPROTO);
	poke_msg(f, 2048, 4, 20, 2);
	enter(f, "recvmsg", 3, at(f, 2048), 0);
	assert_int_equal(call_apply_out(&f->cx, &f->n, &c, &ret), -EPROTO);
	assert_int_equal(assert_differ(l, f).arg, 1);
	call_record_free(&c);
}

/* mmsghdr: msghdr and msg_len, 64 bytes; both messages share what is behind the array. */
static void poke_mmsg(struct side *s, size_t off)
{
	for (unsigned i = 0; i < 2; i++) {
		poke_msg(s, off + 2048 * (i + 1), 0, 0, 64);
		memcpy(s->bytes + off + 64 * i, s->bytes + off + 2048 * (i + 1), 56);
		poke32(s, off + 64 * i + 56, 0);
	}
}

PAIR_TEST(sendmmsg_and_recvmmsg)
{
	poke_mmsg(l, 4096);
	poke_mmsg(f, 8192);
	for (unsigned i = 0; i < 2; i++) {
		memset(l->bytes + 4096 + 2048 * (i + 1) + DATA_AT, 'a' + (int)i, 64);
		memset(f->bytes + 8192 + 2048 * (i + 1) + DATA_AT, 'a' + (int)i, 64);
	}
	enter(l, "sendmmsg", 3, at(l, 4096), 2, 0);
	enter(f, "sendmmsg", 3, at(f, 8192), 2, 0);
	poke32(l, 4096 + 56, 64);
	assert_int_equal(replay(l, f, 1), 1);
	assert_int_equal(peek32(f, 8192 + 56), 64);
	assert_int_equal(f->writes, 4);
	f->bytes[8192 + 4096 + DATA_AT] = 'x';
	enter(f, "sendmmsg", 3, at(f, 8192), 2, 0);
	assert_differ(l, f);

	enter(l, "recvmmsg", 3, at(l, 4096), 2, 0, 0);
	enter(f, "recvmmsg", 3, at(f, 8192), 2, 0, 0);
	poke32(l, 4096 + 56, 3);
	poke32(l, 4096 + 64 + 56, 2);
	memcpy(l->bytes + 4096 + 2048 + DATA_AT, "one", 3);
	memcpy(l->bytes + 4096 + 4096 + DATA_AT, "2.", 2);
	assert_int_equal(replay(l, f, 2), 2);
	assert_int_equal(peek32(f, 8192 + 64 + 56), 2);
	assert_memory_equal(f->bytes + 8192 + 2048 + DATA_AT, "one", 3);
	assert_memory_equal(f->bytes + 8192 + 4096 + DATA_AT, "2.", 2);
}

PAIR_TEST(recvfrom_cuts_what_msg_trunc_counts)
{
	poke32(l, 60, 16);
	poke32(f, 60, 16);
	enter(l, "recvfrom", 3, at(l, 512), 8, MSG_TRUNC, at(l, 64), at(l, 60));
	enter(f, "recvfrom", 3, at(f, 512), 8, MSG_TRUNC, at(f, 64), at(f, 60));
	memset(l->bytes + 512, 'z', 8);
	poke32(l, 60, 0); /* a connected stream has no address to tell */
	assert_int_equal(replay(l, f, 1000), 1000);
	assert_int_equal(f->writes, 8 + 4);
	assert_int_equal(peek32(f, 60), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sin_zero_is_not_compared),
		cmocka_unit_test(unix_paths_end_at_nul),
		cmocka_unit_test(accept_gives_the_address_whole),
		cmocka_unit_test(accept_without_an_address_ignores_the_length),
		cmocka_unit_test(short_address_buffers_are_not_passed),
		cmocka_unit_test(no_address_is_longer_than_the_longest),
		cmocka_unit_test(an_address_over_the_followers_room_is_refused),
		cmocka_unit_test(getsockopt_is_cut_to_the_shorter_length),
		cmocka_unit_test(sendmsg_ignores_padding),
		cmocka_unit_test(recvmsg_passes_control_data),
		cmocka_unit_test(recvmsg_with_little_room),
		cmocka_unit_test(sendmmsg_and_recvmmsg),
		cmocka_unit_test(recvfrom_cuts_what_msg_trunc_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
