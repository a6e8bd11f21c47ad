/* SPDX-License-Identifier: Apache-2.0 */
/* Policy files: what is read, every mistake that is refused, and the digest. */
#include "unit.h"

#include "policy/cover.h"
#include "policy/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- what is said on stderr ------------------------------------------------------------------- */

static char said[8192];

static int read_policy(const char *text, struct policy *ret)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO), r;
	size_t n;

	assert_non_null(file);
	dup2(fileno(file), STDERR_FILENO);
	r = policy_read("test.yaml", text, strlen(text), ret);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	n = fread(said, 1, sizeof(said) - 1, file);
	said[n] = 0;
	fclose(file);
	return r;
}

static struct policy good(const char *text)
{
	struct policy p;
	int r = read_policy(text, &p);

	if (r < 0)
		print_error("%s", said);
	assert_int_equal(r, 0);
	assert_string_equal(said, "");
	return p;
}

static void refused(const char *text, const char *place, const char *why)
{
	struct policy p;

	assert_int_equal(read_policy(text, &p), -EINVAL);
	if (!strstr(said, place) || !strstr(said, why))
		print_error("%s\nsaid: %s", text, said);
	assert_non_null(strstr(said, place));
	assert_non_null(strstr(said, why));
}

/* ---- reading ---------------------------------------------------------------------------------- */

static void test_empty(void **state)
{
	static const char *const texts[] = { "", "# nothing\n", "---\n{}\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct policy p = good(texts[i]);

		assert_int_equal(p.level, LEVEL_ASYNC);
		assert_int_equal(p.on_divergence, ON_KILL);
		assert_int_equal(p.on_lost_peer, LOST_KILL);
		assert_int_equal(p.window_events, POLICY_WINDOW_EVENTS);
		assert_int_equal(p.window_bytes, POLICY_WINDOW_BYTES);
		assert_int_equal(p.local.n + p.rules.n + p.given, 0);
		policy_free(&p);
	}
}

static const char everything[] = "level: lockstep\n"
				 "on-divergence: freeze\n"
				 "on-lost-peer: continue\n"
				 "window: { events: 100, bytes: 64K }\n"
				 "local: [/srv/data, /opt/x]\n"
				 "rules:\n"
				 "  - classes: ['@network-io', output]\n"
				 "    calls: [sendfile, open]\n"
				 "    descriptors: [socket, pipe]\n"
				 "    level: async\n"
				 "  - paths: [/etc/shadow]\n"
				 "    refuse: EACCES\n";

static void test_everything(void **state)
{
	struct policy p = good(everything);

	assert_int_equal(p.level, LEVEL_LOCKSTEP);
	assert_int_equal(p.on_divergence, ON_FREEZE);
	assert_int_equal(p.on_lost_peer, LOST_CONTINUE);
	assert_int_equal(p.window_events, 100);
	assert_int_equal(p.window_bytes, 64 << 10);
	assert_int_equal(p.given, 31);
	assert_int_equal(p.local.n, 2);
	assert_string_equal(p.local.v[0], "/opt/x");
	assert_int_equal(p.rules.n, 2);
	assert_int_equal(p.rules.rule[0].level, RULE_LEVEL_ASYNC);
	assert_string_equal(p.rules.rule[0].classes.v[0], "network-io");
	assert_int_equal(p.rules.rule[0].kinds, 1u << DESCRIPTOR_SOCKET | 1u << DESCRIPTOR_PIPE);
	assert_int_equal(p.rules.rule[1].verdict, RULE_REFUSE);
	assert_int_equal(p.rules.rule[1].err, EACCES);
	policy_free(&p);
}

static void test_refused(void **state)
{
	refused("levle: async\n", "test.yaml:1:", "there is no setting 'levle'");
	refused("level: async\nrules:\n  - calls: [write]\n    levels: lockstep\n", "test.yaml:4:",
		"there is no setting 'levels'");
	refused("window:\n  event: 3\n", "test.yaml:2:", "there is no setting 'event'");
	refused("level: strict\n", "test.yaml:1:", "'strict': this is not one of async, lockstep, observe");
	refused("\nlevel: async\nlevel: observe\n", "test.yaml:3:", "'level' is given twice");
	refused("on-divergence: sing\n", "test.yaml:1:", "kill, freeze, report");
	refused("on-lost-peer: wait\n", "test.yaml:1:", "kill, continue");
	refused("window: { events: 0 }\n", "test.yaml:1:", "'0': this is no number from 1 to");
	refused("window: { events: 12x }\n", "test.yaml:1:", "'12x'");
	refused("window: { events: -1 }\n", "test.yaml:1:", "'-1'");
	refused("window: { bytes: 2G }\n", "test.yaml:1:", "'2G'");
	refused("window: { bytes: 99999999999999999999 }\n", "test.yaml:1:", "no number");
	refused("window: 3\n", "test.yaml:1:", "keys with values belong here");
	refused("local: /srv\n", "test.yaml:1:", "a list belongs here");
	refused("local:\n - /srv\n - data\n", "test.yaml:3:", "'data': a path begins with '/'");
	refused("local: [/a/../b]\n", "test.yaml:1:", "no '..'");
	refused("local: [\"/a\\nlevel observe\"]\n", "test.yaml:1:", "control characters");
	refused("local: [\"/a\\0b\"]\n", "test.yaml:1:", "NUL");
	refused("- level\n", "test.yaml:1:", "keys with values belong here");
	refused("level: &a async\n", "test.yaml:1:", "anchors");
	refused("level: !!str async\n", "test.yaml:1:", "tags");
	refused("level: async\n---\nlevel: async\n", "test.yaml:2:", "one document");
	refused("level: [async\n", "test.yaml:", "not YAML");
	refused("level: async\n\tlocal: x\n", "test.yaml:2:", "not YAML");
	refused("local: [@x]\n", "test.yaml:1:", "not YAML");
}

static void test_refused_rules(void **state)
{
	static const char rule[] = "rules:\n  - level: async\n    calls: [read]\n  - ";
	static const struct {
		const char *rest, *why;
	} bad[] = {
		{ "calls: [wriet]\n    level: async\n", "'wriet': there is no system call" },
		{ "calls: [brk]\n    level: async\n", "'brk': this call is local" },
		{ "calls: [userfaultfd]\n    level: async\n", "refused in every session" },
		{ "calls: [exit_group]\n    refuse: EPERM\n", "'exit_group': this call cannot be refused" },
		{ "calls: [getpid]\n    refuse: EPERM\n", "'getpid': this call cannot be refused" },
		{ "classes: [networks]\n    level: async\n", "'networks': there is no class" },
		{ "classes: ['@networks']\n    level: async\n", "'@networks': there is no class" },
		{ "calls: [getpid]\n    descriptors: [socket]\n    level: async\n",
		  "'getpid': this call has no descriptor" },
		{ "calls: [getpid]\n    paths: [/x]\n    level: async\n", "neither a path nor a descriptor" },
		{ "calls: [write]\n    descriptors: [door]\n    level: async\n", "'door'" },
		{ "calls: [write]\n    paths: [relative]\n    level: async\n", "'relative': a path begins" },
		{ "calls: [read]\n    level: observe\n", "'read': this call sends no buffer" },
		{ "paths: [/x]\n    classes: [io-event]\n    level: observe\n", "no call can meet" },
		{ "calls: [write]\n    level: slow\n", "'slow': this is not one of async, lockstep, observe" },
		{ "calls: [write]\n    refuse: EGREGIOUS\n", "'EGREGIOUS'" },
		{ "calls: [write]\n", "it needs 'level' or 'refuse'" },
		{ "calls: [write]\n    level: async\n    refuse: end\n", "make it two rules" },
		{ "level: lockstep\n", "about every call" },
		{ "calls: []\n    level: lockstep\n", "the list is empty" },
		{ "descriptors: []\n    level: lockstep\n", "the list is empty" },
		{ "classes: [keyring]\n    descriptors: [socket]\n    level: async\n", "no call can meet" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[512];

		snprintf(text, sizeof(text), "%s%s", rule, bad[i].rest);
		refused(text, "test.yaml:", bad[i].why);
		assert_null(strstr(said, "test.yaml:1:"));
		assert_null(strstr(said, "test.yaml:2:"));
		assert_null(strstr(said, "test.yaml:3:"));
	}
}

/* All mistakes at once, each with its line. */
static void test_every_mistake(void **state)
{
	struct policy p;

	assert_int_equal(read_policy("level: a\nrules:\n  - calls: [b]\n    level: async\n  - calls: [c]\n"
				     "    level: d\n", &p), -EINVAL);
	assert_non_null(strstr(said, "test.yaml:1: 'a'"));
	assert_non_null(strstr(said, "test.yaml:3: 'b'"));
	assert_non_null(strstr(said, "test.yaml:6: 'd'"));
}

static void test_too_many(void **state)
{
	struct writer w = { 0 };

	put_bytes(&w, "rules:\n", 7);
	for (unsigned i = 0; i <= RULES_MAX; i++)
		put_bytes(&w, "  - {calls: [read], level: async}\n", 34);
	put_u8(&w, 0);
	refused((const char *)w.data, "test.yaml:", "the list is too long");
	writer_free(&w);
}

/* ---- the digest ------------------------------------------------------------------------------- */

static void digest_of(const char *text, char ret[POLICY_DIGEST_HEX + 1])
{
	struct policy p = good(text);

	assert_int_equal(policy_digest(&p, ret), 0);
	assert_int_equal(strlen(ret), POLICY_DIGEST_HEX);
	policy_free(&p);
}

static void test_digest(void **state)
{
	static const char a[] = "level: async\nlocal: [/b, /a]\nrules:\n"
				"  - {calls: [write, read], descriptors: [pipe, socket], level: lockstep}\n"
				"  - {classes: [process], refuse: EPERM}\n";
	static const char same[] = "# a remark\nrules:\n"
				   "  - {refuse: EPERM, classes: ['@process']}\n"
				   "  - {level: lockstep, descriptors: [socket, pipe], calls: [read, write, read]}\n"
				   "  - {refuse: EPERM, classes: [process]}\n"
				   "local:\n  - /a\n  - /b\n  - /a\n";
	static const char *const others[] = {
		"", "level: lockstep\n", "on-divergence: report\n", "on-lost-peer: continue\n",
		"window: {events: 2047}\n", "window: {bytes: 1M}\n", "local: [/a]\n", "local: [/a, /b]\n",
		"rules: [{calls: [write], level: lockstep}]\n", "rules: [{calls: [write], level: async}]\n",
		"rules: [{calls: [write], refuse: EPERM}]\n", "rules: [{calls: [write], refuse: EIO}]\n",
		"rules: [{calls: [write], refuse: end}]\n", "rules: [{classes: [output], level: async}]\n",
		"rules: [{calls: [write], descriptors: [pipe], level: async}]\n",
		"rules: [{calls: [write], paths: [/a], level: async}]\n",
	};
	char digest[2][POLICY_DIGEST_HEX + 1], all[ARRAY_SIZE(others)][POLICY_DIGEST_HEX + 1];

	digest_of(a, digest[0]);
	digest_of(same, digest[1]);
	assert_string_equal(digest[0], digest[1]);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		digest_of(others[i], all[i]);
		assert_string_not_equal(all[i], digest[0]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(all[i], all[k]);
	}
	digest_of("level: async\nwindow: {events: 2K, bytes: 2M}\n", digest[1]);
	assert_string_equal(digest[1], all[0]);
	/* A digest is kept in record files and alarms: it may change with the format's number only. */
	assert_string_equal(all[0], "e0d81d290ced571cb6961dfa4038643b1a465d06bc6c6358c3d46c35123e213d");
}

static void test_canonical_text(void **state)
{
	struct policy p = good("rules:\n  - {calls: [write], paths: [/b, '/a/*'], descriptors: [file], "
			       "level: lockstep}\n  - {classes: [clock], refuse: end}\n");
	struct policy_rules again;
	struct writer w = { 0 };

	rules_render(&w, &p.rules);
	put_u8(&w, 0);
	assert_string_equal((char *)w.data, "rule\nlevel lockstep\ncall write\ndescriptor file\n"
					    "path /a/*\npath /b\nrule\nrefuse end\nclass clock\n");
	assert_int_equal(rules_parse(w.data, w.len - 1, &again), 0);
	assert_int_equal(again.n, 2);
	rules_free(&again);
	/* Cut inside a line it is none. */
	for (size_t n = 1; n < w.len - 1; n++)
		if (w.data[n - 1] != '\n')
			assert_int_equal(rules_parse(w.data, n, &again), -EPROTO);
	writer_free(&w);
	policy_free(&p);
}

static void not_canonical(const char *text)
{
	struct policy_rules rules;

	assert_int_equal(rules_parse((const uint8_t *)text, strlen(text), &rules), -EPROTO);
}

static void test_not_canonical(void **state)
{
	not_canonical("rule");
	not_canonical("rule\n");
	not_canonical("call read\n");
	not_canonical("rule\nlevel async\ncall read");
	not_canonical("rule\ncall read\nlevel async\n");
	not_canonical("rule\nlevel async\ncall write\ncall read\n");
	not_canonical("rule\nlevel async\ncall read\ncall read\n");
	not_canonical("rule\nlevel async\ncall read\nrule\nlevel async\ncall read\n");
	not_canonical("rule\nlevel async\ncall read \n");
	not_canonical("rule\nlevel async\ncall brk\n");
	not_canonical("rule\nlevel async\nlevel async\ncall read\n");
	not_canonical("rule\nlevel fast\ncall read\n");
	not_canonical("rule\nrefuse 1\ncall read\n");
	not_canonical("rule\nrefuse EPERM\ncall read\nnote x\n");
	not_canonical("\n");
}

/* ---- what rules cover ------------------------------------------------------------------------- */

static bool covers(const char *rule, enum call_id id)
{
	char text[256];
	bool cover[_CALL_MAX];
	struct policy p;

	snprintf(text, sizeof(text), "rules: [%s]\n", rule);
	p = good(text);
	rule_cover(&p.rules.rule[0], cover);
	policy_free(&p);
	return cover[id];
}

static void test_cover(void **state)
{
	assert_true(covers("{classes: [network-io], level: async}", CALL_SENDTO));
	assert_false(covers("{classes: [network-io], level: async}", CALL_WRITE));
	assert_true(covers("{classes: [output], level: async}", CALL_WRITE));
	assert_false(covers("{classes: [output], level: async}", CALL_READ));
	assert_true(covers("{calls: [open], level: async}", CALL_OPENAT));
	assert_true(covers("{calls: [fcntl], level: async}", CALL_FCNTL_F_SETLK));
	assert_true(covers("{calls: ['fcntl$F_SETLK'], level: async}", CALL_FCNTL_F_SETLK));
	assert_false(covers("{calls: ['fcntl$F_SETLK'], level: async}", CALL_FCNTL_F_GETFL));
	assert_true(covers("{descriptors: [socket], level: async}", CALL_CLOSE));
	assert_false(covers("{descriptors: [socket], refuse: EPERM}", CALL_CLOSE));
	assert_false(covers("{descriptors: [socket], level: async}", CALL_GETPID));
	assert_true(covers("{paths: [/x], level: async}", CALL_OPENAT));
	assert_true(covers("{paths: [/x], level: async}", CALL_WRITE));
	assert_false(covers("{paths: [/x], level: async}", CALL_GETPID));
	assert_false(covers("{classes: [process], refuse: EPERM}", CALL_EXIT_GROUP));
	assert_true(covers("{classes: [process], refuse: EPERM}", CALL_EXECVE));
	assert_false(covers("{classes: [process], refuse: EPERM}", CALL_GETPID));
	assert_true(covers("{classes: [process], level: lockstep}", CALL_EXIT_GROUP));
	assert_true(covers("{classes: [output], level: observe}", CALL_WRITEV));
	assert_false(covers("{classes: [output], level: observe}", CALL_MKDIRAT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_rules),
		cmocka_unit_test(test_every_mistake),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_canonical_text),
		cmocka_unit_test(test_not_canonical),
		cmocka_unit_test(test_cover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
