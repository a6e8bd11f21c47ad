/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that moves between this machine, its home, and a node. This process is home's pager. The
 * session ends with home's process: when the other node is lost, pages may be lost with it, so home's
 * process is killed; and whatever home's process ends of, the other node's keeper ends what is there.
 */
#include "mtd/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "mtd/config.h"
#include "mtd/process.h"
#include "mtd/remote.h"
#include "session/peer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STARTED_MS 60000
/* What one side may take to end after the other one has. */
#define END_MS 5000

struct session {
	const struct mtd_run *run;
	struct mtd_config_file config;
	struct peer other;
	struct pager pager;
	int signals;
	int home_status, other_status;	/* of waitpid(2) */
	bool home_ended, other_ended, silent;
	int exit_status;		/* of this session, when it is not the program's; -1 */
	int64_t said_at, end_by;	/* ms */
};

/* ---- the beginning --------------------------------------------------------------------------- */

static int ask_other(struct session *s)
{
	struct mtd_start start = { .name = s->run->argv[0], .how = s->run->how, .config = s->config.c,
				   .config_size = s->config.size };
	cleanup_free char *file = NULL;
	struct writer w = { 0 };
	struct frame f;
	int r;

	start.isa = s->run->other.isa >= 0 ? (enum isa)s->run->other.isa : s->other.isa;
	file = mtd_file_of(s->run, start.isa);
	if (!file)
		return -ENOMEM;
	mtd_start_encode(&w, &start);
	r = w.failed ? -ENOMEM : peer_send(&s->other, FRAME_MOVE_START, w.data, w.len);
	writer_free(&w);
	if (r >= 0)
		r = peer_ship(&s->other, file);
	if (r >= 0)
		r = peer_expect(&s->other, FRAME_STARTED, STARTED_MS, &f, &s->exit_status);
	return r < 0 ? r : 0;
}

static int start_home(struct session *s)
{
	enum isa isa = (enum isa)s->run->home.isa;
	cleanup_free char *file = mtd_file_of(s->run, isa);
	struct mtd_process process = { .file = file, .argv = s->run->argv, .isa = isa, .home = true,
				       .config = s->config.fd, .how = MTD_HOW_UFFD, .stderr_fd = -1 };
	struct pager_ends ends;
	char why[320];
	int r = file ? pager_init(&s->pager, true, s->other.link, &ends) : -ENOMEM;

	if (r < 0)
		return r;
	process.memory = s->pager.memory;
	process.link = ends.link;
	process.pages = ends.pages;
	r = s->pager.pid = mtd_process_start(&process);
	close(ends.link);
	close(ends.pages);
	if (r < 0)
		return r;
	r = pager_begin(&s->pager, MTD_HOW_UFFD, why, sizeof(why));
	if (r < 0)
		log_error("home: %s", why);
	return r;
}

static int start(struct session *s)
{
	size_t size;
	cleanup_free struct mtd_config *config = mtd_config_load(s->run->argv[0], s->run->points, &size);
	uint8_t id[16];
	int r;

	if (!config)
		return -EINVAL;
	r = mtd_config_share(config, size, &s->config);
	if (r < 0)
		return r;
	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		return log_errno(EIO, "cannot get random bytes for the session");
	r = peer_connect(&s->other, s->run->other.node, NULL, id);
	if (r == 0)
		r = ask_other(s);
	return r < 0 ? r : start_home(s);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void kill_home(const struct session *s)
{
	if (s->pager.pid > 0 && !s->home_ended)
		kill(s->pager.pid, SIGKILL);
}

/* The session cannot go on. */
static void give_up(struct session *s, int exit_status)
{
	if (s->exit_status < 0)
		s->exit_status = exit_status;
	s->end_by = time_now_ms();
}

static void lose_other(struct session *s, const char *why)
{
	if (s->other_ended || s->home_ended)
		return;
	log_error("%s; the program cannot go on without its pages there", why);
	give_up(s, EXIT_PEER_LOST);
}

static void on_other_ended(struct session *s, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);

	s->other_status = (int)get_u32(&r);
	if (!reader_done(&r)) {
		lose_other(s, "the other node sent a malformed EXITED frame");
		return;
	}
	s->other_ended = true;
	s->end_by = deadline_after_ms(WIFSIGNALED(s->other_status) ? 0 : END_MS);
}

/* The thread may have been on either side when it ended. */
static int status_of(const struct session *s)
{
	int status = s->home_status;

	if (s->exit_status >= 0)
		return s->exit_status;
	if (s->other_ended && (WIFSIGNALED(s->other_status) ||
			       (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_PEER_LOST)))
		status = s->other_status;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- between --------------------------------------------------------------------------------- */

static void print_errors(const struct frame *f)
{
	if (f->len > 1 && f->body[0] == STDERR_FILENO && write(STDERR_FILENO, f->body + 1, f->len - 1) < 0)
		log_debug("nobody reads what the other node says");
}

/* r: what one of the pager's functions returned. */
static void after_pager(struct session *s, int r)
{
	if (r < 0)
		s->silent = true;
	if (r < 0 && r != -EPIPE)	/* otherwise home's process has ended, or will at once */
		give_up(s, EXIT_OWN_FAILURE);
}

static void on_frame(struct session *s, const struct frame *f)
{
	cleanup_free char *text = NULL;
	int status;

	s->other.heard_at = time_now_ms();
	switch (f->type) {
	case FRAME_MOVE:
		if (!s->silent)
			after_pager(s, pager_receive(&s->pager, f));
		return;
	case FRAME_HEARTBEAT:
		return;
	case FRAME_STDIO:
		print_errors(f);
		return;
	case FRAME_EXITED:
		on_other_ended(s, f);
		return;
	case FRAME_ERROR:
		text = error_decode(f->body, f->len, &status);
		if (!s->home_ended)
			log_error("%s: %s", s->other.node, text ? text : "failed");
		lose_other(s, "the other node gave up");
		return;
	default:
		lose_other(s, "the other node sent a frame that has no place here");
	}
}

static void read_link(struct session *s)
{
	struct frame f;
	int r = 0;

	while (!s->other_ended && s->exit_status < 0 && (r = link_recv(s->other.link, &f)) == 1)
		on_frame(s, &f);
	if (r < 0)
		lose_other(s, link_error(s->other.link));
}

static void beat(struct session *s)
{
	int64_t now = time_now_ms();

	if (now - s->said_at < HEARTBEAT_INTERVAL_MS)
		return;
	s->said_at = now;
	if (!s->other_ended)
		link_send(s->other.link, FRAME_HEARTBEAT, NULL, 0);
	if (now - s->other.heard_at > PEER_TIMEOUT_MS)
		lose_other(s, "the other node has said nothing for four seconds");
	mtd_print_status(s->run->status_fd, "running", &s->pager.counters);
}

static void reload(struct session *s)
{
	struct writer w = { 0 };

	if (mtd_reload(s->run, &s->config) < 0)
		return;
	put_blob(&w, s->config.c, s->config.size);
	if (w.failed || (!s->other_ended && link_send(s->other.link, FRAME_MOVE_POINTS, w.data, w.len) < 0))
		log_warn("the other node goes on with the points that it had");
	writer_free(&w);
}

/* A signal from a terminal reached home as well. */
static void on_signal(struct session *s)
{
	struct signalfd_siginfo si;

	while (read(s->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD || si.ssi_code == SI_KERNEL || s->home_ended)
			continue;
		if (si.ssi_signo == SIGHUP)
			reload(s);
		else
			kill(s->pager.pid, (int)si.ssi_signo);
	}
	if (s->home_ended || waitpid(s->pager.pid, &s->home_status, WNOHANG) != s->pager.pid)
		return;
	s->home_ended = true;
	if (s->end_by == INT64_MAX)
		s->end_by = deadline_after_ms(END_MS);
}

static void step(struct session *s)
{
	struct pollfd p[4];
	int left = deadline_left_ms(s->end_by);

	pager_fds(&s->pager, p);
	if (s->silent)
		p[0].fd = p[1].fd = -1;
	p[2] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	p[3] = (struct pollfd){ .fd = s->other_ended ? -1 : link_fd(s->other.link), .events = POLLIN };
	if (link_queued(s->other.link))
		p[3].events |= POLLOUT;
	poll(p, ARRAY_SIZE(p), left < 0 || left > HEARTBEAT_INTERVAL_MS ? HEARTBEAT_INTERVAL_MS : left);
	if (p[2].revents)
		on_signal(s);
	if (s->home_ended)	/* what it said last */
		p[0].revents = POLLIN;
	if (!s->silent)
		after_pager(s, pager_serve(&s->pager, p));
	if (!s->other_ended)
		read_link(s);
	beat(s);
	link_flush(s->other.link);
}

/* Home's process did not end in its time: on a machine with too much to do, or stopped by somebody. What
 * the program's end was is known from the other one all the same. */
static void end_home(struct session *s)
{
	if (s->exit_status < 0 && s->other_ended && WIFEXITED(s->other_status)) {
		log_error("the program has ended on the other node, but its process here did not in %d "
			  "seconds; it was killed", END_MS / 1000);
		s->exit_status = WEXITSTATUS(s->other_status);
	}
	kill_home(s);
	waitpid(s->pager.pid, &s->home_status, 0);
	s->home_ended = true;
}

/* Until home's process has ended, and the other one too when it is the one that knows why. */
static void run(struct session *s)
{
	s->said_at = s->other.heard_at = time_now_ms();
	while (!s->home_ended || (!s->other_ended && WIFEXITED(s->home_status) &&
				  WEXITSTATUS(s->home_status) == EXIT_PEER_LOST)) {
		step(s);
		if (deadline_left_ms(s->end_by) == 0)
			break;
	}
	if (!s->home_ended)
		end_home(s);
}

int mtd_run_nodes(const struct mtd_run *run_)
{
	struct session s = { .run = run_, .signals = -1, .exit_status = -1, .end_by = INT64_MAX,
			     .config = MTD_NO_CONFIG_FILE,
			     .pager = { .memory = -1, .program = -1, .faults = -1 } };
	int status = EXIT_OWN_FAILURE;
	sigset_t set;

	mtd_block_signals(&set);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s.signals < 0)
		log_errno(errno, "cannot wait for signals");
	else if (start(&s) == 0) {
		run(&s);
		status = status_of(&s);
		mtd_print_status(run_->status_fd, "ended", &s.pager.counters);
	} else if (s.exit_status >= 0)
		status = s.exit_status;
	if (!s.home_ended && s.pager.pid > 0) {
		kill_home(&s);
		waitpid(s.pager.pid, NULL, 0);
	}
	pager_free(&s.pager);
	peer_close(&s.other);
	cleanup_close_fn(&s.signals);
	mtd_config_unshare(&s.config);
	return status;
}
