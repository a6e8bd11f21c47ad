/* SPDX-License-Identifier: Apache-2.0 */
/* `chiral run --mode mtd`. Its options are in the help of `chiral run`. */
#include "cli/run_mtd.h"

#include "base/log.h"
#include "cli/cli.h"
#include "mtd/run.h"
#include "node/microvm.h"
#include "node/node.h"

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

/* local:ISA, or a node as node_parse() knows it. */
static int parse_place(const char *text, struct mtd_place *ret)
{
	int isa = strncmp(text, "local:", 6) ? -1 : isa_from_name(text + 6);
	struct node_spec spec;
	int r;

	if (isa >= 0) {
		*ret = (struct mtd_place){ .node = "local", .isa = isa };
		return 0;
	}
	r = node_parse(text, &spec);
	if (r < 0)
		return r;
	*ret = (struct mtd_place){ .node = text, .isa = spec.kind == NODE_LOCAL ? (int)isa_native : -1 };
	node_spec_free(&spec);
	return 0;
}

static int parse_pages(const char *text, struct mtd_run *run)
{
	static const char *const names[_MTD_HOW_MAX] = { "auto", "uffd", "segv" };

	run->one_memory = !strcmp(text, "shm");
	run->pages_chosen = true;
	for (int i = 0; i < _MTD_HOW_MAX && !run->one_memory; i++) {
		if (strcmp(text, names[i]))
			continue;
		run->how = (enum mtd_how)i;
		return 0;
	}
	if (run->one_memory)
		return 0;
	log_error("--pages %s: use shm, uffd, segv or auto", text);
	return -EINVAL;
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

#define PUBLISH_MAX 32

static int add_publish(const char *text, struct mtd_run *run)
{
	static const char *list[PUBLISH_MAX + 1];
	unsigned host, guest, n = 0;

	while (list[n])
		n++;
	if (microvm_publish_parse(text, &host, &guest) < 0)
		return -EINVAL;
	if (n == PUBLISH_MAX) {
		log_error("--publish: at most %d ports", PUBLISH_MAX);
		return -EINVAL;
	}
	list[n] = text;
	run->publish = list;
	return 0;
}

static int parse_option(int c, struct mtd_run *run)
{
	switch (c) {
	case 'm':
		return 0;
	case 'p':
		run->points = optarg;
		return 0;
	case 'H':
		return parse_place(optarg, &run->home);
	case 'o':
		return parse_place(optarg, &run->other);
	case 'u':
		return add_publish(optarg, run);
	case 'P':
		return parse_pages(optarg, run);
	case 'j':
		return parse_descriptor(optarg, &run->status_fd);
	default:
		fputs("Try `chiral run --help`.\n", stderr);
		return -EINVAL;
	}
}

/* The program goes to the other ISA, or to this machine, if nothing else is asked for. */
static int choose_places(struct mtd_run *run)
{
	int isa = run->home.isa < 0 ? (int)isa_native : run->home.isa == ISA_AARCH64 ? ISA_X86_64 : ISA_AARCH64;

	if (!run->other.node)
		run->other = (struct mtd_place){ "local", isa };
	if (run->home.isa >= 0 && run->publish) {
		log_error("--publish: ports are those of a home in the microVM (--home microvm)");
		return -EINVAL;
	}
	if (run->home.isa >= 0 || run->other.isa >= 0)
		return 0;
	log_error("--home %s --other %s: one of the two has to be this machine, local", run->home.node,
		  run->other.node);
	return -EINVAL;
}

/* Two processes of this machine have one memory, if nothing else is asked for. */
static int choose_pages(struct mtd_run *run)
{
	bool here = run->home.isa >= 0 && run->other.isa >= 0;

	if (!run->pages_chosen)
		run->one_memory = here;
	if (run->one_memory && !here) {
		log_error("--pages shm: %s has no memory in common with this machine",
			  run->other.isa < 0 ? run->other.node : run->home.node);
		return -EINVAL;
	}
	if (run->one_memory || run->home.isa < 0 || run->home.isa == (int)isa_native)
		return 0;
	log_error("--home local:%s: no emulator can keep a home's memory the same as that of another node; "
		  "use --pages shm with --other local:%s", isa_descs[run->home.isa].debian,
		  isa_descs[isa_native].debian);
	return -EINVAL;
}

int cmd_run_mtd(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "points", required_argument, NULL, 'p' },
		{ "home", required_argument, NULL, 'H' },
		{ "other", required_argument, NULL, 'o' },
		{ "publish", required_argument, NULL, 'u' },
		{ "pages", required_argument, NULL, 'P' },
		{ "json-status-fd", required_argument, NULL, 'j' },
		{ 0 },
	};
	struct mtd_run run = { .home = { "local", (int)isa_native }, .status_fd = -1 };
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1)
		if (parse_option(c, &run) < 0)
			return EXIT_OWN_FAILURE;
	if (!run.points || optind == argc) {
		log_error("--mode mtd needs --points FILE and a PROGRAM; see `chiral run --help`");
		return EXIT_OWN_FAILURE;
	}
	run.argv = argv + optind;
	if (choose_places(&run) < 0 || choose_pages(&run) < 0)
		return EXIT_OWN_FAILURE;
	return mtd_run(&run);
}
