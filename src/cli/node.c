/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/log.h"
#include "node/listen.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

static void usage(FILE *f)
{
	fputs("usage: chiral node --listen ADDRESS [--once]\n"
	      "       chiral node --serial\n"
	      "\n"
	      "Serves this machine as a node: `chiral run --follower tcp://HOST:PORT` on another "
	      "machine\n"
	      "runs a variant here. Runs until SIGTERM or SIGINT, which end all sessions.\n"
	      "\n"
	      "  --listen ADDRESS  tcp://HOST:PORT or unix:PATH; port 0 picks a free one\n"
	      "  --once            serve one connection, then exit with its status\n"
	      "  --serial          serve the virtio-serial ports of a microVM (inside its guest)\n"
	      "\n"
	      "Whoever can connect can run any command as this user: listen on 127.0.0.1, on a "
	      "unix\n"
	      "socket, or on a network that you trust.\n"
	      "\n"
	      "Exit status: 0 at the end, 125 when it cannot serve.\n",
	      f);
}

int cmd_node(int argc, char **argv)
{
	static const struct option options[] = {
		{"listen", required_argument, NULL, 'l'},
		{"once", no_argument, NULL, 'o'},
		{"serial", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *address = NULL;
	bool once = false, serial = false;
	int c;

	while ((c = getopt_long(argc, argv, "+h", options, NULL)) >= 0) {
		switch (c) {
		case 'l':
			address = optarg;
			break;
		case 'o':
			once = true;
			break;
		case 's':
			serial = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return EXIT_OWN_FAILURE;
		}
	}
	if (optind < argc || serial == (address != NULL) || (once && !address)) {
		usage(stderr);
		return EXIT_OWN_FAILURE;
	}
	log_set_name("chiral[node]");
	c = serial ? node_serial() : node_listen(address, once);
	return c < 0 ? EXIT_OWN_FAILURE : c;
}
