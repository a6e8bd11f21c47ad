/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of START, STARTED and EXITED: what is accepted is encoded again to the same bytes. The first
 * byte says which. */
#include "fuzz.h"

#include "session/start.h"

#include <errno.h>

static void check_same(struct writer *w, const uint8_t *data, size_t size)
{
	fuzz_check(!w->failed && w->len == size && !memcmp(w->data, data, size));
	writer_free(w);
}

static void try_start(const uint8_t *data, size_t size)
{
	struct writer w = { 0 };
	struct start s;
	int r = start_decode(data, size, &s);

	fuzz_check(r == 0 || r == -EPROTO || r == -ENOMEM);
	if (r < 0)
		return;
	fuzz_check(s.program && s.program[0] && s.cwd && s.argv && s.argv[0] && s.env && s.local);
	fuzz_check(level_name(s.level) && action_name(s.action) && lost_name(s.on_lost_peer));
	fuzz_check(s.rules.n <= RULES_MAX);
	start_encode(&w, &s);
	check_same(&w, data, size);
	start_free(&s);
}

static void try_started(const uint8_t *data, size_t size)
{
	struct writer w = { 0 };
	struct started s;

	if (started_decode(data, size, &s) < 0)
		return;
	started_encode(&w, &s);
	check_same(&w, data, size);
	started_free(&s);
}

static void try_exited(const uint8_t *data, size_t size)
{
	struct writer w = { 0 };
	struct exited e;

	if (exited_decode(data, size, &e) < 0)
		return;
	exited_encode(&w, &e);
	check_same(&w, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const uint8_t *, size_t) = { try_start, try_started,
								  try_exited };

	if (size)
		tries[data[0] % 3](data + 1, size - 1);
	return 0;
}

void fuzz_seeds(void)
{
	char *calls[] = { "sendto" }, *classes[] = { "io-event", "output" }, *paths[] = { "/srv/*" };
	struct policy_rule rules[] = {
		{ .level = RULE_LEVEL_LOCKSTEP, .kinds = 3, .classes = { classes, 2 } },
		{ .verdict = RULE_REFUSE, .err = 1, .calls = { calls, 1 } },
		{ .verdict = RULE_END, .paths = { paths, 1 } },
	};
	char *argv[] = { "lighttpd", "-D", "", NULL }, *env[] = { "A=b", NULL }, *none[] = { NULL };
	struct start s = {
		.level = LEVEL_LOCKSTEP,
		.action = ON_FREEZE,
		.window_events = 1000,
		.window_bytes = 1 << 20,
		.program = "/usr/sbin/lighttpd",
		.argv = argv,
		.env = env,
		.cwd = "/",
		.local = none,
	};
	struct fact facts[] = {
		{ .role = FACT_SCRIPT, .id_kind = FACT_ID_DIGEST, .id_size = 2, .id = "x", .name = "/a",
		  .path = "/a", .package = "", .version = "" },
		{ .role = FACT_PROGRAM, .name = "/bin/true", .path = "/usr/bin/true",
		  .package = "coreutils", .version = "9.1-1" },
	};
	struct started started = { .pid = 12, .program = "/bin/true", .facts = { 1, facts, 2 } };
	struct exited exited = { .wait_status = 256, .compared = 1, .bytes = 77 };
	struct writer w = { 0 };

	put_u8(&w, 0);
	start_encode(&w, &s);
	fuzz_seed(w.data, w.len);
	writer_reset(&w);
	s.rules = (struct policy_rules){ rules, 3 };
	put_u8(&w, 0);
	start_encode(&w, &s);
	fuzz_seed(w.data, w.len);
	writer_reset(&w);
	put_u8(&w, 1);
	started_encode(&w, &started);
	fuzz_seed(w.data, w.len);
	writer_reset(&w);
	put_u8(&w, 2);
	exited_encode(&w, &exited);
	fuzz_seed(w.data, w.len);
	writer_free(&w);
}
