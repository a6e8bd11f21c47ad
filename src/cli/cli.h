/* SPDX-License-Identifier: Apache-2.0 */
/* Subcommands: one file each, one line in the table of main.c. */
#ifndef CHIRAL_CLI_CLI_H
#define CHIRAL_CLI_CLI_H

/* Exit statuses of Chiral itself; otherwise the program's own (128 + signal when killed by one). */
enum {
	EXIT_PEER_LOST = 121,
	EXIT_DIVERGENCE = 122,
	EXIT_OWN_FAILURE = 125,
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
};

struct cli_command {
	const char *name;
	/* argv[0] is the subcommand's name. Returns the exit status. */
	int (*run)(int argc, char **argv);
	const char *summary;	/* one line, lower case, for `chiral --help` */
};

int cmd_run(int argc, char **argv);
int cmd_lead(int argc, char **argv);
int cmd_follow(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_calls(int argc, char **argv);
int cmd_cc(int argc, char **argv);
int cmd_microvm(int argc, char **argv);
int cmd_node(int argc, char **argv);

#endif
