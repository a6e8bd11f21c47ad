/* SPDX-License-Identifier: Apache-2.0 */
/* Options that the subcommands which start a session share. */
#ifndef CHIRAL_CLI_SESSION_OPTIONS_H
#define CHIRAL_CLI_SESSION_OPTIONS_H

#include "session/hub.h"

/* Which of the shared options a subcommand has. */
#define OPT_NODES 0x01u	    /* --leader, --follower */
#define OPT_LEVEL 0x02u	    /* --level, --on-divergence, --allow-different-versions */
#define OPT_PROGRAM 0x04u   /* --local, --cwd, --env, and OPT_SHIP; PROGRAM ARGS... follow */
#define OPT_PUBLISH 0x08u   /* --publish */
#define OPT_STATUS 0x10u    /* --json-status-fd */
#define OPT_LISTEN 0x20u    /* --listen */
#define OPT_OUTPUT 0x40u    /* -o, --output, --discard */
#define OPT_NODE 0x80u	    /* --node */
#define OPT_SHIP 0x100u	    /* --program */
#define OPT_FILE 0x200u	    /* one operand, FILE, before or after the options */
#define OPT_POLICY 0x800u   /* --policy */
#define OPT_ARGS 0x400u	    /* PROGRAM ARGS... follow, without the options about them */

struct session_options {
	struct hub_config config;
	const char *publish[64];
	unsigned n_publish;
	char *local[256];
	unsigned n_local;
	char *env[256];		/* --env NAME=VALUE */
	unsigned n_env;
	const char *cwd, *listen, *output, *node, *file, *policy;
	bool has_level, has_action; /* --level, --on-divergence */
};

/*
 * Parses argv by what is allowed; usage is printed by --help (stdout) and after errors (stderr).
 * Returns 0, or 1 when the subcommand is done with *ret_status. Afterwards optind is at the first
 * argument that is not an option.
 */
int session_options_parse(int argc, char **argv, unsigned allowed, const char *usage,
			  struct session_options *ret, int *ret_status);

/* The policy file's settings into config.start, where no option says otherwise. 0 or -errno, logged. */
int session_options_policy(struct session_options *o);
/* That, and completes config.start from argv + optind. The environment is this process's, with --env on top.
 * 0 or -errno, logged. */
int session_options_finish(struct session_options *o, char **program);
void session_options_free(struct session_options *o);

#endif
