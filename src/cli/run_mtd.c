/* SPDX-License-Identifier: Apache-2.0 */
/* `chiral run --mode mtd`. Its options are in the help of `chiral run`. */
#include "cli/run_mtd.h"

#include "base/log.h"
#include "cli/cli.h"
#include "mtd/run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *run_mode(int argc, char **argv)
{
	if (argc > 1 && !strncmp(argv[1], "--mode=", 7))
		return argv[1] + 7;
	if (argc > 1 && !strcmp(argv[1], "--mode"))
		return argc > 2 ? argv[2] : "";
	return NULL;
}

static int parse_node(const char *option, const char *text, enum isa *ret)
{
	int isa = !strcmp(text, "local") ? (int)isa_native
		  : !strncmp(text, "local:", 6) ? isa_from_name(text + 6)
						: -EINVAL;

	if (isa < 0) {
		log_error("%s %s: a program that moves runs on local:amd64 and local:arm64 only", option,
			  text);
		return -EINVAL;
	}
	*ret = (enum isa)isa;
	return 0;
}

static int parse_descriptor(const char *text, int *ret)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (!*text || *end || fd < 0 || fd > 1 << 20 || fcntl((int)fd, F_GETFD) < 0) {
		log_error("--json-status-fd: '%s' is not an open descriptor", text);
		return -EINVAL;
	}
	*ret = (int)fd;
	return 0;
}

static int parse_option(int c, struct mtd_run *run, enum isa *home)
{
	switch (c) {
	case 'm':
		return 0;
	case 'p':
		run->points = optarg;
		return 0;
	case 'H':
		return parse_node("--home", optarg, home);
	case 'o':
		return parse_node("--other", optarg, &run->other);
	case 'j':
		return parse_descriptor(optarg, &run->status_fd);
	default:
		fputs("Try `chiral run --help`.\n", stderr);
		return -EINVAL;
	}
}

int cmd_run_mtd(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "points", required_argument, NULL, 'p' },
		{ "home", required_argument, NULL, 'H' },
		{ "other", required_argument, NULL, 'o' },
		{ "json-status-fd", required_argument, NULL, 'j' },
		{ 0 },
	};
	struct mtd_run run = { .other = ISA_AARCH64, .status_fd = -1 };
	enum isa home = ISA_X86_64;
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1)
		if (parse_option(c, &run, &home) < 0)
			return EXIT_OWN_FAILURE;
	if (home != ISA_X86_64 || isa_native != ISA_X86_64) {
		log_error("a program that moves has its home on x86-64: use an x86-64 machine and --home "
			  "local:amd64");
		return EXIT_OWN_FAILURE;
	}
	if (!run.points || optind == argc) {
		log_error("--mode mtd needs --points FILE and a PROGRAM; see `chiral run --help`");
		return EXIT_OWN_FAILURE;
	}
	run.argv = argv + optind;
	return mtd_run(&run);
}
