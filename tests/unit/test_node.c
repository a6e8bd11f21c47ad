/* SPDX-License-Identifier: Apache-2.0 */
/* Names of nodes, requests for commands, and where a connection over a virtio-serial port begins.
 */
#include "unit.h"

#include "node/exec.h"
#include "node/microvm.h"
#include "node/node.h"
#include "node/port_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- names ----------------------------------------------------------------------------------- */

static void check_node(const char *text, enum node_kind kind, enum isa isa)
{
	struct node_spec s = {0};

	assert_int_equal(node_parse(text, &s), 0);
	assert_int_equal(s.kind, kind);
	if (kind != NODE_STREAM)
		assert_int_equal(s.isa, isa);
	else
		assert_string_equal(s.address, text);
	node_spec_free(&s);
}

static void test_node_parse(void **state)
{
	static const char *const bad[] = {"",         "Local",      "locals",
					  "microvmx", "microvm:",   "microvm:mips",
					  "tcp:/x:1", "ssh://host", "http://x"};
	enum isa other = isa_native == ISA_X86_64 ? ISA_AARCH64 : ISA_X86_64;
	struct node_spec s;

	check_node("local", NODE_LOCAL, isa_native);
	check_node("microvm", NODE_MICROVM, other);
	check_node("microvm:arm64", NODE_MICROVM, ISA_AARCH64);
	check_node("microvm:aarch64", NODE_MICROVM, ISA_AARCH64);
	check_node("microvm:amd64", NODE_MICROVM, ISA_X86_64);
	check_node("tcp://host:1", NODE_STREAM, 0);
	check_node("unix:/run/x", NODE_STREAM, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(node_parse(bad[i], &s), -EINVAL);
}

static void test_publish_parse(void **state)
{
	static const char *const bad[] = {
		"",     "80",   "80:",  ":80",  "0:80", "80:0", "1:2:3", "65536:1",      "1:65536",
		" 1:2", "1: 2", "+1:2", "-1:2", "1:2 ", "a:b",  "1:2x",  "99999999999:1"};
	unsigned host = 0, guest = 0;

	assert_int_equal(microvm_publish_parse("8080:80", &host, &guest), 0);
	assert_int_equal(host, 8080);
	assert_int_equal(guest, 80);
	assert_int_equal(microvm_publish_parse("65535:1", &host, &guest), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(microvm_publish_parse(bad[i], &host, &guest), -EINVAL);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void encode(struct writer *w)
{
	char *argv[] = {"a", "", "c d", NULL}, *env[] = {"X=1", NULL};
	struct exec_request req = {.argv = argv, .env = env, .cwd = "/tmp"};

	exec_request_encode(w, &req);
	assert_false(w->failed);
}

static void test_exec_request(void **state)
{
	struct writer w = {0};
	struct exec_request req;

	encode(&w);
	assert_int_equal(exec_request_decode(w.data, w.len, &req), 0);
	assert_string_equal(req.cwd, "/tmp");
	assert_string_equal(req.argv[0], "a");
	assert_string_equal(req.argv[1], "");
	assert_string_equal(req.argv[2], "c d");
	assert_null(req.argv[3]);
	assert_string_equal(req.env[0], "X=1");
	assert_null(req.env[1]);
	exec_request_free(&req);
	writer_free(&w);
}

static void test_exec_request_cut(void **state)
{
	struct writer w = {0};
	struct exec_request req;

	encode(&w);
	for (size_t n = 0; n < w.len; n++)
		assert_int_equal(exec_request_decode(w.data, n, &req), -EPROTO);
	put_u8(&w, 0);
	assert_int_equal(exec_request_decode(w.data, w.len, &req), -EPROTO);
	writer_free(&w);
}

static void test_exec_request_empty(void **state)
{
	char *none[] = {NULL};
	struct exec_request req = {.argv = none};
	struct writer w = {0};

	exec_request_encode(&w, &req);
	assert_int_equal(exec_request_decode(w.data, w.len, &req), -EPROTO);
	writer_free(&w);
}

/* ---- the beginning of a connection ----------------------------------------------------------- */

struct ends {
	int host, guest;
	pthread_t thread;
	int result; /* of the guest */
};

static void *guest_main(void *arg)
{
	struct ends *e = arg;

	e->result = port_sync_guest(e->guest);
	if (e->result == 0 && write(e->guest, "hello", 5) != 5)
		e->result = -EIO;
	return NULL;
}

static void ends_open(struct ends *e)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	e->host = pair[0];
	e->guest = pair[1];
	fcntl(e->guest, F_SETFL, O_NONBLOCK);
}

static void ends_sync(struct ends *e)
{
	char buf[6] = "";

	assert_int_equal(pthread_create(&e->thread, NULL, guest_main, e), 0);
	assert_int_equal(port_sync_host(e->host, 5000), 0);
	assert_int_equal(read(e->host, buf, 5), 5);
	assert_string_equal(buf, "hello");
	pthread_join(e->thread, NULL);
	assert_int_equal(e->result, 0);
	close(e->host);
	close(e->guest);
}

static void test_sync(void **state)
{
	struct ends e;

	ends_open(&e);
	ends_sync(&e);
}

#define SYNC                                                                                       \
	"\x7f"                                                                                     \
	"CHSYNC"

/* What an earlier connection may have left in either direction. */
static void test_sync_after_leftovers(void **state)
{
	static const char *const left[] = {
		"x",
		"\x7f",
		"\x7f"
		"CH",
		"\x7f\x7f"
		"CHSYN",
		SYNC,
		SYNC "\x01"
		     "0123456789abcde",
		SYNC "\x01"
		     "0123456789abcdef",
		SYNC "\x02"
		     "0123456789abcdef",
		SYNC "\x03"
		     "0123456789abcdef",
		SYNC "\x04"
		     "0123456789abcdef",
		SYNC "\x01"
		     "0123456789abcdef" SYNC "\x03"
		     "0123456789abcdeX",
		SYNC SYNC "\x04",
	};

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		size_t n = strlen(left[i]);
		struct ends e;

		ends_open(&e);
		assert_int_equal(write(e.host, left[i], n), n);
		assert_int_equal(write(e.guest, left[i], n), n);
		ends_sync(&e);
	}
}

static void test_sync_after_much(void **state)
{
	static char junk[100000];
	struct ends e;

	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = SYNC[i * 7 % 5];
	ends_open(&e);
	assert_int_equal(write(e.host, junk, sizeof(junk)), sizeof(junk));
	assert_int_equal(write(e.guest, junk, sizeof(junk)), sizeof(junk));
	ends_sync(&e);
}

static void test_sync_nobody(void **state)
{
	struct ends e;

	ends_open(&e);
	assert_int_equal(port_sync_host(e.host, 600), -ETIMEDOUT);
	close(e.host);
	assert_int_equal(port_sync_guest(e.guest), -EPIPE);
	close(e.guest);
}

/* The guest may throw away what came before it opened the port: the host asks again. */
static void test_sync_lost_record(void **state)
{
	struct ends e;
	char buf[24];
	int status;
	pid_t host;

	ends_open(&e);
	host = fork();
	if (host == 0)
		_exit(port_sync_host(e.host, 5000) != 0);
	fcntl(e.guest, F_SETFL, 0);
	assert_int_equal(recv(e.guest, buf, sizeof(buf), MSG_WAITALL), sizeof(buf));
	fcntl(e.guest, F_SETFL, O_NONBLOCK);
	assert_int_equal(port_sync_guest(e.guest), 0);
	assert_int_equal(waitpid(host, &status, 0), host);
	assert_int_equal(status, 0);
	close(e.guest);
	close(e.host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_node_parse),
		cmocka_unit_test(test_publish_parse),
		cmocka_unit_test(test_exec_request),
		cmocka_unit_test(test_exec_request_cut),
		cmocka_unit_test(test_exec_request_empty),
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_sync_after_leftovers),
		cmocka_unit_test(test_sync_after_much),
		cmocka_unit_test(test_sync_nobody),
		cmocka_unit_test(test_sync_lost_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
