/* SPDX-License-Identifier: Apache-2.0 */
/* chiral check: what this machine offers, in three grades. */
#include "cli/check.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define PROBE_TIMEOUT_MS 10000

static const struct check *const groups[] = { check_trace, check_notify, check_host, check_node };

static const char *const grade_titles[_CHECK_GRADE_MAX] = {
	"must have (no session without it)",
	"should have (a part of chiral needs it)",
	"nice to have (faster or stronger)",
};
static const char *const grade_names[_CHECK_GRADE_MAX] = { "must", "should", "nice" };

struct result {
	bool ok;
	int err; /* errno, 0 when none explains it */
	char detail[CHECK_DETAIL_MAX];
};

static void __attribute__((noreturn)) probe_child(const struct check *c, int out)
{
	struct result res = { 0 };
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	r = c->probe(res.detail);
	res.ok = r == 0;
	res.err = r < 0 ? -r : 0;
	(void)!write(out, &res, sizeof(res));
	_exit(0);
}

/* A probe that hangs or dies has not found what it looked for. */
static void run_probe(const struct check *c, struct result *ret)
{
	struct result res = { .detail = "the probe did not end" };
	int fd[2];
	pid_t pid;

	*ret = res;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0)
		probe_child(c, fd[1]);
	close(fd[1]);
	if (pid > 0) {
		struct pollfd p = { .fd = fd[0], .events = POLLIN };

		if (poll(&p, 1, PROBE_TIMEOUT_MS) == 1 &&
		    read(fd[0], &res, sizeof(res)) == sizeof(res))
			*ret = res;
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(fd[0]);
}

static void print_result(const struct check *c, const struct result *res)
{
	bool colour = isatty(STDOUT_FILENO);

	printf("  %s%-7s%s  %-16s %s", colour ? res->ok ? "\033[32m" : "\033[31m" : "",
	       res->ok ? "ok" : "missing", colour ? "\033[0m" : "", c->name, c->purpose);
	if (*res->detail)
		printf(" [%s]", res->detail);
	if (!res->ok && res->err)
		printf(" (%s)", strerror(res->err));
	putchar('\n');
	if (!res->ok)
		printf("           %-16s -> %s\n", "", c->remedy);
}

static void add_json(struct writer *w, const struct check *c, const struct result *res)
{
	json_begin_object(w);
	json_key(w, "name");
	json_cstr(w, c->name);
	json_key(w, "grade");
	json_cstr(w, grade_names[c->grade]);
	json_key(w, "ok");
	json_bool(w, res->ok);
	json_key(w, "purpose");
	json_cstr(w, c->purpose);
	if (*res->detail) {
		json_key(w, "detail");
		json_cstr(w, res->detail);
	}
	if (res->err) {
		json_key(w, "error");
		json_cstr(w, strerror(res->err));
	}
	if (!res->ok) {
		json_key(w, "remedy");
		json_cstr(w, c->remedy);
	}
	json_end_object(w);
}

/* Runs and prints all checks of a grade; returns how many are missing. */
static unsigned run_grade(enum check_grade grade, struct writer *json)
{
	unsigned missing = 0;

	if (!json)
		printf("%s%s\n", grade == CHECK_MUST ? "" : "\n", grade_titles[grade]);
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
		for (const struct check *c = groups[g]; c->name; c++) {
			struct result res;

			if (c->grade != grade)
				continue;
			if (!json)
				fflush(stdout);
			run_probe(c, &res);
			missing += !res.ok;
			if (json)
				add_json(json, c, &res);
			else
				print_result(c, &res);
		}
	}
	return missing;
}

static int check_json(void)
{
	unsigned missing[_CHECK_GRADE_MAX];
	struct writer w = { 0 };

	json_begin_object(&w);
	json_key(&w, "checks");
	json_begin_array(&w);
	for (int grade = 0; grade < _CHECK_GRADE_MAX; grade++)
		missing[grade] = run_grade(grade, &w);
	json_end_array(&w);
	json_key(&w, "ok");
	json_bool(&w, missing[CHECK_MUST] == 0);
	json_end_object(&w);
	put_u8(&w, '\n');
	if (w.failed || fwrite(w.data, 1, w.len, stdout) != w.len)
		missing[CHECK_MUST] = 1;
	writer_free(&w);
	return missing[CHECK_MUST] ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int check_text(void)
{
	unsigned missing[_CHECK_GRADE_MAX];

	for (int grade = 0; grade < _CHECK_GRADE_MAX; grade++)
		missing[grade] = run_grade(grade, NULL);
	if (missing[CHECK_MUST])
		printf("\nThis machine cannot host a variant: %u of the must-haves %s missing.\n",
		       missing[CHECK_MUST], missing[CHECK_MUST] == 1 ? "is" : "are");
	else if (missing[CHECK_SHOULD])
		printf("\nThis machine can host a variant; %u of the should-haves %s missing.\n",
		       missing[CHECK_SHOULD], missing[CHECK_SHOULD] == 1 ? "is" : "are");
	else
		printf("\nThis machine can host a variant.\n");
	return missing[CHECK_MUST] ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void usage(FILE *f)
{
	fputs("usage: chiral check [--json]\n\n"
	      "Tries what chiral needs from this machine and prints what is there, in three "
	      "grades.\n"
	      "Nothing is changed; run it as the user who will run chiral.\n\n"
	      "  --json  one JSON object instead: checks[] of name, grade, ok, purpose, detail, error,\n"
	      "          remedy; ok\n\n"
	      "Exit status: 0 when every must-have is there, 1 when one is missing, 125 on wrong "
	      "use.\n",
	      f);
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool json = false;
	int opt;

	optind = 0;
	while ((opt = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			json = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			return EXIT_OWN_FAILURE;
		}
	}
	if (optind < argc) {
		log_error("chiral check takes no argument, but got '%s'; see `chiral check --help`",
			  argv[optind]);
		return EXIT_OWN_FAILURE;
	}
	return json ? check_json() : check_text();
}
