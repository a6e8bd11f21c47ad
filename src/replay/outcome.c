/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a matched call the leader's outcome. */
#include "replay/replay.h"

#include "base/cleanup.h"
#include "replay/timer.h"
#include "variant/decide.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define NEW_FDS_MAX 256 /* SCM_MAX_FD is 253 (unix(7)) */

static void refused_outcome(struct replay *rp, struct fthread *f, int err)
{
	char text[128];

	snprintf(text, sizeof(text), "its memory cannot take the outcome (%s)", strerror(-err));
	replay_diverge(rp, f, REPORT_DIVERGENCE_OUTCOME, NULL, text);
}

/* Writes what the leader's call returned in memory. False: the thread was killed meanwhile, or
 * a divergence was reported. */
static bool apply(struct replay *rp, struct fthread *f, int64_t *ret)
{
	int r = call_apply_out(&f->cx, &f->native, &f->leader, ret);

	if (r == -ESRCH)
		answer_nobody(f);
	else if (r < 0)
		refused_outcome(rp, f, r);
	return r == 0;
}

static void register_cookie(struct fthread *f)
{
	uint64_t cookie;

	if (f->leader.ret >= 0 && call_in_cookie(&f->cx, &f->native, &cookie))
		vdt_epoll_register(f->process->vdt, (int)f->call.arg[0], (int)f->call.arg[2],
				   cookie);
}

/* Placeholders at the leader's numbers for every descriptor that its call made. */
static void outcome_fds(struct replay *rp, struct fthread *f, int64_t ret)
{
	struct call_new_fd made[NEW_FDS_MAX];
	size_t n = call_new_fds(&f->leader, made, NEW_FDS_MAX);

	if (n == 1 && made[0].fd == ret) {
		answer_fd(rp, f, rp->placeholder, made[0].fd, made[0].cloexec);
		return;
	}
	for (size_t i = 0; i < n && i < NEW_FDS_MAX; i++) {
		vdt_close(f->process->vdt, made[i].fd);
		answer_add_fd(rp, f, rp->placeholder, made[i].fd, made[i].cloexec);
	}
	answer_value(rp, f, ret);
}

static void outcome_replayed(struct replay *rp, struct fthread *f)
{
	int64_t ret;

	if (!apply(rp, f, &ret))
		return;
	register_cookie(f);
	if (f->leader.id == CALL_RT_SIGTIMEDWAIT)
		timer_own_value_waited(f);
	else if (timer_note_call(f) < 0)
		rp->err = -ENOMEM;
	if (f->at_exit && replay_signal_at_exit(rp, f))
		return;
	if (f->leader.ret >= 0 && f->stop == STOP_NOTIFY)
		outcome_fds(rp, f, ret);
	else
		answer_value(rp, f, ret);
}

/* Also the variant's own kernel executes it: on the placeholder, on its own memory. */
static void outcome_mirrored(struct replay *rp, struct fthread *f)
{
	if (f->at_exit)
		replay_signal_at_exit(rp, f); /* sigprocmask(2) unblocks it */
	if (f->leader.ret >= 0)
		answer_continue(rp, f);
	else
		answer_value(rp, f, f->leader.ret);
}

/*
 * Threads do not come to their calls in the leader's order: the number may have been closed and given to
 * another thread's descriptor already, whose placeholder would be closed, and its own close(2) would fail.
 * The placeholder stays then until the number is given away again; local descriptors are out of its way
 * (local.c).
 */
static void outcome_close(struct replay *rp, struct fthread *f)
{
	if (f->process->threaded && call_rows[f->leader.id].n_args == 1)
		answer_value(rp, f, f->leader.ret);
	else
		outcome_mirrored(rp, f);
}

/* A follower goes where the leader goes, if it has that folder: programs are executed by relative paths
 * too, and each node executes its own. */
static void outcome_chdir(struct replay *rp, struct fthread *f)
{
	const char *path = call_path(&f->call, 0);
	bool goes = f->leader.ret == 0 && f->leader.id == CALL_CHDIR && path &&
		    (path[0] == '/' || f->process->moved);

	if (goes) {
		replay_run_to_exit(f, PHASE_CHDIR);
		return;
	}
	if (f->leader.ret == 0)
		f->process->moved = false; /* also by fchdir: its descriptor is the leader's */
	outcome_replayed(rp, f);
}

static void outcome_mmap(struct replay *rp, struct fthread *f)
{
	if (f->leader.ret < 0) {
		answer_value(rp, f, f->leader.ret);
		return;
	}
	if (f->call.arg[3] & MAP_ANONYMOUS) {
		answer_continue(rp, f);
		return;
	}
	/* A virtual file: private memory, filled with the leader's bytes at the exit stop. */
	isa_regs_set_arg(&f->regs, 3,
			 (isa_regs_arg(&f->regs, 3) & ~(uint64_t)MAP_TYPE) | MAP_PRIVATE |
				 MAP_ANONYMOUS);
	isa_regs_set_arg(&f->regs, 4, (uint64_t)-1);
	isa_regs_set_arg(&f->regs, 5, 0);
	isa_regs_set(f->tid, &f->regs);
	replay_run_to_exit(f, PHASE_MAP);
}

static void outcome_process(struct replay *rp, struct fthread *f, enum fthread_phase phase)
{
	if (f->leader.ret < 0) {
		answer_value(rp, f, f->leader.ret);
	} else if (phase == PHASE_EXEC) {
		f->phase = phase;
		replay_end(rp, f);
	} else {
		replay_run_to_exit(f, phase);
	}
}

/* The child that the leader's wait took off, or 0 when it took none (nothing yet, an error, WNOWAIT, a
 * child that only stopped or went on). */
static uint32_t reaped_child(struct fthread *f)
{
	bool waitid = f->leader.id == CALL_WAITID;
	const struct payload *p = call_out_of(&f->leader, waitid ? 2 : 1);
	int32_t word[4] = { 0 }; /* siginfo_t: si_signo, si_errno, si_code, alignment; then si_pid */
	uint32_t pid = 0;

	if (f->leader.ret < 0)
		return 0;
	if (!waitid) {
		if (p && p->size >= sizeof(word[0]))
			memcpy(word, payload_data(&f->leader, p), sizeof(word[0]));
		return WIFSTOPPED(word[0]) || WIFCONTINUED(word[0]) ? 0 : (uint32_t)f->leader.ret;
	}
	if (!p || p->size < sizeof(word) + sizeof(pid) || (f->call.arg[3] & WNOWAIT))
		return 0;
	memcpy(word, payload_data(&f->leader, p), sizeof(word));
	memcpy(&pid, payload_data(&f->leader, p) + sizeof(word), sizeof(pid));
	return word[2] == CLD_EXITED || word[2] == CLD_KILLED || word[2] == CLD_DUMPED ? pid : 0;
}

static void outcome_wait(struct replay *rp, struct fthread *f)
{
	f->reap = reaped_child(f);
	if (!f->reap) {
		outcome_replayed(rp, f);
		return;
	}
	f->phase = PHASE_REAP;
	f->reap_tried = 0;
	replay_try_reap(rp, f);
}

void replay_outcome(struct replay *rp, struct fthread *f)
{
	const struct call_row *row = &call_rows[f->leader.id];

	f->phase = PHASE_NONE;
	rp->counts.replayed++;
	if (!call_is_elastic(&f->leader))
		counter_after_call(&f->counter);
	history_complete(&f->history, &f->leader);
	call_virtual_effects(&f->leader, f->process->vdt);
	switch ((enum irregular)row->irregular) {
	case IRR_CLOSE:
		outcome_close(rp, f);
		break;
	case IRR_MPROTECT:
		outcome_mirrored(rp, f);
		break;
	case IRR_FDFLAGS:
		if (row->sub_value == F_GETFD)
			outcome_replayed(rp, f);
		else
			outcome_mirrored(rp, f);
		break;
	case IRR_MMAP:
		outcome_mmap(rp, f);
		break;
	case IRR_CLONE:
		outcome_process(rp, f, PHASE_CLONE);
		break;
	case IRR_EXECVE:
		outcome_process(rp, f, PHASE_EXEC);
		break;
	case IRR_WAIT:
		outcome_wait(rp, f);
		break;
	case IRR_SET_TID:
		outcome_process(rp, f, PHASE_SET_TID);
		break;
	case IRR_LIMIT:
		replay_set_limit(rp, f);
		outcome_replayed(rp, f);
		break;
	default:
		if (row == &call_rows[CALL_CHDIR] || row == &call_rows[CALL_FCHDIR])
			outcome_chdir(rp, f);
		else if (row->disposition == DISP_MIRRORED)
			outcome_mirrored(rp, f);
		else
			outcome_replayed(rp, f);
	}
}
