/* SPDX-License-Identifier: Apache-2.0 */
/* Policy files and the canonical text of rules; the first byte says which. What is accepted has a
 * canonical text that is read as the same rules. */
#include "fuzz.h"

#include "policy/judge.h"
#include "policy/policy.h"

#include <errno.h>

static void check_canonical(const struct policy_rules *rules)
{
	struct policy_rules again;
	struct writer w = { 0 }, w2 = { 0 };

	rules_render(&w, rules);
	fuzz_check(rules_parse(w.data, w.len, &again) == 0);
	rules_render(&w2, &again);
	fuzz_check(w.len == w2.len && (w.len == 0 || !memcmp(w.data, w2.data, w.len)));
	rules_free(&again);
	writer_free(&w);
	writer_free(&w2);
}

static void try_file(const uint8_t *data, size_t size)
{
	char digest[POLICY_DIGEST_HEX + 1], digest2[POLICY_DIGEST_HEX + 1];
	struct start s = { 0 };
	struct policy p;
	int r = policy_read("fuzz", (const char *)data, size, &p);

	fuzz_check(r == 0 || r == -EINVAL || r == -ENOMEM);
	if (r < 0)
		return;
	fuzz_check(p.window_events && p.window_bytes && p.rules.n <= RULES_MAX);
	check_canonical(&p.rules);
	fuzz_check(policy_digest(&p, digest) == 0);
	fuzz_check(policy_to_start(&p, &s) == 0);
	fuzz_check(policy_digest_of_start(&s, digest2) == 0 && !strcmp(digest, digest2));
	start_free(&s);
	policy_free(&p);
}

static void try_rules(const uint8_t *data, size_t size)
{
	static struct policy_index x;
	struct policy_rules rules;
	int r = rules_parse(data, size, &rules);

	fuzz_check(r == 0 || r == -EPROTO || r == -ENOMEM);
	if (r < 0)
		return;
	check_canonical(&rules);
	policy_index_init(&x, &rules);
	rules_free(&rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		(data[0] & 1 ? try_rules : try_file)(data + 1, size - 1);
	return 0;
}

static void seed(char first, const char *text)
{
	struct writer w = { 0 };

	put_u8(&w, (uint8_t)first);
	put_bytes(&w, text, strlen(text));
	fuzz_seed(w.data, w.len);
	writer_free(&w);
}

void fuzz_seeds(void)
{
	seed(0, "level: lockstep\non-divergence: freeze\non-lost-peer: continue\n"
		"window: { events: 100, bytes: 64K }\nlocal: [/srv/data, /opt/x]\n");
	seed(0, "rules:\n  - classes: ['@network-io', output]\n    descriptors: [socket, pipe]\n"
		"    level: lockstep\n  - paths: [/etc/shadow]\n    refuse: EACCES\n"
		"  - calls: [execve, 'fcntl$F_SETLK']\n    refuse: end\n");
	seed(1, "rule\nlevel lockstep\nclass network-io\ncall write\ndescriptor socket\npath /a/*\n");
	seed(1, "rule\nrefuse EPERM\ncall execve\nrule\nrefuse end\ncall ptrace\n");
}
