/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/nodes.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "mtd/process.h"
#include "mtd/remote.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STARTED_MS 60000

static const struct mtd_place *place(const struct nodes *s, enum nodes_side side)
{
	return side == s->home ? &s->run->home : &s->run->other;
}

/* ---- the beginning --------------------------------------------------------------------------- */

static int send_start(struct nodes *s, enum isa isa)
{
	char *only_name[] = { s->run->argv[0], NULL };
	bool home = s->home == THERE;
	const struct mtd_start start = {
		.program = { .argv = home ? s->run->argv : only_name, .env = home ? environ : NULL },
		.isa = isa, .how = home ? MTD_HOW_UFFD : s->run->how, .home = home,
		.config = s->config.c, .config_size = s->config.size };
	struct writer w = { 0 };
	int r;

	mtd_start_encode(&w, &start);
	r = w.failed ? -ENOMEM : peer_send(&s->peer, FRAME_MOVE_START, w.data, w.len);
	writer_free(&w);
	return r;
}

static int start_there(struct nodes *s)
{
	const struct mtd_place *there = place(s, THERE);
	enum isa isa = there->isa >= 0 ? (enum isa)there->isa : s->peer.isa;
	cleanup_free char *file = mtd_file_of(s->run, isa);
	struct frame f;
	int r = file ? send_start(s, isa) : -ENOMEM;

	if (r >= 0)
		r = peer_ship(&s->peer, file);
	if (r >= 0)
		r = peer_expect(&s->peer, FRAME_STARTED, STARTED_MS, &f, &s->exit_status);
	return r < 0 ? r : 0;
}

static int start_here(struct nodes *s)
{
	static const int no_input_or_output[3] = { -1, -1, STDERR_FILENO };
	enum isa isa = (enum isa)place(s, HERE)->isa;
	bool home = s->home == HERE;
	cleanup_free char *file = mtd_file_of(s->run, isa);
	struct mtd_process process = { .file = file, .argv = s->run->argv, .isa = isa, .home = home,
				       .config = s->config.fd, .how = home ? MTD_HOW_UFFD : s->run->how,
				       .streams = home ? NULL : no_input_or_output };
	struct pager_ends ends;
	char why[320];
	int r = file ? pager_init(&s->pager, home, s->peer.link, &ends) : -ENOMEM;

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
	r = pager_begin(&s->pager, process.how, why, sizeof(why));
	if (r < 0)
		log_error("%s: %s", home ? "home" : "the process here", why);
	return r;
}

static int start(struct nodes *s)
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
	r = peer_connect(&s->peer, place(s, THERE)->node, s->run->publish, id);
	if (r == 0)
		r = start_there(s);
	return r < 0 ? r : start_here(s);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void kill_here(struct nodes *s)
{
	if (s->pager.pid <= 0 || s->ended[HERE])
		return;
	kill(s->pager.pid, SIGKILL);
	waitpid(s->pager.pid, &s->status[HERE], 0);
	s->ended[HERE] = true;
}

/* Home's process did not end in its time: on a machine with too much to do, or stopped by somebody. What
 * the program's end was is known from the other one all the same. */
static void end_home(struct nodes *s)
{
	int status = s->status[nodes_other(s)];

	if (s->exit_status < 0 && s->ended[nodes_other(s)] && WIFEXITED(status)) {
		log_error("the program has ended on the other node, but its process %s did not in %d "
			  "seconds; it was killed", s->home == HERE ? "here" : "at home", NODES_END_MS / 1000);
		s->exit_status = WEXITSTATUS(status);
	}
	if (s->home == HERE)
		kill_here(s);
}

/* The thread may have been on either side when it ended. */
static int status_of(const struct nodes *s)
{
	enum nodes_side other = nodes_other(s);
	int status = s->status[s->home];

	if (s->exit_status >= 0)
		return s->exit_status;
	if (s->ended[other] && (!s->ended[s->home] || WIFSIGNALED(s->status[other]) ||
				(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_PEER_LOST)))
		status = s->status[other];
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Home has ended, and the other side is the one that knows of what. */
static bool other_knows(const struct nodes *s)
{
	int status = s->status[s->home];

	return !s->ended[nodes_other(s)] && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_PEER_LOST;
}

static void run(struct nodes *s)
{
	s->said_at = s->peer.heard_at = time_now_ms();
	while (!s->ended[s->home] || other_knows(s)) {
		nodes_step(s);
		if (deadline_left_ms(s->end_by) == 0)
			break;
	}
	if (!s->ended[s->home])
		end_home(s);
}

/* Whoever reads our stdout decides how long that takes; another signal from the user ends it. */
static void write_rest(struct nodes *s)
{
	struct signalfd_siginfo si;

	while (s->signals >= 0 && read(s->signals, &si, sizeof(si)) == sizeof(si))
		;
	stdio_hub_finish(&s->stdio, s->signals);
}

void nodes_print_status(const struct nodes *s, const char *state)
{
	const struct pager_counters *c = &s->pager.counters;
	struct pager_counters at_home = *c;

	if (s->home == THERE) {
		at_home.faults = c->other_faults;
		at_home.other_faults = c->faults;
		at_home.pages_in = c->pages_out;
		at_home.pages_out = c->pages_in;
		at_home.pushed = c->pushed_here;
	}
	mtd_print_status(s->run->status_fd, state, &at_home);
}

int mtd_run_nodes(const struct mtd_run *run_)
{
	struct nodes s = { .run = run_, .home = run_->home.isa >= 0 ? HERE : THERE, .signals = -1,
			   .exit_status = -1, .end_by = INT64_MAX, .config = MTD_NO_CONFIG_FILE,
			   .pager = { .memory = -1, .program = -1, .faults = -1 } };
	int status = EXIT_OWN_FAILURE;
	sigset_t set;

	if (s.home == THERE)
		signal(SIGPIPE, SIG_IGN);
	mtd_block_signals(&set);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s.signals < 0)
		log_errno(errno, "cannot wait for signals");
	else if (start(&s) == 0) {
		s.stdio.in_open = s.home == THERE;
		run(&s);
		status = status_of(&s);
		nodes_print_status(&s, "ended");
	} else if (s.exit_status >= 0)
		status = s.exit_status;
	kill_here(&s);
	write_rest(&s);
	pager_free(&s.pager);
	peer_close(&s.peer);
	cleanup_close_fn(&s.signals);
	mtd_config_unshare(&s.config);
	return status;
}
