/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session_options.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/default_policy.h"
#include "policy/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	O_LEADER = 256, O_FOLLOWER, O_LEVEL, O_ON_DIVERGENCE, O_CAPTURE, O_LOCAL_PATH, O_PROGRAM,
	O_CWD, O_ENV, O_PUBLISH, O_STATUS, O_LISTEN, O_OUTPUT, O_NODE, O_POLICY, O_DIFFERENT, O_DISCARD,
	O_MODE, O_HELP,
};

static const struct {
	struct option option;
	unsigned group;
} known[] = {
	{ { "leader", required_argument, NULL, O_LEADER }, OPT_NODES },
	{ { "follower", required_argument, NULL, O_FOLLOWER }, OPT_NODES },
	{ { "mode", required_argument, NULL, O_MODE }, OPT_NODES },
	{ { "level", required_argument, NULL, O_LEVEL }, OPT_LEVEL },
	{ { "on-divergence", required_argument, NULL, O_ON_DIVERGENCE }, OPT_LEVEL },
	{ { "policy", required_argument, NULL, O_POLICY }, OPT_POLICY },
	{ { "capture", required_argument, NULL, O_CAPTURE }, OPT_PROGRAM },
	{ { "local", required_argument, NULL, O_LOCAL_PATH }, OPT_PROGRAM },
	{ { "program", required_argument, NULL, O_PROGRAM }, OPT_PROGRAM | OPT_SHIP },
	{ { "allow-different-versions", no_argument, NULL, O_DIFFERENT }, OPT_LEVEL },
	{ { "cwd", required_argument, NULL, O_CWD }, OPT_PROGRAM },
	{ { "env", required_argument, NULL, O_ENV }, OPT_PROGRAM },
	{ { "publish", required_argument, NULL, O_PUBLISH }, OPT_PUBLISH },
	{ { "json-status-fd", required_argument, NULL, O_STATUS }, OPT_STATUS },
	{ { "listen", required_argument, NULL, O_LISTEN }, OPT_LISTEN },
	{ { "output", required_argument, NULL, O_OUTPUT }, OPT_OUTPUT },
	{ { "discard", no_argument, NULL, O_DISCARD }, OPT_OUTPUT },
	{ { "node", required_argument, NULL, O_NODE }, OPT_NODE },
};

static int set_status_fd(struct session_options *o, const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (!*text || *end || fd < 0 || fd > 1 << 20 || fcntl((int)fd, F_GETFD) < 0) {
		log_error("--json-status-fd: '%s' is not an open descriptor", text);
		return -EINVAL;
	}
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	o->config.status_fd = (int)fd;
	return 0;
}

static int set_choice(uint8_t *to, int value, const char *option, const char *text,
		      const char *choices)
{
	if (value < 0) {
		log_error("%s: '%s' is not one of %s", option, text, choices);
		return -EINVAL;
	}
	*to = (uint8_t)value;
	return 0;
}

/* ISA=PATH */
static int add_ship(struct session_options *o, char *text)
{
	struct hub_config *c = &o->config;
	char *path = strchr(text, '=');
	int isa;

	if (path)
		*path++ = 0;
	isa = path ? isa_from_name(text) : -EINVAL;
	if (isa < 0 || !*path || c->n_ship == HUB_PEERS_MAX) {
		log_error("--program: '%s' is not ISA=PATH with an ISA of x86_64 or aarch64", text);
		return -EINVAL;
	}
	c->ship[c->n_ship++] = (struct hub_ship){ (enum isa)isa, path };
	return 0;
}

static int port_of(const char *text, char stop, const char **ret_end)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (end == text || *end != stop || port < 1 || port > 65535)
		return -EINVAL;
	*ret_end = end;
	return (int)port;
}

static int add_publish(struct session_options *o, const char *text)
{
	const char *end;

	if (port_of(text, ':', &end) < 0 || port_of(end + 1, 0, &end) < 0 ||
	    o->n_publish + 1 == ARRAY_SIZE(o->publish)) {
		log_error("--publish: '%s' is not HOSTPORT:GUESTPORT", text);
		return -EINVAL;
	}
	o->publish[o->n_publish++] = text;
	return 0;
}

static int add_text(char **list, unsigned *n, size_t max, char *text, const char *option)
{
	if (*n + 1 >= max) {
		log_error("%s: too many of them", option);
		return -E2BIG;
	}
	list[(*n)++] = text;
	return 0;
}

static int add_local(struct session_options *o, char *text)
{
	char why[128];

	if (!rule_check_path(text, why, sizeof(why))) {
		log_error("--local: '%s': %s", text, why);
		return -EINVAL;
	}
	return add_text(o->local, &o->n_local, ARRAY_SIZE(o->local), text, "--local");
}

static int take(struct session_options *o, int option)
{
	struct hub_config *c = &o->config;

	switch (option) {
	case O_LEADER:
		c->leader = optarg;
		return 0;
	case O_FOLLOWER:
		if (c->n_followers == HUB_PEERS_MAX) {
			log_error("--follower: at most %d followers", HUB_PEERS_MAX);
			return -E2BIG;
		}
		c->followers[c->n_followers++] = optarg;
		return 0;
	case O_LEVEL:
		o->has_level = true;
		return set_choice(&c->start.level, level_from_name(optarg), "--level", optarg,
				  "async, lockstep, observe");
	case O_ON_DIVERGENCE:
		o->has_action = true;
		return set_choice(&c->start.action, action_from_name(optarg), "--on-divergence",
				  optarg, "kill, freeze, report");
	case O_POLICY:
		o->policy = optarg;
		return 0;
	case O_CAPTURE:
		return set_choice(&c->start.capture, capture_from_name(optarg), "--capture", optarg,
				  "ptrace, bpf, auto");
	case O_LOCAL_PATH:
		return add_local(o, optarg);
	case O_PROGRAM:
		return add_ship(o, optarg);
	case O_DIFFERENT:
		c->allow_different = true;
		return 0;
	case O_CWD:
		o->cwd = optarg;
		return 0;
	case O_ENV:
		if (!strchr(optarg, '=')) {
			log_error("--env: '%s' is not NAME=VALUE", optarg);
			return -EINVAL;
		}
		return add_text(o->env, &o->n_env, ARRAY_SIZE(o->env), optarg, "--env");
	case O_PUBLISH:
		return add_publish(o, optarg);
	case O_STATUS:
		return set_status_fd(o, optarg);
	case O_LISTEN:
		o->listen = optarg;
		return 0;
	case O_OUTPUT:
		o->output = optarg;
		return 0;
	case O_DISCARD:
		c->start.discard = true;
		return 0;
	case O_NODE:
		o->node = optarg;
		return 0;
	case O_MODE:
		log_error("--mode %s: a mode is named as the first option of `chiral run`", optarg);
		return -EINVAL;
	default:
		return -EINVAL;
	}
}

static void make_getopt(unsigned allowed, struct option *options, char *shorts)
{
	size_t n = 0;

	/* Options end at the program; a FILE may stand before them. */
	snprintf(shorts, 8, "%sh%s", allowed & OPT_FILE ? "" : "+", allowed & OPT_OUTPUT ? "o:" : "");
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].group & allowed)
			options[n++] = known[i].option;
	options[n++] = (struct option){ "help", no_argument, NULL, O_HELP };
	options[n] = (struct option){ 0 };
}

int session_options_parse(int argc, char **argv, unsigned allowed, const char *usage,
			  struct session_options *ret, int *ret_status)
{
	struct option options[ARRAY_SIZE(known) + 2];
	char shorts[8];
	int c;

	*ret = (struct session_options){ .config = { .status_fd = -1, .start.capture = CAPTURE_AUTO } };
	make_getopt(allowed, options, shorts);
	while ((c = getopt_long(argc, argv, shorts, options, NULL)) >= 0) {
		if (c == 'h' || c == O_HELP) {
			fputs(usage, stdout);
			*ret_status = 0;
			return 1;
		}
		if (take(ret, c == 'o' ? O_OUTPUT : c) < 0) {
			*ret_status = EXIT_OWN_FAILURE;
			if (c == '?')
				fprintf(stderr, "see `chiral %s --help`\n", argv[0]);
			return 1;
		}
	}
	if (allowed & OPT_FILE) {
		if (optind + 1 != argc) {
			log_error("one FILE is needed; see `chiral %s --help`", argv[0]);
			*ret_status = EXIT_OWN_FAILURE;
			return 1;
		}
		ret->file = argv[optind];
	}
	if ((allowed & (OPT_PROGRAM | OPT_ARGS)) && optind == argc) {
		log_error("no program given; see `chiral %s --help`", argv[0]);
		*ret_status = EXIT_OWN_FAILURE;
		return 1;
	}
	return 0;
}

/* The environment with --env on top; later ones win. Strings are borrowed. */
static char **make_env(const struct session_options *o)
{
	size_t n = argv_len(environ), used = 0;
	char **env = calloc(n + o->n_env + 1, sizeof(*env));

	for (size_t i = 0; env && i < n + o->n_env; i++) {
		char *entry = i < n ? environ[i] : o->env[i - n];
		size_t name = strcspn(entry, "=") + 1, at = 0;

		while (at < used && strncmp(env[at], entry, name))
			at++;
		env[at] = entry;
		if (at == used)
			used++;
	}
	return env;
}

static bool leads_here(const struct hub_config *c)
{
	return c->leader && !strcmp(c->leader, "local");
}

static int load_policy(const struct session_options *o, struct policy *ret)
{
	const char *file = o->policy ? o->policy : default_policy_file();

	if (file)
		return policy_load(file, ret);
	policy_init(ret);
	return 0;
}

/* Options win. A level on the command line is that of the whole session. */
static int override_policy(const struct session_options *o, struct policy *p)
{
	if (o->has_level) {
		p->level = o->config.start.level;
		rules_drop_levels(&p->rules);
	}
	if (o->has_action)
		p->on_divergence = o->config.start.action;
	for (unsigned i = 0; i < o->n_local; i++)
		if (strv_add(&p->local, o->local[i]) < 0)
			return -ENOMEM;
	return policy_canonicalise(p);
}

int session_options_policy(struct session_options *o)
{
	struct policy p;
	int r = load_policy(o, &p);

	if (r < 0)
		return r;
	r = override_policy(o, &p);
	if (r == 0)
		r = policy_to_start(&p, &o->config.start);
	policy_free(&p);
	return r < 0 ? log_errno(-r, "cannot put the policy in force") : 0;
}

int session_options_finish(struct session_options *o, char **program)
{
	struct hub_config *c = &o->config;
	struct start *s = &c->start;
	cleanup_free char **env = make_env(o);
	char here[START_PATH_MAX] = "";
	mode_t mask = umask(0);

	umask(mask);
	if (session_options_policy(o) < 0)
		return -EINVAL;
	/* This machine's working directory means nothing on another one. */
	if (!o->cwd && leads_here(c) && !getcwd(here, sizeof(here)))
		here[0] = 0;
	s->umask = mask;
	s->program = strdup(program[0]);
	s->argv = argv_copy(program);
	s->env = env ? argv_copy(env) : NULL;
	s->cwd = strdup(o->cwd ? o->cwd : here);
	c->publish = o->n_publish ? o->publish : NULL;
	if (!s->program || !s->argv || !s->env || !s->cwd)
		return log_errno(ENOMEM, "cannot copy arguments and environment");
	return 0;
}

void session_options_free(struct session_options *o)
{
	start_free(&o->config.start);
}
