/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/log.h"
#include "cli/default_policy.h"
#include "policy/policy.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: chiral policy check [FILE]\n"
	"       chiral policy explain [--json|--canonical] [FILE]\n"
	"\n"
	"  check    tells every mistake in a policy file, with its line\n"
	"  explain  says in words what is in force with it: each setting, the defaults, each rule\n"
	"\n"
	"Without FILE it is the policy that a session here would have: that of $CHIRAL_POLICY, or of\n"
	"/etc/chiral/policy.yaml, or none. `chiral run --policy FILE` uses another one.\n"
	"\n"
	"  --json       explain: one JSON object\n"
	"  --canonical  explain: the text whose SHA-256 is the digest\n"
	"  --help       this text\n"
	"\n"
	"Settings of a file: level, on-divergence, on-lost-peer, window (events, bytes), local, rules. Of a\n"
	"rule: classes, calls, paths, descriptors; level or refuse. See chiral-policy(5).\n"
	"\n"
	"Exit status: 0; 1 when the file has a mistake or cannot be read.\n";

enum form {
	FORM_TEXT,
	FORM_JSON,
	FORM_CANONICAL,
};

static void print_canonical(const struct policy *p)
{
	struct writer w = { 0 };

	policy_render(&w, p);
	if (!w.failed)
		fwrite(w.data, 1, w.len, stdout);
	writer_free(&w);
}

static void explain(const struct policy *p, const char *file, enum form form)
{
	if (form == FORM_JSON)
		policy_explain_json(stdout, p, file);
	else if (form == FORM_CANONICAL)
		print_canonical(p);
	else
		policy_explain(stdout, p, file);
}

static void say_correct(const struct policy *p, const char *file)
{
	char digest[POLICY_DIGEST_HEX + 1] = "";

	policy_digest(p, digest);
	printf("%s: correct, %zu rule%s, digest %s\n", file ? file : "no policy file, the defaults",
	       p->rules.n, p->rules.n == 1 ? "" : "s", digest);
}

static int act(const char *action, const char *file, enum form form)
{
	struct policy p;
	int status = 0;

	if (!file)
		file = default_policy_file();
	if (!file)
		policy_init(&p);
	else if (policy_load(file, &p) < 0)
		return 1;
	if (!strcmp(action, "check"))
		say_correct(&p, file);
	else
		explain(&p, file, form);
	if (fflush(stdout)) {
		log_errno(errno, "cannot write to standard output");
		status = EXIT_OWN_FAILURE;
	}
	policy_free(&p);
	return status;
}

static int usage_error(const char *what)
{
	log_error("%s; see `chiral policy --help`", what);
	return EXIT_OWN_FAILURE;
}

int cmd_policy(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, FORM_JSON },
		{ "canonical", no_argument, NULL, FORM_CANONICAL },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	enum form form = FORM_TEXT;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (c != FORM_JSON && c != FORM_CANONICAL)
			return usage_error("that is no option");
		form = (enum form)c;
	}
	if (optind == argc)
		return usage_error("check or explain?");
	if (strcmp(argv[optind], "check") && strcmp(argv[optind], "explain"))
		return usage_error("the actions are check and explain");
	if (argc - optind > 2)
		return usage_error("one FILE at most");
	if (form != FORM_TEXT && strcmp(argv[optind], "explain"))
		return usage_error("--json and --canonical belong to explain");
	return act(argv[optind], argv[optind + 1], form);
}
