/* SPDX-License-Identifier: Apache-2.0 */
#include "link_util.h"

#include "base/clock.h"

#include <pthread.h>

struct side {
	struct link *link;
	struct hello mine, peer;
	int delay_ms, result;
};

static void *side_main(void *arg)
{
	struct side *s = arg;

	usleep((useconds_t)s->delay_ms * 1000);
	s->result = link_handshake(s->link, &s->mine, 2000, &s->peer);
	return NULL;
}

/* Two sides, the second delayed; frees the links. */
static void shake(struct side *a, struct side *b)
{
	pthread_t t;

	a->link = link_pair(&b->link);
	assert_int_equal(pthread_create(&t, NULL, side_main, b), 0);
	side_main(a);
	pthread_join(t, NULL);
}

static void free_sides(struct side *a, struct side *b)
{
	link_free(a->link);
	link_free(b->link);
}

static void test_either_order(void **state)
{
	for (int order = 0; order < 2; order++) {
		struct side a = { .mine = test_hello(), .delay_ms = order ? 50 : 0 };
		struct side b = { .mine = test_hello(), .delay_ms = order ? 0 : 50 };
		struct frame f;

		b.mine.isa = 0;
		memset(a.mine.session, 5, sizeof(a.mine.session));
		shake(&a, &b);
		assert_int_equal(a.result, 0);
		assert_int_equal(b.result, 0);
		assert_memory_equal(&a.peer, &b.mine, sizeof(struct hello));
		assert_memory_equal(&b.peer, &a.mine, sizeof(struct hello));
		/* once is enough */
		assert_int_equal(link_send(a.link, FRAME_HELLO, "x", 1), 0);
		assert_int_equal(link_flush(a.link), 1);
		assert_int_equal(link_recv(b.link, &f), -EPROTO);
		assert_string_equal(link_error(b.link),
				    "the leader sent a frame of type HELLO instead of what may come here");
		free_sides(&a, &b);
	}
}

/* Each side says it for itself; neither says it of itself. */
static void test_both_refuse(void **state)
{
	struct side a = { .mine = test_hello() }, b = { .mine = test_hello() };

	b.mine.page_size = 65536;
	shake(&a, &b);
	assert_int_equal(a.result, -EPROTO);
	assert_int_equal(b.result, -EPROTO);
	assert_string_equal(link_error(a.link), "the follower has pages of 65536 bytes, this side "
						"of 4096; both need the same");
	assert_string_equal(link_error(b.link), "the leader has pages of 4096 bytes, this side of "
						"65536; both need the same");
	free_sides(&a, &b);
}

/* What a peer that sends these bytes and closes (or not) makes of a handshake. */
static void check_refused(const struct writer *w, bool close_it, int result, const char *error)
{
	struct hello mine = test_hello(), peer = { .version = 77 };
	struct frame f;
	struct link *l;
	int fd;

	memset(mine.session, 1, sizeof(mine.session));
	l = link_and_fd(&fd);
	if (w->len)
		write_all(fd, w->data, w->len);
	if (close_it)
		close(fd);
	assert_int_equal(link_handshake(l, &mine, 50, &peer), result);
	assert_string_equal(link_error(l), error);
	assert_int_equal(link_recv(l, &f), result);
	assert_int_equal(link_send(l, FRAME_ACK, NULL, 0), result);
	assert_int_equal(peer.version, 77); /* untouched */
	if (!close_it)
		close(fd);
	link_free(l);
}

static void check_hello(const struct hello *h, const char *error)
{
	struct writer w = { 0 };

	put_hello_frame(&w, h);
	check_refused(&w, false, -EPROTO, error);
	writer_free(&w);
}

static void test_fields(void **state)
{
	struct hello h = test_hello();

	h.magic[7] ^= 1;
	check_hello(&h, "the follower has another protocol magic than Chiral");
	h = test_hello();
	h.version = 4;
	check_hello(&h, "the follower has version 4 of the protocol, this side has version 3; "
			"install the same release on both");
	h = test_hello();
	h.isa = 2;
	check_hello(&h, "the follower has a HELLO with an unknown ISA");
	h = test_hello();
	h.zero = 1;
	check_hello(&h, "the follower has a HELLO with a reserved field that is not zero");
	h = test_hello();
	h.table_digest[15] ^= 0x80;
	check_hello(&h, "the follower was built with another call table; "
			"install the same release on both");
	h = test_hello();
	memset(h.session, 2, sizeof(h.session));
	check_hello(&h, "the follower belongs to another session");
}

static void test_sizes(void **state)
{
	struct hello h = test_hello(), future = test_hello();
	struct writer w = { 0 };

	/* one byte short, one too many */
	put_frame(&w, HELLO_SIZE - 1, FRAME_HELLO, 0, NULL, 0);
	hello_encode(&w, &h);
	w.len--;
	check_refused(&w, false, -EPROTO, "the follower has a HELLO that is not 48 bytes long");
	writer_reset(&w);
	put_frame(&w, HELLO_SIZE + 1, FRAME_HELLO, 0, NULL, 0);
	hello_encode(&w, &h);
	put_u8(&w, 0);
	check_refused(&w, false, -EPROTO, "the follower has a HELLO that is not 48 bytes long");
	/* a later version may be longer: the version is what to say */
	writer_reset(&w);
	future.version = 9;
	put_frame(&w, HELLO_SIZE + 1, FRAME_HELLO, 0, NULL, 0);
	hello_encode(&w, &future);
	put_u8(&w, 0);
	check_refused(&w, false, -EPROTO,
		      "the follower has version 9 of the protocol, this side has version 3; "
		      "install the same release on both");
	writer_free(&w);
}

static void test_no_hello(void **state)
{
	struct writer w = { 0 };

	check_refused(&w, false, -ETIMEDOUT, "the follower sent no HELLO within 50 ms");
	put_bytes(&w, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
	check_refused(&w, false, -EPROTO,
		      "the follower sent a frame of the unknown type 8239 instead of a HELLO");
	writer_reset(&w);
	put_frame(&w, 3, FRAME_EVENTS, 0, "abc", 3);
	check_refused(&w, false, -EPROTO, "the follower sent a frame of type EVENTS instead of a HELLO");
	/* nothing large is waited for before the peer is known */
	writer_reset(&w);
	put_frame(&w, 1025, FRAME_HELLO, 0, NULL, 0);
	check_refused(&w, false, -EPROTO,
		      "the follower sent a frame of type HELLO and 1025 bytes, over the bound of 1024");
	writer_free(&w);
}

static void test_truncation(void **state)
{
	struct hello h = test_hello();
	struct writer w = { 0 };
	size_t len;

	put_hello_frame(&w, &h);
	len = w.len;
	for (w.len = 0; w.len < len; w.len++)
		check_refused(&w, true, w.len ? -EPROTO : -EPIPE,
			      w.len ? "the follower closed the connection inside a frame" :
				      "the follower closed the connection");
	/* stuck inside it */
	for (w.len = 1; w.len < len; w.len += 9)
		check_refused(&w, false, -ETIMEDOUT, "the follower sent no HELLO within 50 ms");
	writer_free(&w);
}

/* A peer that adds a byte now and then must not hold the handshake beyond its timeout. */
static void *trickle_main(void *arg)
{
	int fd = *(int *)arg;
	struct hello h = test_hello();
	struct writer w = { 0 };

	put_hello_frame(&w, &h);
	for (size_t i = 0; i < w.len; i++) {
		if (send(fd, w.data + i, 1, MSG_NOSIGNAL) < 0)
			break;
		usleep(10000);
	}
	writer_free(&w);
	return NULL;
}

static void test_trickle(void **state)
{
	struct hello mine = test_hello(), peer;
	int64_t before = time_now_ms();
	struct link *l;
	pthread_t t;
	int fd;

	l = link_and_fd(&fd);
	pthread_create(&t, NULL, trickle_main, &fd);
	assert_int_equal(link_handshake(l, &mine, 100, &peer), -ETIMEDOUT);
	assert_true(time_now_ms() - before < 400);
	link_free(l);
	pthread_join(t, NULL);
	close(fd);

	l = link_and_fd(&fd);
	pthread_create(&t, NULL, trickle_main, &fd);
	assert_int_equal(link_handshake(l, &mine, 10000, &peer), 0);
	pthread_join(t, NULL);
	close(fd);
	link_free(l);
}

static void test_frames_behind_it_stay(void **state)
{
	struct hello h = test_hello(), peer;
	struct writer w = { 0 };
	struct frame f;
	struct link *l;
	int fd;

	l = link_and_fd(&fd);
	put_hello_frame(&w, &h);
	put_frame(&w, 5, FRAME_START, 0, "start", 5);
	put_frame(&w, 0, FRAME_GO, 0, NULL, 0);
	put_frame(&w, 9, FRAME_EVENTS, 0, "cut", 3);
	write_all(fd, w.data, w.len);
	assert_int_equal(link_handshake(l, &h, 1000, &peer), 0);
	assert_int_equal(link_recv(l, &f), 1);
	assert_int_equal(f.type, FRAME_START);
	assert_memory_equal(f.body, "start", 5);
	assert_int_equal(link_recv(l, &f), 1);
	assert_int_equal(f.type, FRAME_GO);
	assert_int_equal(link_recv(l, &f), 0);
	write_all(fd, "offhere", 6);
	assert_int_equal(link_recv(l, &f), 1);
	assert_memory_equal(f.body, "cutoffher", 9);
	writer_free(&w);
	close(fd);
	link_free(l);
}

/* The first bytes on the wire are the HELLO, before anything was received. */
static void test_hello_comes_first(void **state)
{
	struct hello mine = test_hello(), peer;
	struct writer w = { 0 };
	uint8_t wire[200];
	struct link *l;
	int fd;

	l = link_and_fd(&fd);
	assert_int_equal(link_handshake(l, &mine, 0, &peer), -ETIMEDOUT);
	put_hello_frame(&w, &mine);
	assert_int_equal(read(fd, wire, sizeof(wire)), w.len);
	assert_memory_equal(wire, w.data, w.len);
	writer_free(&w);
	close(fd);
	link_free(l);
}

static void test_hello_init(void **state)
{
	uint8_t session[16] = { 1, 2, 3 };
	static const uint8_t none[16];
	struct hello a, b;
	struct writer w = { 0 };
	struct reader r;
	char why[160];

	hello_init(&a, session);
	hello_init(&b, NULL);
	assert_memory_equal(a.session, session, 16);
	assert_memory_equal(b.session, none, 16);
	assert_memory_equal(a.table_digest, b.table_digest, 16);
	assert_memory_not_equal(a.table_digest, none, 16);
	assert_int_equal(a.page_size, sysconf(_SC_PAGESIZE));
	hello_encode(&w, &a);
	assert_int_equal(w.len, HELLO_SIZE);
	r = reader_of(w.data, w.len);
	assert_int_equal(hello_decode(&r, &b, why, sizeof(why)), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	writer_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_either_order),	 cmocka_unit_test(test_both_refuse),
		cmocka_unit_test(test_fields),		 cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_no_hello),	 cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_trickle),		 cmocka_unit_test(test_frames_behind_it_stay),
		cmocka_unit_test(test_hello_comes_first), cmocka_unit_test(test_hello_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
