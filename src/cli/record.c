/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/session_options.h"

#include <getopt.h>

static const char usage[] =
	"usage: chiral record -o FILE [OPTIONS] -- PROGRAM [ARGS...]\n"
	"       chiral record --discard [OPTIONS] -- PROGRAM [ARGS...]\n"
	"\n"
	"Runs PROGRAM as a leader without followers and writes its event stream to FILE (mode 0600: it\n"
	"holds all that the program read). `chiral verify FILE` runs a follower from it later.\n"
	"\n"
	"  -o, --output FILE  the record\n"
	"  --discard          no record: events are made and dropped, to measure what capturing costs\n"
	"  --leader NODE      where to run (default: local)\n"
	"  --policy, --capture, --local, --program, --publish, --cwd, --env, --json-status-fd: see\n"
	"  chiral run\n"
	"\n"
	"Exit status: the program's own, or 121, 125, 126, 127 as chiral run.\n";

int cmd_record(int argc, char **argv)
{
	struct session_options o;
	int status;

	if (session_options_parse(argc, argv,
				  OPT_NODES | OPT_POLICY | OPT_PROGRAM | OPT_PUBLISH | OPT_STATUS |
				  OPT_OUTPUT,
				  usage, &o, &status))
		return status;
	if (!o.output == !o.config.start.discard || o.config.n_followers) {
		log_error("%s; see `chiral record --help`",
			  o.config.n_followers ? "a record has no follower"
			  : o.output	       ? "-o FILE and --discard exclude each other"
					       : "-o FILE is missing");
		return EXIT_OWN_FAILURE;
	}
	if (!o.config.leader)
		o.config.leader = "local";
	o.config.record = o.output;
	status = session_options_finish(&o, argv + optind) < 0 ? EXIT_OWN_FAILURE
								: hub_run(&o.config);
	session_options_free(&o);
	return status;
}
