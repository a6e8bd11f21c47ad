/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/run_mtd.h"
#include "cli/session_options.h"

#include "base/log.h"

#include <getopt.h>
#include <string.h>

static const char usage[] =
	"usage: chiral run [OPTIONS] -- PROGRAM [ARGS...]\n"
	"       chiral run --mode mtd --points FILE [OPTIONS] -- PROGRAM [ARGS...]\n"
	"\n"
	"Runs PROGRAM as two variants on two nodes, feeds both the same inputs and compares their\n"
	"system calls. A difference is an attack, or a fault of one variant: it is reported and stopped.\n"
	"\n"
	"  --leader NODE           where the variant runs that does the real work (default: local)\n"
	"  --follower NODE         where the variant runs that is compared with it (default: microvm);\n"
	"                          may be repeated\n"
	"  --level LEVEL           async: the leader runs ahead up to a window (default)\n"
	"                          lockstep: no compared call takes effect before it was compared\n"
	"                          observe: a difference is reported only, the program goes on\n"
	"  --on-divergence ACTION  kill all variants (default), freeze them until SIGINT or SIGTERM, or\n"
	"                          report and go on\n"
	"  --policy FILE           settings and rules about calls, instead of /etc/chiral/policy.yaml;\n"
	"                          options win over it; see chiral-policy(5)\n"
	"  --capture HOW           how the leader's calls are captured: bpf (recorded by the kernel: faster,\n"
	"                          needs root), ptrace (by stops), auto (bpf where it is possible, default)\n"
	"  --local PATH            a file or directory that each variant reads on its own node\n"
	"  --program ISA=PATH      ship this file to the nodes of that ISA as the program's binary\n"
	"  --allow-different-versions\n"
	"                          run although the nodes have other versions of the program; say so\n"
	"  --publish HOST:GUEST    port of this machine (127.0.0.1) that leads to one of a leader in\n"
	"                          the microVM\n"
	"  --cwd DIR               working directory on the leader's node (default: this one for a\n"
	"                          local leader, otherwise the node's own)\n"
	"  --env NAME=VALUE        set a variable of the program's environment\n"
	"  --json-status-fd N      write status and alarms as JSON lines to descriptor N\n"
	"\n"
	"With --mode mtd one PROGRAM, built with `chiral cc`, moves at random between two processes, one of\n"
	"each instruction set:\n"
	"\n"
	"  --mode mtd              has to be the first option\n"
	"  --points FILE           where it may move, and how often\n"
	"  --home NODE             where its files and sockets are: local (the default), local:arm64,\n"
	"                          local:amd64, or a node, as below\n"
	"  --other NODE            where else it runs: local:arm64 (the default; local:amd64 for a home\n"
	"                          that is local:arm64), in an emulator, local:amd64, a second process,\n"
	"                          or a node, as below; local when home is on a node\n"
	"  --publish HOST:GUEST    port of this machine that leads to one of a home in the microVM\n"
	"  --pages HOW             how the two keep one memory: shm, one memory file (the default on\n"
	"                          this machine); uffd or segv, pages that are sent (auto: what the\n"
	"                          node can do, the default elsewhere)\n"
	"\n"
	"NODE is local, microvm, microvm:arm64, microvm:amd64, tcp://HOST:PORT or unix:PATH.\n"
	"\n"
	"Exit status: the program's own (128 + N when signal N killed it); 122 divergence,\n"
	"or a call that the policy forbids, 121 a node was lost, 125 Chiral failed, 126 the program\n"
	"cannot be executed, 127 it was not found.\n";

int cmd_run(int argc, char **argv)
{
	const char *mode = run_mode(argc, argv);
	struct session_options o;
	int status;

	if (mode && !strcmp(mode, "mtd"))
		return cmd_run_mtd(argc, argv);
	if (mode) {
		log_error("--mode %s: the only mode to name is mtd; see `chiral run --help`", mode);
		return EXIT_OWN_FAILURE;
	}
	if (session_options_parse(argc, argv,
				  OPT_NODES | OPT_LEVEL | OPT_POLICY | OPT_PROGRAM | OPT_PUBLISH |
				  OPT_STATUS,
				  usage, &o, &status))
		return status;
	if (!o.config.leader)
		o.config.leader = "local";
	if (o.config.n_followers == 0)
		o.config.followers[o.config.n_followers++] = "microvm";
	status = session_options_finish(&o, argv + optind) < 0 ? EXIT_OWN_FAILURE
								: hub_run(&o.config);
	session_options_free(&o);
	return status;
}
