/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/session_options.h"

static const char usage[] =
	"usage: chiral verify FILE [--node NODE] [OPTIONS]\n"
	"\n"
	"Runs a follower from a record of `chiral record`, on either ISA: everything the program did then\n"
	"is compared with what it does now. Arguments and environment are those of the record.\n"
	"\n"
	"  --node NODE  where to run the follower (default: local)\n"
	"  --level, --on-divergence, --policy, --program, --allow-different-versions,\n"
	"  --json-status-fd: see chiral run\n"
	"\n"
	"Exit status: as chiral run.\n";

int cmd_verify(int argc, char **argv)
{
	struct session_options o;
	int status;

	if (session_options_parse(argc, argv, OPT_LEVEL | OPT_POLICY | OPT_STATUS | OPT_NODE | OPT_SHIP |
				  OPT_FILE,
				  usage, &o, &status))
		return status;
	o.config.verify = o.file;
	o.config.followers[o.config.n_followers++] = o.node ? o.node : "local";
	status = session_options_policy(&o) < 0 ? EXIT_OWN_FAILURE : hub_run(&o.config);
	session_options_free(&o);
	return status;
}
