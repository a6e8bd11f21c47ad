/* SPDX-License-Identifier: Apache-2.0 */
/* How the process of a node's side begins. */
#include "mtd/serve.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "mtd/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_MS 30000

/*
 * For all three streams, or for stderr only: our ends, and in ret the program's. No pipes: write(2) keeps
 * a pipe locked while it waits for a page of the program, and we, who have to bring that page, would wait
 * for the pipe.
 */
static int make_streams(struct stdio_node *s, bool all, int ret[3])
{
	for (int i = all ? 0 : STDERR_FILENO; i < 3; i++) {
		int fds[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
			return log_errno(errno, "cannot make the program's streams");
		ret[i] = fds[0];
		s->fd[i] = fds[1];
		shutdown(fds[1], i ? SHUT_WR : SHUT_RD);
		fcntl(fds[1], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

static int start_with_streams(struct side *o, struct mtd_process *process)
{
	int streams[3] = { -1, -1, -1 };
	int r = make_streams(&o->stdio, process->home, streams);

	process->streams = streams;
	if (r == 0)
		r = o->pager.pid = mtd_process_start(process);
	for (int i = 0; i < 3; i++)
		cleanup_close_fn(&streams[i]);
	return r;
}

int side_start(struct side *o, const struct mtd_start *s, const char *file)
{
	struct mtd_process process = { .file = file, .argv = s->program.argv, .isa = s->isa, .how = s->how,
				       .home = s->home, .env = s->home ? s->program.env : NULL };
	struct pager_ends ends;
	int r;

	r = pager_init(&o->pager, s->home, o->link, &ends);
	if (r < 0)
		return r;
	r = mtd_config_share(s->config, s->config_size, &o->config);
	if (r == 0) {
		process.memory = o->pager.memory;
		process.config = o->config.fd;
		process.link = ends.link;
		process.pages = ends.pages;
		r = start_with_streams(o, &process);
	}
	close(ends.link);
	close(ends.pages);
	o->pidfd = r < 0 ? -1 : (int)syscall(SYS_pidfd_open, o->pager.pid, 0);
	return r < 0 ? r : o->pidfd < 0 ? -errno : 0;
}

int side_receive_file(struct link *l, struct shipped *ret)
{
	struct frame f;

	if (link_recv_wait(l, FILE_MS, &f) != 1 || f.type != FRAME_FILE)
		return -EPROTO;
	return shipped_save(ret, f.body, f.len);
}

void side_log_errors(const struct side *o)
{
	char text[512];
	ssize_t n = o->stdio.fd[2] < 0 ? 0 : read(o->stdio.fd[2], text, sizeof(text));

	if (n > 0)
		log_error("its process said: %.*s", (int)n, text);
}
