/* SPDX-License-Identifier: Apache-2.0 */
/* A follower's process becomes another program. */
#include "replay/replay.h"

#include "base/log.h"
#include "isa/cpu.h"
#include "replay/timer.h"
#include "variant/auxv.h"
#include "variant/decide.h"
#include "variant/filehead.h"
#include "variant/script.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ptrace.h>

/* Below a thread's stack pointer nothing is the program's but the 128 bytes of a red zone (x86-64 psABI);
 * the alternate stack of a child that shares the memory (posix_spawn(3)) may be small. */
#define RED_ZONE 128u

const char *replay_program_of(const struct fthread *f)
{
	size_t size;
	const char *strings = script_strings(&f->leader, &size);

	return strings ? strings : call_path(&f->call, f->call.id == CALL_EXECVEAT ? 1 : 0);
}

/* The interpreter is executed instead: the script may be on the leader's node only. */
static int execute_interpreter(struct fthread *f, const char *path)
{
	uint64_t at = (isa_regs_sp(&f->regs) - RED_ZONE - FILEHEAD_SIZE) & ~(uint64_t)15;
	size_t len = strlen(path) + 1;
	unsigned path_arg = 0;

	if (f->mem.mem.write(&f->mem.mem, at, path, len) != (ssize_t)len)
		return -EFAULT;
	if (f->leader.id == CALL_EXECVEAT) {
		path_arg = 1;
		isa_regs_set_arg(&f->regs, 0, (uint64_t)AT_FDCWD);
		isa_regs_set_arg(&f->regs, 4, 0);
	}
	isa_regs_set_arg(&f->regs, (int)path_arg, at);
	return isa_regs_set(f->tid, &f->regs);
}

void replay_exec(struct replay *rp, struct fthread *f)
{
	size_t size;
	const char *strings = script_strings(&f->leader, &size);
	int r = 0;

	if (strings && !script_is_valid(strings, size))
		r = -EPROTO;
	else if (strings)
		r = execute_interpreter(f, strings);
	if (r == -ESRCH)
		answer_nobody(f);
	else if (r < 0)
		rp->err = log_errno(-r, "cannot execute the interpreter of the leader's script");
	else
		replay_run_to_exit(f, PHASE_EXEC);
}

/* A thread that is not the first one has become the process, with the first one's id: its stream goes
 * on with what the new program does, after the DEATH of the thread that it was. */
static void take_over(struct replay *rp, struct fthread *first, struct fthread *by)
{
	struct stream *st = by->stream;

	if (stream_next(first->stream) == NEXT_DEATH)
		replay_taken(rp, first);
	fthread_remove(&rp->threads, by);
	streams_drop(&rp->streams, st);
	first->phase = PHASE_EXEC;
	first->at_exit = 0;
	first->sending = 0;
	first->tid_at = 0;
}

/* The stack of the new program. */
static int edit_stack(struct replay *rp, struct fthread *f, const struct fthread *caller,
		      struct loader_place *ret)
{
	size_t size;
	const char *strings = script_strings(&caller->leader, &size);
	int r = strings ? script_rebuild(f->tid, strings, size) : 0;

	return r < 0 ? r : auxv_edit(f->tid, rp->start, ret);
}

void replay_at_exec(struct replay *rp, struct fthread *f)
{
	unsigned long former = 0;
	struct loader_place place = { 0 };
	struct fthread *by = NULL;
	int r;

	if (ptrace(PTRACE_GETEVENTMSG, f->tid, 0, &former) == 0 && (pid_t)former != f->tid)
		by = fthread_find(&rp->threads, (pid_t)former);
	r = edit_stack(rp, f, by ? by : f, &place);
	if (r == -ESRCH)
		return; /* killed meanwhile */
	if (r < 0) {
		rp->err = log_errno(-r, "cannot edit the stack of the follower's new program");
		return;
	}
	loader_find(f->tid, &place, &f->process->loader);
	vdt_exec(f->process->vdt);
	timer_forget_all(f->process);
	f->process->threaded = false;
	if (by)
		take_over(rp, f, by);
	f->process->most_threads = 1;
	r = isa_cpu_hide(f->tid);
	if (r == 1)
		f->phase = PHASE_NONE; /* it is behind its execve */
	if (r >= 0)
		replay_resume(f);
	else if (r != -ESRCH)
		rp->err = log_errno(-r, "cannot hide the processor from the follower");
}
