/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/session_options.h"

#include <getopt.h>

static const char usage[] =
	"usage: chiral lead --listen ADDRESS [OPTIONS] -- PROGRAM [ARGS...]\n"
	"\n"
	"Runs PROGRAM here as the leader, and waits for `chiral follow` from another machine at ADDRESS\n"
	"(tcp://HOST:PORT or unix:PATH). Either side may be started first. The link is not encrypted.\n"
	"\n"
	"  --level, --on-divergence, --policy, --capture, --local, --program,\n"
	"  --allow-different-versions, --cwd, --env, --json-status-fd: see chiral run\n"
	"\n"
	"Exit status: as chiral run.\n";

int cmd_lead(int argc, char **argv)
{
	struct session_options o;
	int status;

	if (session_options_parse(argc, argv, OPT_LEVEL | OPT_POLICY | OPT_PROGRAM | OPT_STATUS | OPT_LISTEN,
				  usage, &o, &status))
		return status;
	if (!o.listen) {
		log_error("--listen ADDRESS is missing; see `chiral lead --help`");
		return EXIT_OWN_FAILURE;
	}
	o.config.leader = "local";
	o.config.listen = o.listen;
	status = session_options_finish(&o, argv + optind) < 0 ? EXIT_OWN_FAILURE
								: hub_run(&o.config);
	session_options_free(&o);
	return status;
}
