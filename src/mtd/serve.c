/* SPDX-License-Identifier: Apache-2.0 */
/* The other node of a program that moves: its process, its pager, in the process of one connection. */
#include "mtd/remote.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "match/shipped.h"
#include "mtd/config.h"
#include "mtd/pager.h"
#include "mtd/process.h"
#include "session/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_MS 30000

struct other {
	struct link *link;
	struct pager pager;
	struct mtd_config_file config;
	int errors;	/* the program's stderr */
	int pidfd;
	bool silent;	/* the program has closed its end */
	bool ended;
	int64_t heard_at, said_at;
};

static int give_up(struct link *l, const char *text)
{
	struct writer w = { 0 };

	error_encode(&w, EXIT_OWN_FAILURE, text);
	if (!w.failed && link_send(l, FRAME_ERROR, w.data, w.len) == 0)
		link_drain(l, PEER_TIMEOUT_MS);
	writer_free(&w);
	return EXIT_OWN_FAILURE;
}

/* ---- the beginning --------------------------------------------------------------------------- */

static int start_process(struct other *o, const struct mtd_start *s, const char *file)
{
	char *argv[] = { s->name, NULL };
	struct mtd_process process = { .file = file, .argv = argv, .isa = s->isa, .how = s->how };
	struct pager_ends ends;
	int errors[2], r;

	r = pager_init(&o->pager, false, o->link, &ends);
	if (r < 0)
		return r;
	r = mtd_config_share(s->config, s->config_size, &o->config);
	if (r == 0 && pipe2(errors, O_CLOEXEC) < 0)
		r = log_errno(errno, "cannot make a pipe");
	if (r == 0) {
		o->errors = errors[0];
		fcntl(errors[0], F_SETFL, O_NONBLOCK);
		process.memory = o->pager.memory;
		process.config = o->config.fd;
		process.link = ends.link;
		process.pages = ends.pages;
		process.stderr_fd = errors[1];
		r = o->pager.pid = mtd_process_start(&process);
		close(errors[1]);
	}
	close(ends.link);
	close(ends.pages);
	o->pidfd = r < 0 ? -1 : (int)syscall(SYS_pidfd_open, o->pager.pid, 0);
	return r < 0 ? r : o->pidfd < 0 ? -errno : 0;
}

static int receive_file(struct link *l, struct shipped *ret)
{
	struct frame f;

	if (link_recv_wait(l, FILE_MS, &f) != 1 || f.type != FRAME_FILE)
		return -EPROTO;
	return shipped_save(ret, f.body, f.len);
}

/* ---- until the end --------------------------------------------------------------------------- */

static void pass_errors(struct other *o)
{
	uint8_t chunk[1 + 4096] = { STDERR_FILENO };
	ssize_t n;

	while ((n = read(o->errors, chunk + 1, sizeof(chunk) - 1)) > 0)
		link_send(o->link, FRAME_STDIO, chunk, (size_t)n + 1);
	if (n == 0)
		cleanup_close_fn(&o->errors);
}

/* r: what one of the pager's functions returned. */
static int after_pager(struct other *o, int r)
{
	if (r == -EPIPE)	/* the program has ended, or will at once */
		o->silent = true;
	return r == -EPIPE ? 0 : r;
}

static int on_points(struct other *o, const struct frame *f)
{
	const void *config;
	size_t size;
	int r = mtd_points_decode(f->body, f->len, &config, &size);

	if (r == 0)
		r = mtd_config_change(&o->config, config, size);
	return r < 0 ? log_errno(-r, "%s sent points that are not this program's", link_peer(o->link)) : 0;
}

static int on_frame(struct other *o, const struct frame *f)
{
	o->heard_at = time_now_ms();
	switch (f->type) {
	case FRAME_MOVE:
		return o->silent ? 0 : after_pager(o, pager_receive(&o->pager, f));
	case FRAME_MOVE_POINTS:
		return on_points(o, f);
	case FRAME_HEARTBEAT:
		return 0;
	default:
		log_error("%s sent a %s frame that has no place here", link_peer(o->link),
			  frame_type_name(f->type));
		return -EPROTO;
	}
}

static int read_link(struct other *o)
{
	struct frame f;
	int r;

	while ((r = link_recv(o->link, &f)) == 1) {
		r = on_frame(o, &f);
		if (r < 0)
			return r;
	}
	return r;
}

static int beat(struct other *o)
{
	int64_t now = time_now_ms();

	if (now - o->heard_at > PEER_TIMEOUT_MS) {
		log_error("%s said nothing for %d s", link_peer(o->link), PEER_TIMEOUT_MS / 1000);
		return -ETIMEDOUT;
	}
	if (now - o->said_at < HEARTBEAT_INTERVAL_MS)
		return 0;
	o->said_at = now;
	return link_send(o->link, FRAME_HEARTBEAT, NULL, 0);
}

static int step(struct other *o)
{
	struct pollfd p[5];
	int r;

	pager_fds(&o->pager, p);
	if (o->silent)
		p[0].fd = p[1].fd = -1;
	p[2] = (struct pollfd){ .fd = o->errors, .events = POLLIN };
	p[3] = (struct pollfd){ .fd = link_fd(o->link), .events = POLLIN };
	p[4] = (struct pollfd){ .fd = o->pidfd, .events = POLLIN };
	if (link_queued(o->link))
		p[3].events |= POLLOUT;
	if (poll(p, ARRAY_SIZE(p), HEARTBEAT_INTERVAL_MS) < 0 && errno != EINTR)
		return -errno;
	if (p[4].revents) {	/* what it said last comes first */
		o->ended = true;
		p[0].revents = POLLIN;
	}
	r = o->silent ? 0 : after_pager(o, pager_serve(&o->pager, p));
	if (p[2].revents)
		pass_errors(o);
	if (r == 0)
		r = read_link(o);
	if (r == 0)
		r = beat(o);
	return r < 0 || link_flush(o->link) >= 0 ? r : -EPIPE;
}

static int run(struct other *o)
{
	uint32_t status;
	int r = 0, wait_status = 0;

	o->heard_at = o->said_at = time_now_ms();
	while (!o->ended && r == 0)
		r = step(o);
	if (!o->ended)
		kill(o->pager.pid, SIGKILL);
	waitpid(o->pager.pid, &wait_status, 0);
	if (o->errors >= 0)
		pass_errors(o);
	status = (uint32_t)wait_status;
	if (o->ended && link_send(o->link, FRAME_EXITED, &status, sizeof(status)) == 0)
		link_drain(o->link, PEER_TIMEOUT_MS);
	else if (r < 0 && r != -EPIPE)
		give_up(o->link, "cannot keep the memory of the program that moves; see the node's log");
	return r < 0;
}

static int serve(struct other *o, const struct mtd_start *s)
{
	struct shipped file = { 0 };
	char why[320] = "its process cannot be started there; see the node's log";
	uint32_t how;
	int r = receive_file(o->link, &file);

	if (r == 0)
		r = start_process(o, s, file.path);
	if (r == 0)
		r = pager_begin(&o->pager, s->how, why, sizeof(why));
	/* It has been executed. */
	shipped_remove(&file);
	if (r < 0) {
		pass_errors(o);
		return give_up(o->link, why);
	}
	how = o->pager.how;
	r = link_send(o->link, FRAME_STARTED, &how, sizeof(how));
	return r < 0 ? EXIT_PEER_LOST : run(o);
}

int mtd_serve(struct link *l, const struct frame *start)
{
	struct other o = { .link = l, .errors = -1, .pidfd = -1, .config = MTD_NO_CONFIG_FILE,
			   .pager = { .memory = -1, .program = -1, .faults = -1 } };
	struct mtd_start s;
	struct writer config = { 0 };
	int r;

	if (mtd_start_decode(start->body, start->len, &s) < 0)
		return give_up(l, "it was asked for a program that moves in a form that it does not know");
	/* The frame's body ends with the next frame. */
	put_bytes(&config, s.config, s.config_size);
	s.config = config.data;
	r = config.failed ? give_up(l, "out of memory") : serve(&o, &s);
	writer_free(&config);
	free(s.name);
	if (o.pager.pid > 0 && !o.ended)
		kill(o.pager.pid, SIGKILL);
	pager_free(&o.pager);
	mtd_config_unshare(&o.config);
	cleanup_close_fn(&o.errors);
	cleanup_close_fn(&o.pidfd);
	return r;
}
