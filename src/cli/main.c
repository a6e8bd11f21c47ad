/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_command commands[] = {
	{ "run", cmd_run, "run a program as two variants and compare them" },
	{ "lead", cmd_lead, "run the leader here and wait for a follower" },
	{ "follow", cmd_follow, "run the follower of a leader elsewhere" },
	{ "record", cmd_record, "run a leader and write its events to a file" },
	{ "verify", cmd_verify, "run a follower from a record" },
	{ "trace", cmd_trace, "print a record like strace" },
	{ "calls", cmd_calls, "print the page of supported system calls" },
	{ "policy", cmd_policy, "check a policy file, or say what it means" },
	{ "cc", cmd_cc, "compile C so that the program can move between ISAs" },
	{ "check", cmd_check, "tell what this machine offers, in three grades" },
	{ "microvm", cmd_microvm, "build, start, stop and use the microVM of the other ISA" },
	{ "node", cmd_node, "serve this machine as a node" },
};

static void usage(FILE *f)
{
	fputs("usage: chiral COMMAND [OPTIONS]\n\ncommands:\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fputs("\n`chiral COMMAND --help` explains a command; chiral(1) is the manual.\n"
	      "`chiral --version` prints the version.\n",
	      f);
}

/* A connection must not become stdin, stdout or stderr because the caller had closed them; and all
 * variants have to have the same numbers in use. */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	open_standard_descriptors();
	if (argc < 2) {
		usage(stderr);
		return EXIT_OWN_FAILURE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("chiral " CHIRAL_VERSION);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	log_error("there is no command '%s'; see `chiral --help`", argv[1]);
	return EXIT_OWN_FAILURE;
}
