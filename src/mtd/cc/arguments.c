/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/cc/cc.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_OPTION "--chiral-points="

static bool is_one_of(const char *arg, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(arg, list[i]))
			return true;
	return false;
}

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && !strcmp(s + n - m, suffix);
}

/* Options of compiling whose value is the next argument. */
static bool takes_value(const char *arg)
{
	static const char *const list[] = {
		"-I", "-D", "-U", "-include", "-imacros", "-isystem", "-iquote", "-idirafter", "-iprefix",
		"-MF", "-MT", "-MQ", "-x", "-Xclang", "-Xpreprocessor", "-Xassembler", "--param", "-mllvm",
	};

	return is_one_of(arg, list, ARRAY_SIZE(list));
}

static bool link_takes_value(const char *arg)
{
	static const char *const list[] = { "-l", "-L", "-u", "-z", "-Xlinker", "-T", "-e" };

	return is_one_of(arg, list, ARRAY_SIZE(list));
}

static bool stops_before_link(const char *arg)
{
	static const char *const list[] = {
		"-c", "-S", "-E", "-M", "-MM", "--version", "-dumpversion", "-dumpmachine", "-###", "--help",
	};

	return is_one_of(arg, list, ARRAY_SIZE(list)) || has_prefix(arg, "-print-") ||
	       has_prefix(arg, "--print-");
}

/* What would decide about position or threads of a normal link: the layout decides here. */
static bool is_ignored(const char *arg)
{
	static const char *const list[] = { "-static", "-pie", "-no-pie", "-static-pie", "-rdynamic",
					    "-pthread", "-s", "-nostartfiles" };

	return is_one_of(arg, list, ARRAY_SIZE(list)) || has_prefix(arg, "-fuse-ld=");
}

static int add_linker_words(struct strv *to, const char *words)
{
	int r = 0;

	while (r == 0 && *words) {
		size_t n = strcspn(words, ",");

		r = strv_addf(to, "%.*s", (int)n, words);
		words += n + (words[n] == ',');
	}
	return r;
}

static int add_input(struct cc_request *r, const char *arg)
{
	if (has_suffix(arg, ".c") || has_suffix(arg, ".i")) {
		int e = strv_add(&r->sources, arg);

		return e ? e : strv_add(&r->link, "");
	}
	if (has_suffix(arg, ".s") || has_suffix(arg, ".S")) {
		log_error("%s is assembly, which fits one instruction set; build without it", arg);
		return -EINVAL;
	}
	if (has_suffix(arg, ".cc") || has_suffix(arg, ".cpp") || has_suffix(arg, ".cxx")) {
		log_error("%s is C++; chiral cc compiles C", arg);
		return -EINVAL;
	}
	return strv_add(&r->link, arg);
}

static int add_link_option(struct cc_request *r, const char *arg, const char *value)
{
	int e = 0;

	if (has_prefix(arg, "-Wl,"))
		return add_linker_words(&r->link, arg + 4);
	if (strcmp(arg, "-Xlinker"))
		e = strv_add(&r->link, arg);
	if (value && e == 0)
		e = strv_add(&r->link, value);
	return e;
}

/* Handles argv[i]; returns how many arguments it took, or -errno. */
static int parse_one(struct cc_request *r, char **argv, int left)
{
	const char *arg = argv[0], *value = left > 1 ? argv[1] : NULL;
	int e;

	if (!strcmp(arg, "-shared") || !strcmp(arg, "-r")) {
		log_error("%s: only whole programs can move; link the objects into the program", arg);
		return -EINVAL;
	}
	if (has_prefix(arg, POINTS_OPTION))
		return r->points = arg + strlen(POINTS_OPTION), 1;
	if (!strcmp(arg, "-o") || takes_value(arg) || link_takes_value(arg)) {
		if (!value) {
			log_error("%s needs a value", arg);
			return -EINVAL;
		}
		if (!strcmp(arg, "-o"))
			return r->output = value, 2;
		if (link_takes_value(arg))
			return (e = add_link_option(r, arg, value)) ? e : 2;
		e = strv_add(&r->compile, arg);
		return (e = e ? e : strv_add(&r->compile, value)) ? e : 2;
	}
	if (has_prefix(arg, "-o") && arg[2])
		return r->output = arg + 2, 1;
	if (arg[0] != '-' || !arg[1])
		return (e = add_input(r, arg)) ? e : 1;
	if (has_prefix(arg, "-Wl,") || has_prefix(arg, "-l") || has_prefix(arg, "-L"))
		return (e = add_link_option(r, arg, NULL)) ? e : 1;
	if (stops_before_link(arg))
		r->mode = CC_COMPILE;
	return is_ignored(arg) ? 1 : (e = strv_add(&r->compile, arg)) ? e : 1;
}

int cc_parse(int argc, char **argv, struct cc_request *ret)
{
	struct cc_request r = { .points = getenv("CHIRAL_POINTS") };
	int n;

	for (int i = 1; i < argc; i += n) {
		n = parse_one(&r, argv + i, argc - i);
		if (n < 0) {
			cc_request_free(&r);
			return n == -ENOMEM ? log_errno(ENOMEM, "cannot read the options") : n;
		}
	}
	r.cannot_move = r.points && !strcmp(r.points, "none");
	if (r.cannot_move || (r.points && !*r.points))
		r.points = NULL;
	*ret = r;
	return 0;
}

void cc_request_free(struct cc_request *r)
{
	strv_free(&r->compile);
	strv_free(&r->sources);
	strv_free(&r->link);
}
