/* SPDX-License-Identifier: Apache-2.0 */
/* START, STARTED, EXITED, ERROR on the wire. */
#include "unit.h"

#include "session/peer.h"
#include "session/start.h"

#include <errno.h>
#include <string.h>

static char *argv[] = { "program", "", "third argument", NULL };
static char *env[] = { "A=b", NULL };
static char *none[] = { NULL };
static char *local[] = { "/srv", NULL };
static char *classes[] = { "network-io" };
static struct policy_rule rules[] = {
	{ .level = RULE_LEVEL_LOCKSTEP, .kinds = 1u << DESCRIPTOR_SOCKET, .classes = { classes, 1 } },
};

static struct start some_start(void)
{
	return (struct start){
		.role = ROLE_FOLLOWER,
		.level = LEVEL_LOCKSTEP,
		.action = ON_FREEZE,
		.on_lost_peer = LOST_CONTINUE,
		.shipped = true,
		.has_identity = true,
		.session = "session",
		.key = "key",
		.window_events = 5,
		.window_bytes = 6,
		.program = "/bin/program",
		.argv = argv,
		.env = env,
		.cwd = "",
		.local = local,
		.rules = { rules, 1 },
		.umask = 022,
		.leader_pid = 77,
		.uid = 1,
		.egid = 4,
		.rlimits[3] = { 8, 9 },
	};
}

static void test_round_trip(void **state)
{
	struct start s = some_start(), got;
	struct writer w = { 0 };

	start_encode(&w, &s);
	assert_int_equal(start_decode(w.data, w.len, &got), 0);
	assert_int_equal(got.role, ROLE_FOLLOWER);
	assert_int_equal(got.level, LEVEL_LOCKSTEP);
	assert_int_equal(got.action, ON_FREEZE);
	assert_int_equal(got.on_lost_peer, LOST_CONTINUE);
	assert_int_equal(got.rules.n, 1);
	assert_int_equal(got.rules.rule[0].level, RULE_LEVEL_LOCKSTEP);
	assert_string_equal(got.rules.rule[0].classes.v[0], "network-io");
	assert_string_equal(got.local[0], "/srv");
	assert_true(got.shipped && got.has_identity && !got.stdio_inherit);
	assert_memory_equal(got.session, s.session, sizeof(s.session));
	assert_memory_equal(got.key, s.key, sizeof(s.key));
	assert_string_equal(got.program, "/bin/program");
	assert_int_equal(argv_len(got.argv), 3);
	assert_string_equal(got.argv[1], "");
	assert_string_equal(got.argv[2], "third argument");
	assert_string_equal(got.env[0], "A=b");
	assert_int_equal(argv_len(got.local), 1);
	assert_int_equal(got.leader_pid, 77);
	assert_int_equal(got.rlimits[3].max, 9);
	start_free(&got);
	start_free(&got);
	writer_free(&w);
}

/* Every cut, and a trailing byte. */
static void test_truncated(void **state)
{
	struct start s = some_start(), got = { .umask = 1234 };
	struct writer w = { 0 };

	start_encode(&w, &s);
	for (size_t n = 0; n < w.len; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, w.data, n);
		assert_int_equal(start_decode(exact, n, &got), -EPROTO);
		free(exact);
	}
	put_u8(&w, 0);
	assert_int_equal(start_decode(w.data, w.len, &got), -EPROTO);
	assert_int_equal(got.umask, 1234);
	writer_free(&w);
}

static void refused(struct start s)
{
	struct start got;
	struct writer w = { 0 };

	start_encode(&w, &s);
	assert_int_equal(start_decode(w.data, w.len, &got), -EPROTO);
	writer_free(&w);
}

static void test_refused(void **state)
{
	struct start s = some_start();

	s.role = _ROLE_MAX;
	refused(s);
	s = some_start();
	s.level = _LEVEL_MAX;
	refused(s);
	s = some_start();
	s.action = _ON_DIVERGENCE_MAX;
	refused(s);
	s = some_start();
	s.on_lost_peer = _ON_LOST_PEER_MAX;
	refused(s);
	s = some_start();
	s.local = (char *[]){ "/srv\nrule", NULL };
	refused(s);
	s = some_start();
	s.rules = (struct policy_rules){ (struct policy_rule[]){ { .level = RULE_LEVEL_ASYNC } }, 1 };
	refused(s);
	s = some_start();
	s.window_events = 0;
	refused(s);
	s = some_start();
	s.window_bytes = 0;
	refused(s);
	s = some_start();
	s.argv = none;
	refused(s);
	s = some_start();
	s.program = "";
	refused(s);
}

static void test_hostile_counts(void **state)
{
	struct start s = some_start(), got;
	struct writer w = { 0 };
	size_t fixed;

	s.local = none;
	s.rules = (struct policy_rules){ 0 };
	start_encode(&w, &s);
	fixed = w.len - (4 + 4 + 7 + 4 + 0 + 4 + 14 + 4 + 4 + 3 + 4 + 4 + 4 + 1 + 4);
	/* argv says that it has 2^32 - 1 strings */
	memset(w.data + fixed, 0xff, 4);
	assert_int_equal(start_decode(w.data, w.len, &got), -EPROTO);
	writer_free(&w);
}

static void test_exited(void **state)
{
	struct exited e = { .wait_status = 9, .compared = 1, .replayed = 2, .local = 3, .events = 4,
			    .recorded = 6, .completed = { 7, 8, 9, 10 }, .clocks = 11,
			    .bytes = 5 };
	struct exited got;
	struct writer w = { 0 };

	exited_encode(&w, &e);
	assert_int_equal(exited_decode(w.data, w.len, &got), 0);
	assert_int_equal(got.wait_status, 9);
	assert_int_equal(got.bytes, 5);
	assert_int_equal(got.recorded, 6);
	assert_int_equal(got.completed[0], 7);
	assert_int_equal(got.completed[3], 10);
	assert_int_equal(got.clocks, 11);
	assert_int_equal(exited_decode(w.data, w.len - 1, &got), -EPROTO);
	put_u8(&w, 0);
	assert_int_equal(exited_decode(w.data, w.len, &got), -EPROTO);
	writer_free(&w);
}

static void error_is(int status, const char *said, int want_status, const char *want)
{
	struct writer w = { 0 };
	char *text;
	int got;

	error_encode(&w, status, said);
	text = error_decode(w.data, w.len, &got);
	assert_int_equal(got, want_status);
	assert_string_equal(text, want);
	free(text);
	writer_free(&w);
}

static void test_error(void **state)
{
	int status;
	char *text;

	error_is(127, "cannot find it", 127, "cannot find it");
	error_is(300, "x", 125, "said something malformed");
	error_is(1, "\33[31mred\x7f\n", 1, "?[31mred??");
	error_is(1, "\xc2\x9b" "31m \xc3\xa9", 1, "??31m \xc3\xa9");
	text = error_decode(NULL, 0, &status);
	assert_string_equal(text, "said something malformed");
	assert_int_equal(status, 125);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hostile_counts),
		cmocka_unit_test(test_exited),
		cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
