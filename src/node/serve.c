/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node.h"

#include "base/log.h"
#include "cli/cli.h"
#include "link/link.h"
#include "match/monitor.h"
#include "mtd/remote.h"
#include "node/exec.h"
#include "session/peer.h"
#include "session/peer.h"

#include <errno.h>
#include <unistd.h>

#define HANDSHAKE_MS 10000
#define FIRST_FRAME_MS 30000

/* Tells the hub what was wrong, as far as it still listens. */
static int serve_fail(struct link *l, const char *text)
{
	struct writer w = { 0 };

	log_error("%s", text);
	error_encode(&w, EXIT_OWN_FAILURE, text);
	if (!w.failed && link_send(l, FRAME_ERROR, w.data, w.len) == 0)
		link_drain(l, 1000);
	writer_free(&w);
	return EXIT_OWN_FAILURE;
}

static int serve_link(struct link *l)
{
	struct hello mine, peer;
	struct frame f;
	int r;

	hello_init(&mine, NULL);
	r = link_handshake(l, &mine, HANDSHAKE_MS, &peer);
	if (r == -EPIPE) /* somebody who only looked whether a node is here */
		return 0;
	if (r < 0)
		return serve_fail(l, link_error(l));
	r = link_recv_wait(l, FIRST_FRAME_MS, &f);
	/* The hub gave up before this node's turn came, and has said why to its user. */
	if (r == -EPIPE && !monitor_expects())
		return EXIT_OWN_FAILURE;
	if (r < 0)
		return serve_fail(l, link_error(l));
	if (f.type == FRAME_EXEC)
		return exec_serve(l, f.body, f.len);
	if (f.type == FRAME_MOVE_START)
		return mtd_serve(l, &f);
	return monitor_serve(l, &peer, &f);
}

int node_serve(int fd)
{
	struct link *l;
	int r = link_new(fd, "the hub", &l);

	if (r < 0) {
		log_errno(-r, "cannot use the connection");
		close(fd);
		return EXIT_OWN_FAILURE;
	}
	r = serve_link(l);
	link_free(l);
	return r;
}
