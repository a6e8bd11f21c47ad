/* SPDX-License-Identifier: Apache-2.0 */
#include "link_util.h"

#include "base/clock.h"

#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <termios.h>

static uint8_t big[FRAME_MAX];

static int setup(void **state)
{
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 + (i >> 8) * 13);
	return 0;
}

/* Both ends never block, so one thread can play both. */
static void pass(struct link *from, struct link *to, enum frame_type type, const void *body,
		 size_t len)
{
	struct frame f;
	int r;

	assert_int_equal(link_send(from, type, body, len), 0);
	do {
		assert_true(link_flush(from) >= 0);
		r = link_recv(to, &f);
	} while (r == 0);
	assert_int_equal(r, 1);
	assert_int_equal(f.type, type);
	assert_int_equal(f.len, len);
	assert_memory_equal(f.body, body, len);
	assert_int_equal(link_queued(from), 0);
}

static void test_round_trip(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 4096, 65528, 65536, 1 << 20, FRAME_MAX };
	struct link *a, *b;

	a = link_pair(&b);
	for (unsigned type = 0; type < FRAME_END; type++)
		pass(a, b, type, big, 100 + type);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		pass(a, b, FRAME_EVENTS, big, sizes[i]);
		pass(b, a, FRAME_ACK, big, sizes[i]);
	}
	assert_int_equal(link_send(a, FRAME_EVENTS, big, (size_t)FRAME_MAX + 1), -EMSGSIZE);
	assert_string_equal(link_error(a), "");
	assert_string_equal(link_error(b), "");
	link_free(a);
	link_free(b);
}

static void test_batches(void **state)
{
	struct link *a, *b;
	struct frame f;
	uint32_t sent = 0, got = 0, seed = 1;

	a = link_pair(&b);
	while (got < 20000) {
		for (int i = 0; i < 50 && sent < 20000; i++, sent++) {
			seed = seed * 1103515245 + 12345;
			memcpy(big, &sent, 4);
			assert_int_equal(link_send(a, FRAME_EVENTS, big, 4 + (seed >> 16) % 3000), 0);
		}
		assert_true(link_flush(a) >= 0);
		while (link_recv(b, &f) == 1) {
			assert_memory_equal(f.body, &got, 4);
			got++;
		}
	}
	link_free(a);
	link_free(b);
}

static void test_byte_by_byte(void **state)
{
	struct writer w = { 0 };
	struct frame f;
	struct link *l;
	int fd, frames = 0;

	l = link_and_fd(&fd);
	put_frame(&w, 5, FRAME_STDIO, 0, "\1abcd", 5);
	put_frame(&w, 0, FRAME_HEARTBEAT, 0, NULL, 0);
	put_frame(&w, 3, FRAME_ACK, 0, "xyz", 3);
	for (size_t i = 0; i < w.len; i++) {
		int r;

		write_all(fd, w.data + i, 1);
		r = link_recv(l, &f);
		assert_int_equal(r, i == 12 || i == 20 || i == 31);
		frames += r;
	}
	assert_int_equal(frames, 3);
	assert_memory_equal(f.body, "xyz", 3);
	close(fd);
	assert_int_equal(link_recv(l, &f), -EPIPE);
	assert_string_equal(link_error(l), "the follower closed the connection");
	writer_free(&w);
	link_free(l);
}

/* A peer is not silent while a large frame of its is on its way. */
static void test_heard_within_a_frame(void **state)
{
	int64_t begin = time_now_ms();
	struct writer w = { 0 };
	struct frame f;
	struct link *l;
	int fd;

	l = link_and_fd(&fd);
	assert_int_equal(link_recv(l, &f), 0);
	assert_int_equal(link_heard_at(l, 77), 77);
	put_frame(&w, 20, FRAME_EVENTS, 0, big, 20);
	write_all(fd, w.data, 12);
	assert_int_equal(link_recv(l, &f), 0);
	assert_true(link_heard_at(l, 77) >= begin);
	assert_int_equal(link_heard_at(l, INT64_MAX), INT64_MAX);
	close(fd);
	writer_free(&w);
	link_free(l);
}

/* Every prefix of two frames, then the end of the stream. */
static void test_truncation(void **state)
{
	struct writer w = { 0 };

	put_frame(&w, 20, FRAME_EVENTS, 0, big, 20);
	put_frame(&w, 1, FRAME_KILL, 0, big, 1);
	for (size_t cut = 0; cut <= w.len; cut++) {
		bool between = cut == 0 || cut == 28 || cut == w.len;
		struct frame f;
		struct link *l;
		int fd, r, frames = 0;

		l = link_and_fd(&fd);
		write_all(fd, w.data, cut);
		close(fd);
		while ((r = link_recv(l, &f)) == 1)
			frames++;
		assert_int_equal(frames, (cut >= 28) + (cut == w.len));
		assert_int_equal(r, between ? -EPIPE : -EPROTO);
		assert_string_equal(link_error(l),
				    between ? "the follower closed the connection" :
					      "the follower closed the connection inside a frame");
		assert_int_equal(link_recv(l, &f), r);
		assert_int_equal(link_send(l, FRAME_ACK, NULL, 0), r);
		link_free(l);
	}
	writer_free(&w);
}

static void test_refused(void **state)
{
	static const struct {
		uint32_t len;
		uint16_t type, zero;
		const char *error;
	} rows[] = {
		{ 0x20544547, 0x202f, 0x5448,
		  "the follower sent a frame of the unknown type 8239 instead of what may come here" },
		{ FRAME_MAX + 1, FRAME_EVENTS, 0,
		  "the follower sent a frame of type EVENTS and 83886081 bytes, over the bound of 83886080" },
		{ UINT32_MAX, FRAME_VERDICT, 0,
		  "the follower sent a frame of type VERDICT and 4294967295 bytes, over the bound of 83886080" },
		{ 4, _FRAME_TYPE_MAX, 0, NULL },
		{ 4, UINT16_MAX, 0,
		  "the follower sent a frame of the unknown type 65535 instead of what may come here" },
		{ 4, FRAME_END, 0,
		  "the follower sent a frame of type END instead of what may come here" },
		{ 4, FRAME_ACK, 1,
		  "the follower sent a frame of type ACK with 1 in the reserved field" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct writer w = { 0 };
		char unknown[160];
		struct frame f;
		struct link *l;
		int fd;

		l = link_and_fd(&fd);
		put_frame(&w, rows[i].len, rows[i].type, rows[i].zero, "body", 4);
		write_all(fd, w.data, w.len);
		assert_int_equal(link_recv(l, &f), -EPROTO);
		snprintf(unknown, sizeof(unknown), "the follower sent a frame of the unknown type "
			 "%u instead of what may come here", _FRAME_TYPE_MAX);
		assert_string_equal(link_error(l), rows[i].error ? rows[i].error : unknown);
		assert_int_equal(link_recv(l, &f), -EPROTO);
		assert_int_equal(link_flush(l), -EPROTO);
		writer_free(&w);
		close(fd);
		link_free(l);
	}
}

static void test_peer_stops_reading(void **state)
{
	struct link *a, *b;
	struct frame f;
	size_t sent = 0, got = 0;
	int r;

	a = link_pair(&b);
	link_set_queue_max(a, 4 << 20);
	while ((r = link_send(a, FRAME_EVENTS, big, 100000)) == 0) {
		sent++;
		assert_int_equal(link_flush(a) < 0, 0);
		assert_true(link_queued(a) <= 4 << 20);
	}
	assert_int_equal(r, -ENOBUFS);
	assert_memory_equal(link_error(a), "the follower has stopped reading: 4", 35);
	assert_true(sent >= 40 && sent < 60);
	assert_int_equal(link_drain(a, 20), -ETIMEDOUT);
	assert_memory_equal(link_error(a), "the follower does not read: ", 28);

	/* It was only slow: nothing was lost. */
	while (got < sent) {
		assert_true(link_flush(a) >= 0);
		while (link_recv(b, &f) == 1) {
			assert_int_equal(f.len, 100000);
			assert_memory_equal(f.body, big, f.len);
			got++;
		}
	}
	pass(a, b, FRAME_ACK, "still", 5);
	link_free(a);
	link_free(b);
}

/* The default bound lets the largest frame pass, and one that a frame in flight leaves no room for not. */
static void test_default_bound(void **state)
{
	struct link *a, *b;

	a = link_pair(&b);
	assert_int_equal(link_send(a, FRAME_EVENTS, big, FRAME_MAX), 0);
	assert_int_equal(link_send(a, FRAME_EVENTS, big, 17 << 20), -ENOBUFS);
	assert_int_equal(link_send(a, FRAME_EVENTS, big, 1 << 20), 0);
	link_free(a);
	link_free(b);
}

/* SIGPIPE has its default action here: the test would die of it. */
static void test_write_after_close(void **state)
{
	struct writer w = { 0 };
	struct frame f;
	struct link *l;
	int fd;

	l = link_and_fd(&fd);
	put_frame(&w, 4, FRAME_ERROR, 0, "why!", 4);
	write_all(fd, w.data, w.len);
	close(fd);
	assert_int_equal(link_send(l, FRAME_ACK, "x", 1), 0);
	assert_int_equal(link_flush(l), -EPIPE);
	assert_string_equal(link_error(l), "the follower cannot be written to: Broken pipe");
	assert_int_equal(link_send(l, FRAME_ACK, "x", 1), -EPIPE);
	assert_int_equal(link_drain(l, 10), -EPIPE);
	/* its last word */
	assert_int_equal(link_recv_wait(l, 1000, &f), 1);
	assert_memory_equal(f.body, "why!", 4);
	assert_int_equal(link_recv_wait(l, 1000, &f), -EPIPE);
	writer_free(&w);
	link_free(l);
}

static void test_recv_wait(void **state)
{
	struct link *a, *b;
	struct frame f;
	int64_t before = time_now_ms();

	a = link_pair(&b);
	assert_int_equal(link_recv_wait(a, 30, &f), -ETIMEDOUT);
	assert_true(time_now_ms() - before >= 29);
	assert_string_equal(link_error(a), "the follower said nothing for 30 ms");
	assert_int_equal(link_recv_wait(a, 0, &f), -ETIMEDOUT);
	/* a timeout is no failure; waiting writes the queue */
	assert_int_equal(link_send(a, FRAME_ACK, "q", 1), 0);
	assert_int_equal(link_recv_wait(a, 0, &f), -ETIMEDOUT);
	assert_int_equal(link_recv(b, &f), 1);
	link_free(a);
	link_free(b);
}

static void *reader_main(void *arg)
{
	struct link *l = arg;
	struct frame f;
	size_t total = 0;

	while (link_recv_wait(l, 5000, &f) == 1)
		total += f.len;
	return (void *)total;
}

static void test_drain(void **state)
{
	struct link *a, *b;
	pthread_t t;
	void *total;

	a = link_pair(&b);
	pthread_create(&t, NULL, reader_main, b);
	for (int i = 0; i < 90; i++)
		assert_int_equal(link_send(a, FRAME_EVENTS, big, 1 << 20), 0);
	assert_int_equal(link_drain(a, -1), 0);
	link_free(a);
	pthread_join(t, &total);
	assert_int_equal((size_t)total, 90 << 20);
	link_free(b);
}

/* A pseudo-terminal in raw mode stands for a virtio-serial port: both are character devices. */
static void test_character_device(void **state)
{
	struct link *a, *b;
	struct termios raw;
	struct frame f;
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	assert_int_equal(link_new(master, "the node", &a), 0);
	assert_int_equal(link_new(slave, "the hub", &b), 0);
	pass(a, b, FRAME_EVENTS, big, 300000);
	pass(b, a, FRAME_EVENTS, big, 300000);
	link_free(a);
	assert_int_equal(link_recv_wait(b, 1000, &f), -EPIPE);
	assert_string_equal(link_error(b), "the hub closed the connection");
	link_free(b);
}

static void test_names(void **state)
{
	assert_string_equal(frame_type_name(FRAME_HELLO), "HELLO");
	assert_string_equal(frame_type_name(FRAME_END), "END");
	assert_string_equal(frame_type_name(_FRAME_TYPE_MAX), "?");
	assert_string_equal(frame_type_name((enum frame_type)-1), "?");
	for (unsigned type = 0; type < _FRAME_TYPE_MAX; type++) {
		assert_true(strlen(frame_type_name(type)) > 1);
		assert_true(strlen(frame_type_text(type)) > 5);
	}
	assert_string_equal(frame_type_text(_FRAME_TYPE_MAX), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	   cmocka_unit_test(test_batches),
		cmocka_unit_test(test_byte_by_byte),	   cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_heard_within_a_frame),
		cmocka_unit_test(test_refused),		   cmocka_unit_test(test_peer_stops_reading),
		cmocka_unit_test(test_default_bound),	   cmocka_unit_test(test_write_after_close),
		cmocka_unit_test(test_recv_wait),	   cmocka_unit_test(test_drain),
		cmocka_unit_test(test_character_device), cmocka_unit_test(test_names),
	};

	signal(SIGPIPE, SIG_DFL);
	return cmocka_run_group_tests(tests, setup, NULL);
}
