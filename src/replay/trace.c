/* SPDX-License-Identifier: Apache-2.0 */
/* ptrace stops of a follower: births, calls whose registers change, deaths. */
#include "replay/replay.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "variant/decide.h"
#include "variant/libcrypto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

void replay_resume(struct fthread *f)
{
	f->stop = STOP_NONE;
	ptrace(f->phase >= PHASE_CLONE && f->phase <= PHASE_MAP ? PTRACE_SYSCALL : PTRACE_CONT,
	       f->tid, 0, 0);
}

void replay_run_to_exit(struct fthread *f, enum fthread_phase phase)
{
	f->phase = phase;
	replay_resume(f);
}

static void at_seccomp(struct replay *rp, struct fthread *f)
{
	if (isa_regs_get(f->tid, &f->regs) < 0)
		return;
	if (f->phase == PHASE_REAP) { /* see wait_again() */
		f->stop = STOP_TRACE;
		replay_try_reap(rp, f);
		return;
	}
	if (f->phase >= PHASE_CLONE && f->phase <= PHASE_MAP) {
		replay_resume(f); /* it was matched; the kernel has begun it anew */
		return;
	}
	f->stop = STOP_TRACE;
	if (rp->diverged)
		return;
	f->native.isa = isa_native;
	f->native.nr = isa_regs_nr(&f->regs);
	f->native.pc = isa_regs_pc(&f->regs);
	for (int i = 0; i < CALL_ARGS_MAX; i++)
		f->native.arg[i] = isa_regs_arg(&f->regs, i);
	replay_at_call(rp, f);
}

/* ---- births ----------------------------------------------------------------------------------- */

static void poke_tid(struct fthread *f, uint64_t addr, uint32_t tid)
{
	if (addr)
		f->mem.mem.write(&f->mem.mem, addr, &tid, sizeof(tid));
}

/* Where clone puts the child's id in memory: the program must find the leader's number there. */
struct tid_pointers {
	uint64_t flags, parent, child;
};

static struct tid_pointers tid_pointers(struct fthread *f)
{
	const uint64_t *a = f->native.arg;
	struct tid_pointers p = { 0 };
	uint64_t args[8]; /* struct clone_args (clone(2)): flags, pidfd, child_tid, parent_tid */

	if (f->native.row == &call_rows[CALL_CLONE]) {
		p.flags = a[0];
		p.parent = a[2];
		p.child = a[7 - isa_descs[isa_native].clone_tls_arg];
	} else if (f->native.row == &call_rows[CALL_CLONE3] &&
		   f->mem.mem.read(&f->mem.mem, a[0], args, sizeof(args)) == sizeof(args)) {
		p.flags = args[0];
		p.child = args[2];
		p.parent = args[3];
	}
	return p;
}

/* The kernel writes the child's id before the child's first stop, so that this write is the last. */
static void first_stop(struct fthread *c)
{
	poke_tid(c, c->tid_at, c->canonical);
	c->tid_at = 0;
	replay_resume(c);
}

static void at_birth(struct replay *rp, struct fthread *f, pid_t child)
{
	struct tid_pointers p = tid_pointers(f);
	struct fthread *c = fthread_find(&rp->threads, child);
	bool stopped = c != NULL;
	struct fprocess *process;

	if (!c)
		c = fthread_add(&rp->threads, child, NULL);
	if (!c) {
		rp->err = -ENOMEM;
		return;
	}
	process = p.flags & CLONE_THREAD ? f->process : fprocess_fork(f->process, child);
	if (!process) {
		rp->err = -ENOMEM;
		return;
	}
	process->threaded |= process == f->process;
	fthread_set_process(c, process);
	f->phase = PHASE_CLONED;
	c->canonical = (uint32_t)f->leader.ret;
	c->counter = f->counter;
	if (!(p.flags & CLONE_THREAD))
		process->canonical = c->canonical;
	c->stream = streams_get(&rp->streams, c->canonical);
	if (!c->stream) {
		rp->err = -ENOMEM;
		return;
	}
	rp->settling = true; /* events of its may be here already */
	if (p.flags & CLONE_PARENT_SETTID)
		poke_tid(f, p.parent, c->canonical);
	c->tid_at = p.flags & CLONE_CHILD_SETTID ? p.child : 0;
	if (stopped)
		first_stop(c);
	replay_resume(f);
}

/* No call is under way at such stops: one that they have interrupted begins anew, and meets the filter. */
static void go_to_code(struct fthread *f)
{
	f->stop = STOP_NONE;
	ptrace(PTRACE_CONT, f->tid, 0, 0);
}

/* First stop of a new thread, group stops, interrupts. */
static void at_group_stop(struct replay *rp, struct fthread *f, int signal)
{
	if (f->canonical == 0)
		return; /* waits for its parent's event */
	if (f->tid_at)
		first_stop(f);
	else if (f->phase == PHASE_SUSPEND && f->suspend_mask)
		replay_begin_suspend(f);
	else if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)
		ptrace(PTRACE_LISTEN, f->tid, 0, 0);
	else if (!rp->diverged)
		go_to_code(f);
}

/* ---- exit stops ------------------------------------------------------------------------------- */

/* /proc/PID/mem writes to read-only mappings too (FOLL_FORCE). */
static void fill_mapping(struct fthread *f, uint64_t addr)
{
	const struct payload *p = call_out_of(&f->leader, 0);
	cleanup_close int fd = -1;
	char path[64];
	size_t done = 0;

	if (!p || p->size == 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/mem", f->tid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	while (fd >= 0 && done < p->size) {
		ssize_t n = pwrite(fd, payload_data(&f->leader, p) + done, p->size - done,
				   (off_t)(addr + done));

		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

/* The kernel keeps the registers of arguments; those that were changed for it are the program's again. */
static void set_result(struct fthread *f, struct isa_regs *regs, int64_t ret)
{
	for (int i = 0; i < CALL_ARGS_MAX; i++)
		isa_regs_set_arg(regs, i, f->native.arg[i]);
	isa_regs_set_ret(regs, ret);
	isa_regs_set(f->tid, regs);
}

/* include/linux/errno.h: the kernel begins the call anew (fork(2) does so when a signal is pending). */
static bool begins_anew(int64_t ret)
{
	return ret <= -512 && ret >= -516;
}

static bool failed(int64_t ret)
{
	return ret < 0 && ret >= -4095;
}

/* The leader's call succeeded; without its effect here the variants would not be the same any more. */
static void cannot_follow(struct replay *rp, struct fthread *f, int64_t ret)
{
	const char *why = strerror((int)-ret), *path;
	char text[512];

	path = f->phase == PHASE_EXEC ? replay_program_of(f) : NULL;
	if (path)
		snprintf(text, sizeof(text), "cannot execute its own node's '%.256s' (%s); install the "
					     "same program there", path, why);
	else
		snprintf(text, sizeof(text), "the same call failed on its own node (%s)", why);
	replay_diverge(rp, f, REPORT_DIVERGENCE_OUTCOME, NULL, text);
}

/* An orphan, adopted at the leader already (PR_SET_CHILD_SUBREAPER), whose parent is not dead here yet: the
 * wait begins anew, and is tried again at every death. */
static bool wait_again(struct replay *rp, struct fthread *f, struct isa_regs *regs)
{
	if (isa_regs_ret(regs) != -ECHILD || kill(f->reap_pid, 0) < 0)
		return false;
	for (int i = 0; i < CALL_ARGS_MAX; i++)
		isa_regs_set_arg(regs, i, f->native.arg[i]);
	if (isa_syscall_rewind(f->tid, regs, (int)f->native.nr) < 0)
		return true; /* killed meanwhile */
	fthreads_note_dead(&rp->threads, f->reap, f->reap_pid);
	f->phase = PHASE_REAP;
	f->stop = STOP_NONE;
	ptrace(PTRACE_CONT, f->tid, 0, 0);
	return true;
}

static void end_reaping(struct replay *rp, struct fthread *f, struct isa_regs *regs)
{
	int64_t ret;

	if (call_apply_out(&f->cx, &f->native, &f->leader, &ret) < 0)
		ret = -EFAULT;
	if (f->at_exit)
		replay_signal_at_exit(rp, f);
	set_result(f, regs, ret);
}

static void at_exit(struct replay *rp, struct fthread *f)
{
	enum fthread_phase phase = f->phase;
	struct isa_regs regs;
	int64_t ret;

	if (isa_regs_get(f->tid, &regs) < 0)
		return;
	ret = isa_regs_ret(&regs);
	if (begins_anew(ret)) {
		ptrace(PTRACE_CONT, f->tid, 0, 0);
		return;
	}
	if (failed(ret) && (phase == PHASE_CLONE || phase == PHASE_EXEC || phase == PHASE_MAP)) {
		f->stop = STOP_TRACE;
		cannot_follow(rp, f, ret);
		return;
	}
	if (phase == PHASE_REAPING && wait_again(rp, f, &regs))
		return;
	f->phase = PHASE_NONE;
	switch (phase) {
	case PHASE_CHDIR:
		/* The leader has removed it meanwhile, or it is another node's. */
		f->process->moved = !failed(ret);
		set_result(f, &regs, f->leader.ret);
		break;
	case PHASE_CLONED:
	case PHASE_SET_TID:
		set_result(f, &regs, f->leader.ret);
		break;
	case PHASE_MAP:
		set_result(f, &regs, ret);
		fill_mapping(f, (uint64_t)ret);
		break;
	case PHASE_LIBCRYPTO:
		if (!failed(ret))
			libcrypto_patch(f->tid, (int)f->native.arg[4], (uint64_t)ret,
				      f->native.arg[1], f->native.arg[5]);
		break;
	case PHASE_REAPING:
		end_reaping(rp, f, &regs);
		break;
	default:
		break;
	}
	replay_resume(f);
}

/* ---- waiting for children --------------------------------------------------------------------- */

bool replay_try_reap(struct replay *rp, struct fthread *f)
{
	bool waitid = f->native.canon == &call_rows[CALL_WAITID];
	bool may = f->phase == PHASE_REAP && f->stop == STOP_TRACE && f->reap_tried != rp->deaths;
	pid_t pid = may ? fthreads_take_dead(&rp->threads, f->reap) : 0;

	if (!pid)
		return false;
	f->reap_pid = pid;
	f->reap_tried = rp->deaths;
	/* wait4(pid, NULL, __WALL, NULL), waitid(P_PID, pid, NULL, WEXITED | __WALL, NULL) */
	isa_regs_set_arg(&f->regs, 0, waitid ? (uint64_t)P_PID : (uint64_t)pid);
	isa_regs_set_arg(&f->regs, 1, waitid ? (uint64_t)pid : 0);
	isa_regs_set_arg(&f->regs, 2, waitid ? 0 : (uint64_t)__WALL);
	isa_regs_set_arg(&f->regs, 3, waitid ? (uint64_t)(WEXITED | __WALL) : 0);
	isa_regs_set_arg(&f->regs, 4, 0);
	isa_regs_set(f->tid, &f->regs);
	replay_run_to_exit(f, PHASE_REAPING);
	return true;
}

static void reap_all(struct replay *rp)
{
	for (struct fthread *f = rp->threads.by_tid; f; f = f->hh.next)
		if (f->phase == PHASE_REAP)
			replay_try_reap(rp, f);
}

/* ---- deaths and dispatch ---------------------------------------------------------------------- */

static void at_death(struct replay *rp, struct fthread *f, int status)
{
	bool leads_process = f->tid == f->process->pid;

	f->dead = true;
	f->wait_status = status;
	f->stop = STOP_NONE;
	f->waiting_since = time_now_ms();
	rp->deaths++;
	if (leads_process && f->canonical) {
		fthreads_note_dead(&rp->threads, f->canonical, f->tid);
		reap_all(rp);
	}
	if (f->tid == rp->root)
		rp->counts.wait_status = status;
	if (f->canonical)
		replay_advance(rp, f);
	else
		fthread_remove(&rp->threads, f);
}

static void at_event(struct replay *rp, struct fthread *f, int event, int signal)
{
	unsigned long message = 0;

	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		at_seccomp(rp, f);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		if (ptrace(PTRACE_GETEVENTMSG, f->tid, 0, &message) == 0)
			at_birth(rp, f, (pid_t)message);
		break;
	case PTRACE_EVENT_EXEC:
		replay_at_exec(rp, f);
		break;
	case PTRACE_EVENT_STOP:
		at_group_stop(rp, f, signal);
		break;
	default:
		replay_resume(f);
	}
}

void replay_at_stop(struct replay *rp, pid_t tid, int status)
{
	struct fthread *f = fthread_find(&rp->threads, tid);
	int signal = WSTOPSIG(status), event = status >> 16;

	if (!f && WIFSTOPPED(status)) {
		/* A child whose parent's event is still to come. */
		if (!fthread_add(&rp->threads, tid, NULL))
			rp->err = -ENOMEM;
		return;
	}
	if (!f)
		return;
	if (!WIFSTOPPED(status))
		at_death(rp, f, status);
	else if (event)
		at_event(rp, f, event, signal & 0x7f);
	else if (signal == (SIGTRAP | 0x80))
		at_exit(rp, f);
	else
		replay_at_signal(rp, f, signal);
}
