/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting and time: the calls whose old forms newer ISAs do not have. */
#include "event_fixture.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/epoll.h>
#include <time.h>

/* struct epoll_event is packed on x86-64 only. */
static size_t event_size(const struct side *s)
{
	return s->isa == ISA_X86_64 ? 12 : 16;
}

static size_t data_at(const struct side *s)
{
	return s->isa == ISA_X86_64 ? 4 : 8;
}

static void poke_event(struct side *s, size_t off, uint32_t events, uint64_t data)
{
	poke32(s, off, events);
	poke64(s, off + data_at(s), data);
}

PAIR_TEST(epoll_ctl_ignores_cookies)
{
	uint64_t cookie = 0;

	poke_event(l, 100, EPOLLIN | EPOLLET, at(l, 7 * 16));
	poke_event(f, 700, EPOLLIN | EPOLLET, at(f, 7 * 16));
	enter(l, "epoll_ctl", 5, EPOLL_CTL_ADD, 7, at(l, 100));
	enter(f, "epoll_ctl", 5, EPOLL_CTL_ADD, 7, at(f, 700));
	assert_int_equal(replay(l, f, 0), 0);
	assert_int_equal(f->writes, 0);
	assert_int_equal(call_in_cookie(&f->cx, &f->n, &cookie), 1);
	assert_int_equal(cookie, at(f, 7 * 16));
	poke_event(f, 700, EPOLLIN, at(f, 7 * 16));
	enter(f, "epoll_ctl", 5, EPOLL_CTL_ADD, 7, at(f, 700));
	assert_int_equal(assert_differ(l, f).arg, 3);
	enter(f, "epoll_ctl$EPOLL_CTL_DEL", 5, EPOLL_CTL_DEL, 7, at(f, 700));
	assert_int_equal(call_in_cookie(&f->cx, &f->n, &cookie), 0);
	enter(f, "read", 5, at(f, 0), 1);
	assert_int_equal(call_in_cookie(&f->cx, &f->n, &cookie), 0);
}

static void enter_epoll(struct side *s, size_t off, int max)
{
	if (isa_has("epoll_wait", s->isa))
		enter(s, "epoll_wait", 5, at(s, off), (uint64_t)max, (uint64_t)-1);
	else
		enter(s, "epoll_pwait", 5, at(s, off), (uint64_t)max, 0xffffffff, 0, 8);
}

PAIR_TEST(epoll_wait_translates_cookies)
{
	uint64_t data;

	enter_epoll(l, 64, 8);
	enter_epoll(f, 1024, 8);
	poke_event(l, 64, EPOLLIN, at(l, 7 * 16));
	poke_event(l, 64 + event_size(l), EPOLLOUT | EPOLLHUP, at(l, 9 * 16));
	assert_int_equal(replay(l, f, 2), 2);
	assert_int_equal(f->writes, 2 * event_size(f));
	assert_int_equal(peek32(f, 1024), EPOLLIN);
	memcpy(&data, f->bytes + 1024 + data_at(f), sizeof(data));
	assert_true(data == at(f, 7 * 16));
	assert_int_equal(peek32(f, 1024 + event_size(f)), EPOLLOUT | EPOLLHUP);
	memcpy(&data, f->bytes + 1024 + event_size(f) + data_at(f), sizeof(data));
	assert_true(data == at(f, 9 * 16));
	/* time out */
	assert_int_equal(replay(l, f, 0), 0);
	assert_int_equal(f->writes, 0);
}

/* ---- poll ---- */

static void poke_pollfd(struct side *s, size_t off, int fd, uint16_t events, uint16_t revents)
{
	poke32(s, off, (uint32_t)fd);
	poke(s, off + 4, &events, 2);
	poke(s, off + 6, &revents, 2);
}

/* A wait of 2.5 seconds, in the form this ISA has; the timespec of the new form is at 8. */
static bool enter_poll(struct side *s, size_t off, bool old)
{
	poke_pollfd(s, off, 4, POLLIN, old ? 0x1111 : 0x2222);
	poke_pollfd(s, off + 8, -1, POLLIN | POLLOUT, 0);
	poke64(s, 8, 2);
	poke64(s, 16, 500000000);
	if (old && !isa_has("poll", s->isa))
		return false;
	if (old)
		enter(s, "poll", at(s, off), 2, 2500);
	else
		enter(s, "ppoll", at(s, off), 2, at(s, 8), 0, s->base % 3);
	return true;
}

static void poll_forms(struct side *l, struct side *f, bool l_old, bool f_old)
{
	if (!enter_poll(l, 100, l_old) || !enter_poll(f, 300, f_old))
		return;
	poke_pollfd(l, 100, 4, POLLIN, POLLIN | POLLHUP);
	poke64(l, 8, l_old ? 2 : 1); /* the kernel leaves the rest of the time, when it has where */
	assert_int_equal(replay(l, f, 1), 1);
	assert_int_equal(peek32(f, 304) >> 16, POLLIN | POLLHUP);
	assert_int_equal(peek32(f, 300), 4);
	assert_int_equal(peek32(f, 312), POLLIN | POLLOUT);
	if (!f_old)
		assert_int_equal(peek64(f, 8), l_old ? 2 : 1);
}

PAIR_TEST(poll_and_ppoll_agree)
{
	for (unsigned i = 0; i < 4; i++)
		poll_forms(l, f, i & 1, i & 2);
	if (enter_poll(l, 100, true)) {
		poke64(f, 16, 500000001);
		enter(f, "ppoll", at(f, 300), 2, at(f, 8), 0, 8);
		assert_int_equal(assert_differ(l, f).arg, 2);
	}
}

PAIR_TEST(poll_for_ever_is_ppoll_without_a_timeout)
{
	if (!enter_poll(l, 100, true))
		return;
	enter_poll(f, 300, false);
	enter(l, "poll", at(l, 100), 2, 0xffffffff);
	enter(f, "ppoll", at(f, 300), 2, 0, 0, 8);
	assert_same(l, f);
	enter(l, "poll", at(l, 100), 2, 0);
	assert_int_equal(assert_differ(l, f).arg, 2);
}

/* ---- select ---- */

static bool enter_select(struct side *s, size_t off, bool old)
{
	memset(s->bytes + off, 0, 128);
	s->bytes[off] = 0x28; /* 3 and 5; the bits from 70 on are garbage */
	s->bytes[off + 8] = 0xff;
	poke64(s, 8, 1);
	poke64(s, 16, old ? 2000 : 2000000); /* 2 ms */
	poke64(s, 32, 0);                    /* the set of the pair: none */
	poke64(s, 40, 8);
	if (old && !isa_has("select", s->isa))
		return false;
	if (old)
		enter(s, "select", 70, at(s, off), 0, 0, at(s, 8));
	else
		enter(s, "pselect6", 70, at(s, off), 0, 0, at(s, 8), at(s, 32));
	return true;
}

static void select_forms(struct side *l, struct side *f, bool l_old, bool f_old)
{
	if (!enter_select(l, 256, l_old) || !enter_select(f, 512, f_old))
		return;
	memset(l->bytes + 256, 0, 16);
	l->bytes[256] = 0x20;
	poke64(l, 8, 0);
	poke64(l, 16, l_old ? 1500 : 1500000);
	assert_int_equal(replay(l, f, 1), 1);
	assert_int_equal(f->bytes[512], 0x20);
	assert_int_equal(f->bytes[520], 0);
	assert_int_equal(peek64(f, 8), 0);
	assert_int_equal(peek64(f, 16), f_old ? 1500 : 1500000);
	assert_int_equal(f->writes, 32);
}

PAIR_TEST(select_and_pselect6_agree)
{
	for (unsigned i = 0; i < 4; i++)
		select_forms(l, f, i & 1, i & 2);
	enter_select(l, 256, false);
	enter_select(f, 512, false);
	f->bytes[520] ^= 0x20; /* bit 69 */
	enter(f, "pselect6", 70, at(f, 512), 0, 0, at(f, 8), 0);
	assert_int_equal(assert_differ(l, f).offset, 8);
}

PAIR_TEST(an_interrupted_select_gives_the_time_left)
{
	if (!enter_select(l, 256, true) || !enter_select(f, 512, false))
		return;
	poke64(l, 8, 0);
	poke64(l, 16, 7);
	assert_int_equal(replay(l, f, -EINTR), -EINTR);
	assert_int_equal(peek64(f, 8), 0);
	assert_int_equal(peek64(f, 16), 7000);
	assert_int_equal(f->writes, 16);
}

PAIR_TEST(sigset_of_pselect6_is_compared)
{
	enter_select(l, 256, false);
	enter_select(f, 512, false);
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = i ? f : l;

		poke64(s, 32, at(s, 64));
		poke64(s, 64, 0x4002);
		enter(s, "pselect6", 70, at(s, i ? 512 : 256), 0, 0, at(s, 8), at(s, 32));
	}
	assert_same(l, f);
	poke64(f, 64, 0x4000);
	enter(f, "pselect6", 70, at(f, 512), 0, 0, at(f, 8), at(f, 32));
	assert_int_equal(assert_differ(l, f).arg, 5);
}

/* ---- time ---- */

static bool enter_time(struct side *s, bool old, size_t off)
{
	if (old && !isa_has("time", s->isa))
		return false;
	if (old)
		enter(s, "time", off ? at(s, off) : 0);
	else
		enter(s, "clock_gettime", CLOCK_REALTIME_COARSE, at(s, off ? off : 512));
	return true;
}

static void time_forms(struct side *l, struct side *f, bool l_old, bool f_old, size_t off)
{
	int64_t ret;

	memset(f->bytes + 64, 0x77, 16);
	if (!enter_time(l, l_old, 0) || !enter_time(f, f_old, off))
		return;
	poke64(l, 512, 1700000000);
	poke64(l, 520, 4000000);
	ret = replay(l, f, l_old ? 1700000000 : 0);
	assert_int_equal(ret, f_old ? 1700000000 : 0);
	if (off || !f_old)
		assert_int_equal(peek64(f, off ? off : 512), 1700000000);
	assert_int_equal(f->writes, f_old ? (off ? 8 : 0) : 16);
}

PAIR_TEST(time_is_a_coarse_clock)
{
	for (unsigned i = 0; i < 8; i++)
		time_forms(l, f, i & 1, i & 2, i & 4 ? 64 : 0);
}

PAIR_TEST(utimes_and_utime_are_utimensat)
{
	const int64_t ts[4] = {11, 5000, 12, 6000}, tv[4] = {11, 5, 12, 6};
	const int64_t whole[4] = {11, 0, 12, 0}, utim[2] = {11, 12};

	if (!isa_has("utimes", l->isa))
		return;
	strcpy((char *)l->bytes + 200, "x");
	strcpy((char *)f->bytes + 200, "x");
	poke(l, 64, tv, sizeof(tv));
	poke(f, 64, ts, sizeof(ts));
	enter(l, "utimes", at(l, 200), at(l, 64));
	enter(f, "utimensat", (uint64_t)-100, at(f, 200), at(f, 64), 0);
	assert_same(l, f);
	poke(l, 64, utim, sizeof(utim));
	poke(f, 64, whole, sizeof(whole));
	enter(l, "utime", at(l, 200), at(l, 64));
	assert_differ(l, f);
	enter(f, "utimensat", (uint64_t)-100, at(f, 200), at(f, 64), 0);
	assert_same(l, f);
	enter(l, "utime", at(l, 200), 0);
	enter(f, "utimensat", (uint64_t)-100, at(f, 200), 0, 0);
	assert_same(l, f);
}

static void poke_lock(struct side *s, uint16_t type, int32_t pid)
{
	poke32(s, 64, type); /* and l_whence 0 */
	poke64(s, 72, 10);
	poke64(s, 80, 1);
	poke(s, 88, &pid, 4);
}

/* F_GETLK: the kernel writes all fields of what it was asked. */
PAIR_TEST(a_lock_is_told)
{
	poke_lock(l, 1, 0x5a5a);
	poke_lock(f, 1, 0x1234);
	enter(l, "fcntl$F_GETLK", 3, 5, at(l, 64));
	enter(f, "fcntl$F_GETLK", 3, 5, at(f, 64));
	assert_same(l, f);
	poke_lock(l, 2, 77);
	poke64(l, 80, 5); /* longer */
	assert_int_equal(replay(l, f, 0), 0);
	assert_memory_equal(f->bytes + 64, l->bytes + 64, 4);
	assert_memory_equal(f->bytes + 72, l->bytes + 72, 20);
}

/* Seconds beside UTIME_NOW and UTIME_OMIT are what was in memory. */
PAIR_TEST(utimensat_without_times)
{
	const int64_t a[4] = {11, UTIME_OMIT, 12, 0}, b[4] = {0x7fff1234, UTIME_OMIT, 12, 0};
	const int64_t c[4] = {1, 0, 3, UTIME_NOW}, d[4] = {1, 0, 4, UTIME_NOW}, e[4] = {2, 0, 3, UTIME_NOW};

	poke(l, 64, a, sizeof(a));
	poke(f, 64, b, sizeof(b));
	enter(l, "utimensat", 5, 0, at(l, 64), 0);
	enter(f, "utimensat", 5, 0, at(f, 64), 0);
	assert_same(l, f);
	poke(l, 64, c, sizeof(c));
	enter(l, "utimensat", 5, 0, at(l, 64), 0);
	assert_differ(l, f);
	poke(f, 64, d, sizeof(d));
	enter(f, "utimensat", 5, 0, at(f, 64), 0);
	assert_same(l, f);
	poke(f, 64, e, sizeof(e));
	enter(f, "utimensat", 5, 0, at(f, 64), 0);
	assert_differ(l, f);
}

PAIR_TEST(gettimeofday_gives_microseconds)
{
	enter(l, "gettimeofday", at(l, 64), 0);
	enter(f, "gettimeofday", at(f, 96), 0);
	poke64(l, 64, 1700000000);
	poke64(l, 72, 999999);
	assert_int_equal(replay(l, f, 0), 0);
	assert_int_equal(peek64(f, 96), 1700000000);
	assert_int_equal(peek64(f, 104), 999999);
}

PAIR_TEST(alarm_is_an_interval_timer)
{
	const int64_t timer[4] = {0, 0, 30, 0};

	if (!isa_has("alarm", l->isa))
		return;
	poke(f, 64, timer, sizeof(timer));
	enter(l, "alarm", 30);
	enter(f, "setitimer", 0, at(f, 64), at(f, 128));
	assert_int_equal(replay(l, f, 12), 0);
	assert_int_equal(peek64(f, 128 + 16), 12);
	assert_int_equal(peek64(f, 128 + 24), 0);
	if (!isa_has("alarm", f->isa))
		return;
	/* and back: half a second that is left shows as one */
	poke(l, 64, timer, sizeof(timer));
	enter(l, "setitimer", 0, at(l, 64), at(l, 128));
	enter(f, "alarm", 30);
	memset(l->bytes + 128, 0, 32);
	poke64(l, 128 + 24, 400000);
	assert_int_equal(replay(l, f, 0), 1);
	assert_int_equal(f->writes, 0);
}

PAIR_TEST(a_sleep_gives_its_rest_only_when_interrupted)
{
	poke64(l, 64, 3);
	poke64(l, 72, 0);
	poke64(f, 64, 3);
	poke64(f, 72, 0);
	enter(l, "clock_nanosleep", CLOCK_MONOTONIC, 0, at(l, 64), at(l, 96));
	enter(f, "clock_nanosleep", CLOCK_MONOTONIC, 0, at(f, 64), at(f, 128));
	assert_int_equal(replay(l, f, 0), 0);
	assert_int_equal(f->writes, 0);
	poke64(l, 96, 2);
	poke64(l, 104, 5);
	assert_int_equal(replay(l, f, -EINTR), -EINTR);
	assert_int_equal(f->writes, 16);
	assert_int_equal(peek64(f, 128), 2);
	assert_int_equal(peek64(f, 136), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(epoll_ctl_ignores_cookies),
		cmocka_unit_test(epoll_wait_translates_cookies),
		cmocka_unit_test(poll_and_ppoll_agree),
		cmocka_unit_test(poll_for_ever_is_ppoll_without_a_timeout),
		cmocka_unit_test(select_and_pselect6_agree),
		cmocka_unit_test(an_interrupted_select_gives_the_time_left),
		cmocka_unit_test(sigset_of_pselect6_is_compared),
		cmocka_unit_test(time_is_a_coarse_clock),
		cmocka_unit_test(utimes_and_utime_are_utimensat),
		cmocka_unit_test(utimensat_without_times),
		cmocka_unit_test(a_lock_is_told),
		cmocka_unit_test(gettimeofday_gives_microseconds),
		cmocka_unit_test(alarm_is_an_interval_timer),
		cmocka_unit_test(a_sleep_gives_its_rest_only_when_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
