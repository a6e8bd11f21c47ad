/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "link/link.h"
#include "node/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 10000

static enum isa isa_other(void)
{
	return isa_native == ISA_X86_64 ? ISA_AARCH64 : ISA_X86_64;
}

static int parse_microvm(const char *isa, struct node_spec *ret)
{
	int i = *isa ? isa_from_name(isa + 1) : (int)isa_other();

	if (i < 0) {
		log_error("there is no microVM for '%s'; use microvm:arm64 or microvm:amd64",
			  isa + 1);
		return -EINVAL;
	}
	*ret = (struct node_spec){.kind = NODE_MICROVM, .isa = (enum isa)i};
	return 0;
}

int node_parse(const char *text, struct node_spec *ret)
{
	if (!strcmp(text, "local")) {
		*ret = (struct node_spec){.kind = NODE_LOCAL, .isa = isa_native};
		return 0;
	}
	if (!strncmp(text, "microvm", 7) && (!text[7] || text[7] == ':'))
		return parse_microvm(text + 7, ret);
	if (!strncmp(text, "tcp://", 6) || !strncmp(text, "unix:", 5)) {
		char *address = strdup(text);

		if (!address)
			return log_errno(ENOMEM, "cannot use the node %s", text);
		*ret = (struct node_spec){.kind = NODE_STREAM, .address = address};
		return 0;
	}
	log_error("'%s' is not a node; use local, microvm, microvm:arm64, tcp://HOST:PORT or "
		  "unix:PATH",
		  text);
	return -EINVAL;
}

void node_spec_free(struct node_spec *spec)
{
	free(spec->address);
	spec->address = NULL;
}

static int connect_local(pid_t *ret_pid)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return log_errno(errno, "cannot make a socket pair for the local node");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		_exit(keeper_run(pair[1], false));
	}
	close(pair[1]);
	if (pid < 0) {
		log_errno(errno, "cannot fork for the local node");
		close(pair[0]);
		return -EAGAIN;
	}
	*ret_pid = pid;
	return pair[0];
}

int node_connect(const struct node_spec *spec, const char *const *publish, pid_t *ret_pid)
{
	if (publish && publish[0] && spec->kind != NODE_MICROVM) {
		log_error("ports are published by a microVM only; "
			  "a program on another node is reached at that node's own address");
		return -EINVAL;
	}
	*ret_pid = 0;
	switch (spec->kind) {
	case NODE_LOCAL:
		return connect_local(ret_pid);
	case NODE_MICROVM:
		return microvm_connect(spec->isa, publish);
	case NODE_STREAM:
		return transport_connect(spec->address, CONNECT_MS);
	}
	return -EINVAL;
}
