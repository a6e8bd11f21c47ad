/* SPDX-License-Identifier: Apache-2.0 */
#include "match/monitor.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "calls/filter.h"
#include "calls/recorded.h"
#include "capture/bpf/recorder.h"
#include "capture/capture.h"
#include "cli/cli.h"
#include "match/leader.h"
#include "match/shipped.h"
#include "policy/judge.h"
#include "replay/replay.h"
#include "session/start.h"
#include "variant/program.h"
#include "variant/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ERROR body: u32 exit status that the hub should end with, then the sentence. */
static int give_up(struct link *link, int exit_status, const char *fmt, ...)
{
	struct writer w = { 0 };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_u32(&w, (uint32_t)exit_status);
	put_str(&w, text);
	if (link_send(link, FRAME_ERROR, w.data, w.len) == 0)
		link_drain(link, PEER_TIMEOUT_MS);
	writer_free(&w);
	return exit_status;
}

/* path and facts are borrowed. */
static int send_started(struct link *link, pid_t pid, const char *path, const struct facts *facts)
{
	struct started s = { .pid = (uint32_t)pid, .program = (char *)path, .facts = *facts };
	struct writer w = { 0 };
	int r;

	start_set_identity(&s.identity);
	started_encode(&w, &s);
	r = link_send(link, FRAME_STARTED, w.data, w.len);
	writer_free(&w);
	return r < 0 ? r : link_drain(link, PEER_TIMEOUT_MS);
}

static void send_exited(struct link *link, const struct exited *e)
{
	struct writer w = { 0 };

	exited_encode(&w, e);
	if (link_send(link, FRAME_EXITED, w.data, w.len) == 0)
		link_drain(link, PEER_TIMEOUT_MS);
	writer_free(&w);
}

/* Keeps the link alive until the hub says GO: its other nodes may take long to start. */
static int wait_go(struct link *link)
{
	struct frame f;

	for (;;) {
		int r = link_recv_wait(link, HEARTBEAT_INTERVAL_MS, &f);

		if (r == -ETIMEDOUT)
			r = link_send(link, FRAME_HEARTBEAT, NULL, 0);
		else if (r == 1 && f.type == FRAME_GO)
			return 0;
		else if (r == 1 && f.type != FRAME_HEARTBEAT)
			return -ECANCELED;
		if (r < 0)
			return r;
	}
}

struct pipes {
	int child[3];	/* the program's ends, -1: inherited */
	int own[3];
};

static int make_pipes(bool inherit, struct pipes *ret)
{
	struct pipes p = { { -1, -1, -1 }, { -1, -1, -1 } };

	for (int i = 0; !inherit && i < 3; i++) {
		int fds[2];

		if (pipe2(fds, O_CLOEXEC) < 0)
			return -errno;
		p.child[i] = fds[i == 0 ? 0 : 1];
		p.own[i] = fds[i == 0 ? 1 : 0];
		fcntl(p.own[i], F_SETFL, O_NONBLOCK);
	}
	*ret = p;
	return 0;
}

/* A leader's monitor holds duplicates of its program's descriptors. */
static void raise_fd_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

/* What a variant is started from. */
struct origin {
	const char *path;
	struct facts facts;
	struct sock_fprog filter;
	struct recorder *recorder; /* of a leader; NULL: its calls are captured by stops */
};

static int lead(struct link *link, const struct start *start, const struct origin *from)
{
	struct spawn spawn = { .start = start, .path = from->path, .filter = &from->filter };
	struct spawned variant;
	struct capture capture;
	struct pipes pipes;
	struct leader *leader;
	int r = make_pipes(start->stdio_inherit, &pipes);

	if (r < 0)
		return give_up(link, EXIT_OWN_FAILURE, "cannot make pipes: %s", strerror(-r));
	memcpy(spawn.stdio, pipes.child, sizeof(spawn.stdio));
	r = variant_spawn(&spawn, &variant);
	for (int i = 0; i < 3; i++)
		cleanup_close_fn(&pipes.child[i]);
	if (r < 0)
		return give_up(link, r == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE,
			       "cannot execute '%s': %s", from->path, strerror(-r));
	r = send_started(link, variant.pid, from->path, &from->facts);
	raise_fd_limit();
	if (r == 0)
		r = wait_go(link);
	if (r == 0)
		r = leader_new(link, start, pipes.own, &leader);
	if (r < 0) {
		kill(variant.pid, SIGKILL);
		return EXIT_PEER_LOST;
	}
	capture = (struct capture){ start, leader, variant.pid, variant.loader, from->recorder };
	r = capture_ptrace(&capture);
	leader_free(leader);
	if (r < 0)
		return give_up(link, EXIT_OWN_FAILURE, "capturing the leader failed: %s", strerror(-r));
	return 0;
}

/*
 * How the leader's calls are captured: *ret is the kernel's recorder, or NULL for stops. In lockstep
 * every call has to be held at its entry, which only a stop can do; of those that rules are about the
 * same is true.
 */
static int choose_capture(struct link *link, const struct start *start, struct recorder **ret)
{
	static struct policy_index index; /* as long as calls are described */
	const char *why;
	int r;

	*ret = NULL;
	if (start->capture == CAPTURE_PTRACE)
		return 0;
	if (start->level == LEVEL_LOCKSTEP) {
		if (start->capture == CAPTURE_BPF)
			log_info("lockstep holds calls at their entry: the leader's are captured by ptrace");
		return 0;
	}
	policy_index_init(&index, &start->rules);
	record_hold(index.by_call);
	r = recorder_open(ret, &why);
	if (r < 0 && start->capture == CAPTURE_BPF)
		return give_up(link, EXIT_OWN_FAILURE,
			       "the kernel cannot record the leader's calls: %s (%s); use --capture ptrace",
			       why, strerror(-r));
	if (r < 0)
		log_info("the kernel cannot record the leader's calls: %s; they are captured by ptrace",
			 why);
	return 0;
}

/* What `chiral follow` exits with. */
static int follow_status(const struct exited *e)
{
	int status = e->wait_status;

	if (e->diverged)
		return EXIT_DIVERGENCE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int follow(struct link *link, const struct start *start, const struct origin *from)
{
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct spawn spawn = {
		.start = start,
		.path = from->path,
		.filter = &from->filter,
		.stdio = { null, null, null },
	};
	struct spawned variant;
	struct exited exited = { 0 };
	int r = variant_spawn(&spawn, &variant);

	if (r < 0)
		return give_up(link, r == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE,
			       "cannot execute '%s' on the follower's node: %s", from->path,
			       strerror(-r));
	r = send_started(link, variant.pid, from->path, &from->facts);
	if (r < 0)
		return EXIT_PEER_LOST;
	r = replay_notify(start, link, &variant, start->leader_pid, &exited);
	if (r < 0 && r != -EPIPE)
		return give_up(link, EXIT_OWN_FAILURE, "the follower's monitor failed: %s", strerror(-r));
	send_exited(link, &exited);
	return r < 0 ? EXIT_PEER_LOST : follow_status(&exited);
}

static char *const *expected;

void monitor_expect(char *const *argv)
{
	expected = argv;
}

bool monitor_expects(void)
{
	return expected;
}

static bool as_expected(const struct start *start)
{
	size_t n = argv_len(expected);

	if (!expected)
		return true;
	if (start->role != ROLE_FOLLOWER || argv_len(start->argv) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(expected[i], start->argv[i]))
			return false;
	return true;
}

/* The first of PATH on the node, or the file that was shipped. Owned, NULL with *ret_why. */
static char *find_program(const struct start *start, const char *shipped,
			  struct program_refusal *ret_why)
{
	char *path = shipped ? strdup(shipped)
			     : variant_find_program(start->program, start->env, start->cwd);

	if (!path)
		program_not_found(start, errno, ret_why);
	return path;
}

static int begin(struct link *link, const struct start *start, struct origin *from)
{
	bool leads = start->role == ROLE_LEADER;
	enum filter_role role = !leads ? FILTER_FOLLOWER
				: from->recorder ? FILTER_LEADER_RECORDED : FILTER_LEADER;
	int r = filter_build(isa_native, role, &from->filter);

	if (r < 0)
		return give_up(link, EXIT_OWN_FAILURE, "cannot build the seccomp filter: %s", strerror(-r));
	r = leads ? lead(link, start, from) : follow(link, start, from);
	filter_free(&from->filter);
	return r;
}

static int run(struct link *link, const struct start *start, const char *shipped)
{
	bool leads = start->role == ROLE_LEADER;
	cleanup_free char *path = NULL;
	struct program_refusal why;
	struct origin from = { 0 };
	int r;

	log_set_name(leads ? "chiral[leader]" : "chiral[follower]");
	if (!as_expected(start))
		return give_up(link, EXIT_OWN_FAILURE, "`chiral follow` was given another program or other arguments "
					  "than the leader's '%s'", start->program);
	from.path = path = find_program(start, shipped, &why);
	if (!path || !program_inspect(path, start, &from.facts, &why))
		return give_up(link, why.exit_status, "%s", why.text);
	r = leads ? choose_capture(link, start, &from.recorder) : 0;
	if (r == 0)
		r = begin(link, start, &from);
	recorder_close(from.recorder);
	facts_free(&from.facts);
	return r;
}

int monitor_serve(struct link *link, const struct hello *peer, const struct frame *first)
{
	struct frame f = *first;
	struct start start;
	struct shipped shipped = { 0 };
	int r = 1;

	/* Writing to a link or a pipe whose reader is gone is an error, not a death. */
	signal(SIGPIPE, SIG_IGN);
	while (r == 1 && f.type == FRAME_FILE) {
		r = shipped_save(&shipped, f.body, f.len);
		if (r < 0) {
			shipped_remove(&shipped);
			return give_up(link, EXIT_OWN_FAILURE, "cannot store the program's file: %s",
				       strerror(-r));
		}
		r = link_recv_wait(link, PEER_TIMEOUT_MS * 4, &f);
	}
	if (r != 1 || f.type != FRAME_START || start_decode(f.body, f.len, &start) < 0 ||
	    memcmp(start.session, peer->session, sizeof(start.session)) != 0) {
		shipped_remove(&shipped);
		return give_up(link, EXIT_OWN_FAILURE, "the hub sent no valid START frame");
	}
	r = run(link, &start, start.shipped ? shipped.path : NULL);
	shipped_remove(&shipped);
	start_free(&start);
	return r;
}
