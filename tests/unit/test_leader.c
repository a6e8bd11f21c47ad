/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's end of the link, with the test as the hub: window, lockstep, wishes, standard input. */
#include "link_util.h"

#include "match/leader.h"

#include <signal.h>

struct fixture {
	struct start start;
	struct link *mine, *hub;
	struct leader *leader;
	int in[2]; /* the program's stdin */
};

static void set_up(struct fixture *x, enum session_level level)
{
	*x = (struct fixture){ .start = { .level = level, .window_events = 4, .window_bytes = 1 << 20 } };
	x->mine = link_pair(&x->hub);
	assert_int_equal(pipe2(x->in, O_CLOEXEC), 0);
	fcntl(x->in[1], F_SETFL, O_NONBLOCK);
	assert_int_equal(leader_new(x->mine, &x->start, (int[3]){ x->in[1], -1, -1 }, &x->leader), 0);
}

static void tear_down(struct fixture *x)
{
	link_free(x->hub);
	leader_free(x->leader);
	link_free(x->mine);
	close(x->in[0]);
}

static struct frame hear(struct fixture *x, enum frame_type type)
{
	struct frame f;

	do
		assert_int_equal(link_recv_wait(x->hub, 3000, &f), 1);
	while (f.type == FRAME_HEARTBEAT);
	assert_int_equal(f.type, type);
	return f;
}

static void tell(struct fixture *x, enum frame_type type, const void *body, size_t n)
{
	assert_int_equal(link_send(x->hub, type, body, n), 0);
	assert_int_equal(link_drain(x->hub, 3000), 0);
}

static void acknowledge(struct fixture *x, uint64_t events, uint64_t bytes)
{
	uint64_t body[2] = { events, bytes };

	tell(x, FRAME_ACK, body, sizeof(body));
}

static void wait_wish(struct fixture *x, enum leader_wish wish)
{
	int signal = 0;

	leader_wait_wish(x->leader);
	assert_int_equal(leader_take_wish(x->leader, &signal), wish);
}

static struct call_record getpid_call = { .id = CALL_GETPID };

static void wait_news(struct fixture *x)
{
	while (!leader_has_news(x->leader))
		usleep(1000);
}

static void test_window(void **state)
{
	struct fixture x;
	struct leader_slot slot = { .tid = 9 }, other = { .tid = 10 };
	uint64_t events, bytes;

	set_up(&x, LEVEL_ASYNC);
	for (int i = 0; i < 4; i++) {
		assert_true(leader_enter(x.leader, &slot, &getpid_call));
		leader_exit(x.leader, &slot, &getpid_call);
	}
	leader_flush(x.leader);
	leader_counts(x.leader, &events, &bytes);
	assert_int_equal(events, 4);
	assert_int_equal(hear(&x, FRAME_EVENTS).len, bytes);
	/* Full: other threads are served meanwhile, and what they have done is not kept back. */
	assert_false(leader_enter(x.leader, &slot, &getpid_call));
	assert_false(leader_enter(x.leader, &other, &getpid_call));
	assert_false(leader_has_room(x.leader));
	assert_false(leader_has_news(x.leader));
	leader_exit(x.leader, &other, &getpid_call);
	acknowledge(&x, 1, bytes / 4);
	wait_news(&x);
	assert_false(leader_may_go(x.leader, &slot));
	acknowledge(&x, 2, bytes / 2);
	wait_news(&x);
	assert_true(leader_has_room(x.leader));
	assert_true(leader_may_go(x.leader, &slot));
	leader_exit(x.leader, &slot, &getpid_call);
	/* Full again, and the hub wants the end. */
	assert_false(leader_enter(x.leader, &slot, &getpid_call));
	tell(&x, FRAME_KILL, NULL, 0);
	wait_wish(&x, WISH_KILL);
	assert_false(leader_may_go(x.leader, &slot));
	leader_cancel(x.leader, &slot);
	tear_down(&x);
}

static void test_impossible_acknowledgement(void **state)
{
	struct fixture x;

	set_up(&x, LEVEL_ASYNC);
	acknowledge(&x, 1, 1); /* of what was never sent */
	wait_wish(&x, WISH_KILL);
	tear_down(&x);
}

static void test_lockstep(void **state)
{
	struct fixture x;
	struct leader_slot slot = { .tid = 9 }, other = { .tid = 10 };
	uint32_t nine = 9, ten = 10, all = 0;

	set_up(&x, LEVEL_LOCKSTEP);
	x.start.window_events = 64; /* nothing is acknowledged here */
	/* Not matched: other threads are served meanwhile. */
	assert_false(leader_enter(x.leader, &slot, &getpid_call));
	assert_false(leader_enter(x.leader, &other, &getpid_call));
	hear(&x, FRAME_EVENTS);
	hear(&x, FRAME_EVENTS);
	tell(&x, FRAME_MATCHED, &ten, sizeof(ten));
	wait_news(&x);
	assert_false(leader_may_go(x.leader, &slot));
	assert_true(leader_may_go(x.leader, &other));
	tell(&x, FRAME_MATCHED, &nine, sizeof(nine));
	wait_news(&x);
	assert_true(leader_may_go(x.leader, &slot));
	leader_exit(x.leader, &slot, &getpid_call);
	leader_exit(x.leader, &other, &getpid_call);
	/* A match belongs to one call. */
	assert_false(leader_enter(x.leader, &slot, &getpid_call));
	tell(&x, FRAME_MATCHED, &all, sizeof(all));
	while (!leader_may_go(x.leader, &slot))
		usleep(1000);
	assert_true(leader_enter(x.leader, &other, &getpid_call));
	leader_cancel(x.leader, &slot);
	leader_cancel(x.leader, &other);
	tear_down(&x);
}

static unsigned parts_of(const struct frame *f)
{
	struct call_record call = { 0 };
	struct event e = { .call = &call };
	struct reader r = reader_of(f->body, f->len), one;
	size_t n;
	const uint8_t *p = get_blob(&r, f->len, &n);

	assert_non_null(p);
	one = reader_of(p, n);
	assert_int_equal(event_decode(&one, &e), 0);
	call_record_free(&call);
	return e.parts;
}

/* Levels of single calls: what waits says so, and only that is waited for. */
static void test_barriers(void **state)
{
	struct fixture x;
	struct leader_slot slot = { .tid = 9, .barrier = BARRIER_YES };
	struct leader_slot other = { .tid = 10, .barrier = BARRIER_NO };
	uint32_t nine = 9;
	struct frame f;

	set_up(&x, LEVEL_ASYNC);
	x.start.window_events = 64;
	assert_false(leader_enter(x.leader, &slot, &getpid_call));
	f = hear(&x, FRAME_EVENTS);
	assert_int_equal(parts_of(&f), CALL_PART_ENTRY | CALL_PART_AWAITED);
	assert_true(leader_enter(x.leader, &other, &getpid_call));
	tell(&x, FRAME_MATCHED, &nine, sizeof(nine));
	while (!leader_may_go(x.leader, &slot))
		usleep(1000);
	leader_exit(x.leader, &slot, &getpid_call);
	leader_exit(x.leader, &other, &getpid_call);
	slot.barrier = BARRIER_BY_LEVEL;
	assert_true(leader_enter(x.leader, &slot, &getpid_call));
	leader_cancel(x.leader, &slot);
	tear_down(&x);
	/* And the other way round. */
	set_up(&x, LEVEL_LOCKSTEP);
	assert_true(leader_enter(x.leader, &other, &getpid_call));
	leader_exit(x.leader, &other, &getpid_call);
	leader_flush(x.leader);
	f = hear(&x, FRAME_EVENTS);
	assert_int_equal(parts_of(&f) & CALL_PART_AWAITED, 0);
	assert_false(leader_enter(x.leader, &slot, &getpid_call));
	leader_cancel(x.leader, &slot);
	tear_down(&x);
}

static void test_wishes(void **state)
{
	struct fixture x;
	uint32_t tid = 77, term = SIGTERM;
	int signal = 0;

	set_up(&x, LEVEL_ASYNC);
	/* A signal is not lost because something else was wished before it was taken. */
	tell(&x, FRAME_SIGNAL, &term, sizeof(term));
	tell(&x, FRAME_REPORT, &tid, sizeof(tid));
	while (leader_wish(x.leader) != WISH_REPORT)
		usleep(1000);
	wait_wish(&x, WISH_REPORT);
	assert_int_equal(leader_report_tid(x.leader), 77);
	assert_int_equal(leader_take_wish(x.leader, &signal), WISH_SIGNAL);
	assert_int_equal(signal, SIGTERM);
	assert_int_equal(leader_take_wish(x.leader, &signal), WISH_NONE);
	/* Nothing comes after a kill. */
	tell(&x, FRAME_KILL, NULL, 0);
	tell(&x, FRAME_GO, NULL, 0);
	wait_wish(&x, WISH_KILL);
	wait_wish(&x, WISH_KILL);
	tear_down(&x);
}

static uint32_t credit(struct fixture *x)
{
	struct frame f = hear(x, FRAME_STDIO);
	uint32_t n;

	assert_int_equal(f.len, 5);
	assert_int_equal(f.body[0], 0);
	memcpy(&n, f.body + 1, sizeof(n));
	return n;
}

static void test_stdin(void **state)
{
	uint8_t *block = calloc(1, 1 + STDIN_AHEAD), *got = malloc(STDIN_AHEAD);
	size_t taken = 0, read_so_far = 0;
	struct fixture x;

	set_up(&x, LEVEL_ASYNC);
	for (unsigned i = 0; i < STDIN_AHEAD; i++)
		block[1 + i] = (uint8_t)(i * 7);
	tell(&x, FRAME_STDIO, block, 1 + STDIN_AHEAD);
	tell(&x, FRAME_STDIO, block, 1); /* the end, long before the pipe has taken all */
	while (taken < STDIN_AHEAD) {
		taken += credit(&x);
		while (read_so_far < taken) {
			ssize_t n = read(x.in[0], got + read_so_far, taken - read_so_far);

			assert_true(n > 0);
			read_so_far += (size_t)n;
		}
	}
	assert_memory_equal(got, block + 1, STDIN_AHEAD);
	assert_int_equal(read(x.in[0], got, 1), 0);
	tear_down(&x);
	free(block);
	free(got);
}

static void test_stdin_without_reader(void **state)
{
	uint8_t bytes[1 + 100] = { 0 };
	struct fixture x;

	set_up(&x, LEVEL_ASYNC);
	close(x.in[0]);
	x.in[0] = -1;
	for (int i = 0; i < 3; i++) {
		tell(&x, FRAME_STDIO, bytes, sizeof(bytes));
		assert_int_equal(credit(&x), 100);
	}
	tear_down(&x);
}

static void test_stdin_over_credit(void **state)
{
	uint8_t *block = calloc(1, 1 + 3 * STDIN_AHEAD);
	struct fixture x;

	set_up(&x, LEVEL_ASYNC);
	tell(&x, FRAME_STDIO, block, 1 + 3 * STDIN_AHEAD);
	wait_wish(&x, WISH_KILL);
	tear_down(&x);
	free(block);
}

/* A thread that dies in a call may have executed it. */
static void test_death_in_a_call(void **state)
{
	struct fixture x;
	struct leader_slot slot = { .tid = 9 };
	struct call_record call = { 0 };
	struct event e = { .call = &call };
	struct reader r;
	struct frame f;
	size_t n;

	set_up(&x, LEVEL_ASYNC);
	assert_true(leader_enter(x.leader, &slot, &getpid_call));
	leader_abandon(x.leader, &slot);
	leader_death(x.leader, 9, SIGKILL);
	leader_flush(x.leader);
	f = hear(&x, FRAME_EVENTS);
	r = reader_of(f.body, f.len);
	for (int i = 0; i < 2; i++) {
		const uint8_t *p = get_blob(&r, f.len, &n);
		struct reader one = reader_of(p, n);

		assert_int_equal(event_decode(&one, &e), 0);
		assert_int_equal(e.kind, i ? EVENT_DEATH : EVENT_CALL);
		assert_true(i || e.parts == CALL_PART_ENTRY);
	}
	assert_true(reader_done(&r));
	call_record_free(&call);
	tear_down(&x);
}

static void test_hub_gone(void **state)
{
	struct fixture x;

	set_up(&x, LEVEL_ASYNC);
	link_free(x.hub);
	wait_wish(&x, WISH_KILL);
	leader_free(x.leader);
	link_free(x.mine);
	close(x.in[0]);
}

static void test_hub_silent(void **state)
{
	struct fixture x;

	set_up(&x, LEVEL_ASYNC);
	wait_wish(&x, WISH_KILL); /* after PEER_TIMEOUT_MS */
	tear_down(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_impossible_acknowledgement),
		cmocka_unit_test(test_lockstep),
		cmocka_unit_test(test_barriers),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_stdin),
		cmocka_unit_test(test_stdin_without_reader),
		cmocka_unit_test(test_stdin_over_credit),
		cmocka_unit_test(test_death_in_a_call),
		cmocka_unit_test(test_hub_gone),
		cmocka_unit_test(test_hub_silent),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
