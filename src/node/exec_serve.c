/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's side of EXEC. Neither side can fill the other's memory: the command's output is not
 * read while OUT_MAX bytes wait for the hub, and the hub's frames are not read while IN_MAX bytes
 * wait for the command. That cannot lock up, for the hub always reads.
 */
#include "node/exec.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK    (64u << 10)
#define OUT_MAX  (1u << 20)
#define IN_MAX   (256u << 10)
#define DRAIN_MS 10000

struct exec {
	struct link *link;
	pid_t pid;
	int pidfd;
	int in;                /* the command's stdin; -1 when closed */
	int out[2];            /* its stdout and stderr; -1 when closed */
	struct writer pending; /* bytes for in */
	size_t written;        /* of pending */
	bool in_ended;         /* the hub sent the end of stdin */
	bool exited;
	int status;
};

/* ---- the command ----------------------------------------------------------------------------- */

static void command_run(const struct exec_request *req)
{
	int err;

	for (size_t i = 0; req->env[i]; i++)
		putenv(req->env[i]);
	if (req->cwd[0] && chdir(req->cwd) < 0) {
		log_errno(errno, "cannot enter %s on the node", req->cwd);
		_exit(125);
	}
	if (!req->cwd[0] && getenv("HOME") && chdir(getenv("HOME")) < 0)
		log_debug("no home folder on the node");
	close_range(3, ~0u, 0);
	signal(SIGPIPE, SIG_DFL);
	execvp(req->argv[0], req->argv);
	err = errno;
	log_errno(err, "cannot run '%s' on the node", req->argv[0]);
	_exit(err == ENOENT ? 127 : 126);
}

static int command_start(struct exec *x, const struct exec_request *req)
{
	int p[3][2];

	for (int i = 0; i < 3; i++) {
		if (pipe2(p[i], O_CLOEXEC) == 0)
			continue;
		while (i--) {
			close(p[i][0]);
			close(p[i][1]);
		}
		return -errno;
	}
	x->pid = fork();
	if (x->pid == 0) {
		setsid();
		/* High first: the pipe's own ends may be 0-2. */
		int io[3] = {fcntl(p[0][0], F_DUPFD, 10), fcntl(p[1][1], F_DUPFD, 10),
			     fcntl(p[2][1], F_DUPFD, 10)};

		for (int i = 0; i < 3; i++)
			dup2(io[i], i);
		command_run(req);
	}
	close(p[0][0]);
	close(p[1][1]);
	close(p[2][1]);
	x->in = p[0][1];
	x->out[0] = p[1][0];
	x->out[1] = p[2][0];
	fcntl(x->in, F_SETFL, O_NONBLOCK);
	fcntl(x->out[0], F_SETFL, O_NONBLOCK);
	fcntl(x->out[1], F_SETFL, O_NONBLOCK);
	x->pidfd = x->pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, x->pid, 0);
	return x->pid < 0 || x->pidfd < 0 ? -errno : 0;
}

/* ---- hub to command -------------------------------------------------------------------------- */

static size_t pending(const struct exec *x)
{
	return x->pending.len - x->written;
}

static void stdin_write(struct exec *x)
{
	while (x->in >= 0 && pending(x)) {
		ssize_t n = write(x->in, x->pending.data + x->written, pending(x));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) { /* EPIPE: the command reads no more */
			x->written = x->pending.len;
			x->in_ended = true;
			break;
		}
		x->written += (size_t)n;
	}
	if (!pending(x)) {
		writer_reset(&x->pending);
		x->written = 0;
		if (x->in_ended && x->in >= 0) {
			close(x->in);
			x->in = -1;
		}
	}
}

static int on_stdio(struct exec *x, const struct frame *f)
{
	if (f->len < 1 || f->body[0] != 0)
		return -EPROTO;
	if (f->len == 1)
		x->in_ended = true;
	else if (!x->in_ended)
		put_bytes(&x->pending, f->body + 1, f->len - 1);
	return x->pending.failed ? -ENOMEM : 0;
}

static int on_signal(struct exec *x, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	uint32_t sig = get_u32(&r);

	if (!reader_done(&r) || sig < 1 || sig >= _NSIG)
		return -EPROTO;
	if (!x->exited)
		kill(-x->pid, (int)sig);
	return 0;
}

static int on_frame(struct exec *x, const struct frame *f)
{
	switch (f->type) {
	case FRAME_STDIO:
		return on_stdio(x, f);
	case FRAME_SIGNAL:
		return on_signal(x, f);
	case FRAME_HEARTBEAT:
		return 0;
	default:
		return -EPROTO;
	}
}

/* 0 when there is no frame now, 1 when the command has to read first, -errno ends the connection.
 */
static int hub_read(struct exec *x)
{
	struct frame f;
	int r = 1;

	while (pending(x) < IN_MAX && (r = link_recv(x->link, &f)) > 0) {
		r = on_frame(x, &f);
		if (r < 0) {
			log_error("%s sent a %s frame that has no place beside a command",
				  link_peer(x->link), frame_type_name(f.type));
			return r;
		}
	}
	return r;
}

/* ---- command to hub -------------------------------------------------------------------------- */

/* Sends what is there. True when there is nothing more now. */
static bool output_read(struct exec *x, int i)
{
	uint8_t chunk[1 + CHUNK];

	chunk[0] = (uint8_t)(i + 1);
	while (x->out[i] >= 0) {
		ssize_t n;

		if (link_queued(x->link) > OUT_MAX)
			return false;
		n = read(x->out[i], chunk + 1, CHUNK);
		if (n > 0) {
			link_send(x->link, FRAME_STDIO, chunk, (size_t)n + 1);
		} else if (n == 0 || errno != EINTR) {
			if (n < 0 && errno == EAGAIN)
				return true;
			close(x->out[i]);
			x->out[i] = -1;
		}
	}
	return true;
}

static void on_exit_of_command(struct exec *x)
{
	if (waitpid(x->pid, &x->status, WNOHANG) == x->pid)
		x->exited = true;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Moves what can be moved now: 1 when the command is over and all its output queued, 0, -errno. */
static int exec_move(struct exec *x)
{
	bool all = true;
	int r;

	/* Frames may wait in the link's memory, where poll(2) does not see them. */
	do {
		r = hub_read(x);
		if (r < 0)
			return r;
		stdin_write(x);
	} while (r > 0 && pending(x) < IN_MAX);
	for (int i = 0; i < 2; i++)
		all &= output_read(x, i);
	r = link_flush(x->link);
	return r < 0 ? r : x->exited && all;
}

/* Waits for anything to change. */
static int exec_wait(struct exec *x)
{
	bool out_room = link_queued(x->link) <= OUT_MAX;
	struct pollfd p[5] = {
		{.fd = link_fd(x->link), .events = pending(x) < IN_MAX ? POLLIN : 0},
		{.fd = pending(x) ? x->in : -1, .events = POLLOUT},
		{.fd = out_room ? x->out[0] : -1, .events = POLLIN},
		{.fd = out_room ? x->out[1] : -1, .events = POLLIN},
		{.fd = x->exited ? -1 : x->pidfd, .events = POLLIN},
	};

	if (link_queued(x->link))
		p[0].events |= POLLOUT;
	if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
		return -errno;
	if (p[4].revents)
		on_exit_of_command(x);
	if ((p[0].revents & (POLLHUP | POLLERR)) && !(p[0].revents & POLLIN))
		return -EPIPE;
	return 0;
}

static int exec_loop(struct exec *x)
{
	uint32_t status;
	int r;

	while ((r = exec_move(x)) == 0) {
		r = exec_wait(x);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	status = (uint32_t)x->status;
	r = link_send(x->link, FRAME_EXITED, &status, sizeof(status));
	return r < 0 ? r : link_drain(x->link, DRAIN_MS);
}

int exec_serve(struct link *l, const uint8_t *body, size_t len)
{
	struct exec x = {.link = l, .pidfd = -1, .in = -1, .out = {-1, -1}};
	struct exec_request req;
	int r = exec_request_decode(body, len, &req);

	if (r < 0) {
		log_error("%s asks for a command in a form that this node does not know",
			  link_peer(l));
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	r = command_start(&x, &req);
	if (r < 0)
		log_errno(-r, "cannot start '%s'", req.argv[0]);
	else
		r = exec_loop(&x);
	/* The keeper of this process ends what the command left behind. */
	exec_request_free(&req);
	writer_free(&x.pending);
	close(x.pidfd);
	return r < 0;
}
