/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/session_options.h"
#include "link/link.h"
#include "match/monitor.h"
#include "node/keeper.h"

#include <getopt.h>

static const char usage[] =
	"usage: chiral follow ADDRESS -- PROGRAM [ARGS...]\n"
	"\n"
	"Runs PROGRAM here as the follower of a `chiral lead` at ADDRESS (tcp://HOST:PORT or unix:PATH).\n"
	"Either side may be started first. The arguments must be those of the leader; the binary is this\n"
	"machine's own. The link is not encrypted.\n"
	"\n"
	"Exit status: the variant's own, 121 when the leader was lost, 122 after a divergence, 125, 126,\n"
	"127 as chiral run. Alarms are printed by `chiral lead`.\n";

int cmd_follow(int argc, char **argv)
{
	struct session_options o;
	const char *address;
	int status, fd;

	if (argc > 1 && argv[1][0] != '-') {
		/* ADDRESS before "--" */
		address = argv[1];
		argv[1] = argv[0];
		argc--;
		argv++;
	} else {
		address = NULL;
	}
	if (session_options_parse(argc, argv, address ? OPT_ARGS : 0, usage, &o, &status))
		return status;
	if (!address) {
		log_error("ADDRESS is missing; see `chiral follow --help`");
		return EXIT_OWN_FAILURE;
	}
	fd = transport_connect(address, -1);
	if (fd < 0)
		return EXIT_OWN_FAILURE;
	monitor_expect(argv + optind);
	return keeper_run(fd, false);
}
