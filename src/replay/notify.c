/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: see replay.h. */
#include "replay/replay.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "replay/order.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

/* Before GO the hub is busy with its other nodes, one after the other. */
#define START_TIMEOUT_MS 300000
/* The window is what a leader keeps to at its calls' entries; their outcomes come on top. */
#define QUEUED_BEYOND_WINDOW ((size_t)4 * EVENT_MAX)

/* An inert object: reading gives nothing, writing and growing are sealed off. */
static int make_placeholder(void)
{
	int fd = memfd_create("chiral-virtual", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
						      F_SEAL_WRITE) < 0)
		cleanup_close_fn(&fd);
	return fd;
}

static void at_notification(struct replay *rp)
{
	struct seccomp_notif req = { 0 };
	struct fthread *f;

	if (ioctl(rp->notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &req) < 0)
		return; /* ENOENT: killed meanwhile */
	f = fthread_find(&rp->threads, (pid_t)req.pid);
	if (!f || rp->diverged)
		return; /* held for good: the session is over */
	f->stop = STOP_NOTIFY;
	f->notify_id = req.id;
	/* The filter sees a call again whose arguments were changed at its TRACE stop. */
	if (f->phase == PHASE_SUSPEND || f->phase == PHASE_MAP) {
		answer_continue(rp, f);
		return;
	}
	f->native.isa = isa_native;
	f->native.nr = req.data.nr;
	f->native.pc = req.data.instruction_pointer;
	for (int i = 0; i < CALL_ARGS_MAX; i++)
		f->native.arg[i] = req.data.args[i];
	replay_at_call(rp, f);
}

static void at_children(struct replay *rp, int signal_fd)
{
	struct signalfd_siginfo info;
	int status;
	pid_t tid;

	while (read(signal_fd, &info, sizeof(info)) == sizeof(info))
		;
	while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
		replay_at_stop(rp, tid, status);
}

/* Threads in a stop stay there; the others stop before their next instruction. */
static void stop_all(struct replay *rp)
{
	for (struct fthread *f = rp->threads.by_tid; f; f = f->hh.next)
		if (!f->dead)
			ptrace(PTRACE_INTERRUPT, f->tid, 0, 0);
}

static void on_frame(struct replay *rp, const struct frame *fr)
{
	rp->heard_at = time_now_ms();
	switch (fr->type) {
	case FRAME_EVENTS:
		if (rp->diverged)
			break;
		if (streams_add(&rp->streams, fr->body, fr->len) < 0) {
			rp->err = log_errno(EPROTO, "the leader's events are malformed or too many");
			break;
		}
		replay_advance_all(rp);
		rp->settling = true;
		break;
	case FRAME_GO:
		if (!rp->started)
			ptrace(PTRACE_CONT, rp->root, 0, 0);
		rp->started = true;
		break;
	case FRAME_FREEZE:
		rp->diverged = true;
		stop_all(rp);
		break;
	case FRAME_KILL:
		rp->killed = true;
		break;
	case FRAME_HEARTBEAT:
		break;
	default:
		rp->err = log_errno(EPROTO, "unexpected %s frame from the hub",
				    frame_type_name(fr->type));
	}
}

static void at_link(struct replay *rp)
{
	struct frame fr;
	int r = 0;

	while (rp->err == 0 && !rp->killed && (r = link_recv(rp->link, &fr)) == 1)
		on_frame(rp, &fr);
	if (r < 0 && rp->err == 0)
		rp->err = r;
}

static void on_timers(struct replay *rp)
{
	int64_t now = time_now_ms();

	if (now >= rp->heartbeat_at) {
		link_send(rp->link, FRAME_HEARTBEAT, NULL, 0);
		rp->heartbeat_at = now + HEARTBEAT_INTERVAL_MS;
	}
	if (!rp->diverged) {
		replay_check_deadlines(rp);
		replay_send_in_code(rp);
	}
	/* Whoever was stopped (SIGSTOP, a suspended machine) has heard nothing meanwhile. */
	if (now - rp->looked_at > 2 * HEARTBEAT_INTERVAL_MS)
		rp->heard_at = now;
	rp->looked_at = now;
	rp->heard_at = link_heard_at(rp->link, rp->heard_at);
	if (rp->err == 0 && now - rp->heard_at > (rp->started ? PEER_TIMEOUT_MS : START_TIMEOUT_MS)) {
		log_error("the hub has been silent for %d s; ending the follower",
			  (int)(now - rp->heard_at) / 1000);
		rp->err = -ETIMEDOUT;
	}
}

enum { POLL_NOTIFY, POLL_LINK, POLL_SIGNAL, _POLL_MAX };

/* Messages that end nothing by themselves are only looked at between bursts of calls. */
static void loop(struct replay *rp, int signal_fd)
{
	struct pollfd p[_POLL_MAX] = {
		[POLL_NOTIFY] = { rp->notify_fd, POLLIN, 0 },
		[POLL_LINK] = { link_fd(rp->link), POLLIN, 0 },
		[POLL_SIGNAL] = { signal_fd, POLLIN, 0 },
	};
	const struct timespec later = { .tv_nsec = 100000000 }, soon = { .tv_nsec = ORDER_LOOK_NS };
	int64_t timers_at = 0;

	while (rp->threads.by_tid && rp->err == 0 && !rp->killed) {
		p[POLL_LINK].events = (short)(POLLIN | (link_queued(rp->link) ? POLLOUT : 0));
		if (ppoll(p, _POLL_MAX, rp->ordering ? &soon : &later, NULL) < 0)
			continue;
		if (p[POLL_SIGNAL].revents)
			at_children(rp, signal_fd);
		if (p[POLL_NOTIFY].revents & POLLIN)
			at_notification(rp);
		else if (p[POLL_NOTIFY].revents) /* no thread has the filter any more */
			p[POLL_NOTIFY].fd = -1;
		if (p[POLL_LINK].revents)
			at_link(rp);
		rp->looks++;
		if (rp->ordering) {
			rp->ordering = false;
			replay_advance_all(rp);
		}
		if (rp->settling && !rp->diverged)
			replay_settle(rp);
		if (time_now_ms() >= timers_at) {
			on_timers(rp);
			timers_at = time_now_ms() + 100;
		}
		if (rp->err == 0 && link_flush(rp->link) < 0)
			rp->err = -EPIPE;
	}
}

/* A call of the leader's that was executed. Deaths, signals and calls that were only begun are what a
 * thread leaves behind that another one's exit_group(2) ends. */
static bool holds_executed_call(struct replay *rp, struct stream *st)
{
	struct call_record call = { 0 };
	bool found = false;
	struct reader r;

	while (!found && stream_peek(st, &r)) {
		struct event e = { .call = &call };

		found = event_decode(&r, &e) < 0 ||
			(e.kind == EVENT_CALL && (e.parts & CALL_PART_EXIT));
		stream_pop(&rp->streams, st);
	}
	call_record_free(&call);
	return found;
}

/* The leader says that threads went on which this variant never had, or which were at their end. */
static void check_leftover(struct replay *rp)
{
	if (rp->err || rp->killed || rp->diverged)
		return;
	for (struct stream *st = rp->streams.by_tid; st && rp->err == 0; st = st->hh.next)
		if (holds_executed_call(rp, st))
			rp->err = log_errno(EPROTO, "the leader's thread %u made calls after its "
						    "follower's end", st->tid);
}

static void kill_all(struct replay *rp)
{
	struct fthread *f, *tmp;

	HASH_ITER(hh, rp->threads.by_tid, f, tmp)
	if (!f->dead)
		kill(f->process->pid, SIGKILL);
	/* The notification descriptor goes first: nothing may wait for an answer. */
	cleanup_close_fn(&rp->notify_fd);
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			break;
		if (WIFSTOPPED(status))
			kill(tid, SIGKILL);
		else if (tid == rp->root)
			rp->counts.wait_status = status;
	}
}

static int children_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int replay_notify(const struct start *start, struct link *link, const struct spawned *variant,
		  uint32_t canonical, struct exited *ret)
{
	cleanup_close int signal_fd = children_fd();
	struct replay rp = {
		.start = start,
		.link = link,
		.notify_fd = variant->notify_fd,
		.placeholder = make_placeholder(),
		.root = variant->pid,
		.threads = { .key = start->key },
		.streams = { .queued_max = start->window_bytes + QUEUED_BEYOND_WINDOW },
		.looked_at = time_now_ms(),
		.heard_at = time_now_ms(),
	};
	struct fthread *f = fthread_add(&rp.threads, variant->pid, NULL);

	if (!f || signal_fd < 0 || rp.placeholder < 0) {
		rp.err = log_errno(errno, "cannot set up the follower's monitor");
	} else {
		f->canonical = canonical;
		f->process->canonical = canonical;
		f->process->loader = variant->loader;
		f->stream = streams_get(&rp.streams, canonical);
		loop(&rp, signal_fd);
		check_leftover(&rp);
	}
	kill_all(&rp);
	rp.counts.events = rp.streams.taken_events;
	rp.counts.bytes = rp.streams.taken_bytes;
	rp.counts.diverged = rp.diverged;
	*ret = rp.counts;
	fthreads_free(&rp.threads);
	streams_free(&rp.streams);
	cleanup_close_fn(&rp.placeholder);
	return rp.err;
}
