/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the leader at their entry stop. */
#include "capture/ptrace.h"

#include "base/log.h"
#include "calls/recorded.h"
#include "capture/execcheck.h"
#include "variant/decide.h"
#include "variant/libcrypto.h"
#include "variant/script.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

void tracer_fail(struct tracer *t, int err, const char *what)
{
	if (t->err == 0)
		t->err = log_errno(-err, "cannot %s of the leader", what);
}

static void skip_call(struct tracee *tr, struct isa_regs *regs, int64_t ret)
{
	isa_regs_set_ret(regs, ret);
	isa_syscall_set_nr(tr->tid, regs, -1);
	tr->state = TRACEE_RUNNING;
	tracee_continue(tr, 0);
}

static void refuse(struct tracer *t, struct tracee *tr, struct isa_regs *regs, int err)
{
	const struct call_row *row = tr->native.canon;

	if (row && row->status == STATUS_UNSUPPORTED && call_warn_once(&tr->native))
		log_warn("the program uses %s, which Chiral does not support: it answers %s in every "
			 "variant (see `chiral calls %s`)",
			 row->name, strerrorname_np(err), row->name);
	t->counts.local++;
	skip_call(tr, regs, -err);
}

static bool changes_identity(const struct call_row *row)
{
	switch (call_row_id(row)) {
	case CALL_SETUID:
	case CALL_SETGID:
	case CALL_SETREUID:
	case CALL_SETREGID:
	case CALL_SETRESUID:
	case CALL_SETRESGID:
	case CALL_SETFSUID:
	case CALL_SETFSGID:
	case CALL_SETGROUPS:
	case CALL_CAPSET:
		return true;
	default:
		return false;
	}
}

/* An event like any other, but that the kernel does not execute the call. */
static void answer(struct tracer *t, struct tracee *tr, struct isa_regs *regs, int64_t ret)
{
	leader_pause(t->leader, &tr->slot);
	tracee_emit(t, tr, ret);
	skip_call(tr, regs, ret);
}

/* True: done at this one stop. */
static bool perform(struct tracer *t, struct tracee *tr, struct isa_regs *regs)
{
	int64_t ret;

	if (changes_identity(tr->native.canon))
		tr->process->other_identity = true;
	tr->process->performer.writes_files = !tr->process->other_identity;
	if (tr->recording || tr->process->shares_files ||
	    !performer_try(&tr->process->performer, tr->process->pid, &tr->native, &tr->call,
			   &tr->mem.mem, &ret))
		return false;
	answer(t, tr, regs, ret);
	return true;
}

static bool maps_libcrypto(const struct tracee *tr)
{
	return tr->native.canon->irregular == IRR_MMAP && (tr->native.arg[2] & PROT_EXEC) &&
	       libcrypto_is_mapped(tr->tid, (int)tr->native.arg[4]);
}

/* Results of local calls matter when they make a descriptor, or map what is patched. close(2)'s effect is
 * known before. */
static void enter_local(struct tracer *t, struct tracee *tr)
{
	const struct call_row *row = tr->native.canon;
	bool needs_result = (row->flags & CALL_RET_FD) || row->irregular == IRR_DUP ||
			    (row->irregular == IRR_FDFLAGS && row->sub_value != F_GETFD) ||
			    maps_libcrypto(tr);

	t->counts.local++;
	if (needs_result) {
		tr->state = TRACEE_LOCAL_CALL;
		tracee_continue_to_exit(tr, 0);
		return;
	}
	if (row->irregular == IRR_CLOSE)
		call_local_effects(&tr->native, &tr->call, 0, tr->process->vdt);
	tr->state = TRACEE_RUNNING;
	tracee_continue(tr, 0);
}

void tracee_register_cookie(struct tracer *t, struct tracee *tr)
{
	uint64_t cookie;

	if (!tr->recording && tr->call.id == CALL_EPOLL_CTL && tr->call.arg[1] == EPOLL_CTL_ADD)
		performer_watch(&tr->process->performer, tr->process->pid, (int)tr->call.arg[0],
				(int)tr->call.arg[2]);
	if (call_in_cookie(&tr->cx, &tr->native, &cookie) &&
	    vdt_epoll_register(tr->process->vdt, (int)tr->call.arg[0], (int)tr->call.arg[2],
			       cookie) < 0)
		tracer_fail(t, -ENOMEM, "remember an epoll registration");
}

/* A signal that waits is delivered during or right after the call, not before it. */
static bool comes_with(const struct call_row *row)
{
	return (row->flags & CALL_BLOCKS) && row->irregular != IRR_EXECVE;
}

/* Into the kernel; the leader of the session has let it. */
static void execute(struct tracer *t, struct tracee *tr, struct isa_regs *regs)
{
	t->counts.compared++;
	if (tr->judgement.verdict == RULE_REFUSE) {
		answer(t, tr, regs, -(int64_t)tr->judgement.err);
		return;
	}
	tr->sent = comes_with(tr->native.canon) && tracee_send_pending(tr);
	if (tr->state == TRACEE_EXITING) {
		/* It has no result. Announced here, because death may overtake the link thread. */
		leader_announce(t->leader, &tr->slot);
		performer_free(&tr->process->performer);
		tracee_continue(tr, 0);
	} else if (tr->sent || !perform(t, tr, regs)) {
		tracee_mask_ignored(tr);
		tracee_continue_to_exit(tr, 0);
	}
}

/* What a rule says of the call counts; then, that the program has marked what it does now (chiral.h). */
static enum leader_barrier barrier_of(const struct tracee *tr)
{
	switch ((enum rule_level)tr->judgement.level) {
	case RULE_LEVEL_ASYNC:
		return BARRIER_NO;
	case RULE_LEVEL_LOCKSTEP:
		return BARRIER_YES;
	default:
		return tr->in_region ? BARRIER_YES : BARRIER_BY_LEVEL;
	}
}

/* The call that leaves a region still belongs to it. */
static void note_region(struct tracee *tr)
{
	if (tr->call.id == CALL_PRCTL_CHIRAL_REGION)
		tr->in_region = tr->call.arg[1] != 0;
}

/* The policy ends the session: the thread stays where it is. */
static void forbid(struct tracer *t, struct tracee *tr)
{
	tr->parked = true;
	t->forbidden_tid = tr->tid;
}

static void enter_compared(struct tracer *t, struct tracee *tr, struct isa_regs *regs)
{
	if (tr->judgement.verdict == RULE_ALLOW)
		tracee_register_cookie(t, tr);
	history_add(&t->history, &tr->call, t->position++);
	tr->state = tr->native.canon->irregular == IRR_EXIT ? TRACEE_EXITING : TRACEE_CALL;
	tr->emitted = false;
	if (tr->judgement.verdict == RULE_END) {
		forbid(t, tr);
		return;
	}
	tr->slot.barrier = barrier_of(tr);
	tr->slot.observed = tr->judgement.level == RULE_LEVEL_OBSERVE;
	note_region(tr);
	/* When the session ends or is held, or the followers have not come as far, the call must not
	 * take effect: the thread stays where it is. SIGKILL at this stop skips the call. */
	tr->parked = !leader_enter(t->leader, &tr->slot, &tr->call);
	if (!tr->parked)
		execute(t, tr, regs);
}

void tracee_unpark(struct tracer *t, struct tracee *tr)
{
	struct isa_regs regs;

	if (tr->judgement.verdict == RULE_END) {
		/* The session went on after an alarm of another kind, which came first. */
		forbid(t, tr);
		return;
	}
	if (!leader_may_go(t->leader, &tr->slot) || isa_regs_get(tr->tid, &regs) < 0)
		return; /* not yet, or killed meanwhile */
	tr->parked = false;
	execute(t, tr, &regs);
}

bool tracer_captured(struct tracer *t, struct tracee *tr, int r)
{
	if (r == -ESRCH)
		return false; /* killed meanwhile; its death comes next */
	if (r == -E2BIG && t->err == 0)
		t->err = log_errno(E2BIG, "the program's %s moves more than %u MiB in one call, which "
					  "Chiral does not support", tr->native.canon->name,
				   PAYLOAD_MAX >> 20);
	else if (r < 0)
		tracer_fail(t, r, "read a call");
	return r == 0;
}

/* The interrupted call is executed anew from its entry, with the same arguments, or goes on as
 * restart_syscall(2). Results that a program sees are of a call that is over. */
static bool goes_on(const struct tracee *tr, const struct isa_regs *regs)
{
	const struct call_row *row = call_row_of_nr(isa_native, isa_regs_nr(regs));

	return result_restarts(tr->held_ret) &&
	       (isa_regs_nr(regs) == tr->native.nr || row == &call_rows[CALL_RESTART_SYSCALL]);
}

/* A program that must not be executed is refused as if the policy had said so. */
static void check_program(struct tracee *tr)
{
	int err = tr->native.canon->irregular == IRR_EXECVE
			  ? execcheck_refusal(tr->tid, &tr->call)
			  : 0;

	if (err) {
		tr->judgement.verdict = RULE_REFUSE;
		tr->judgement.err = (uint8_t)err;
	}
}

/* A signal that waits is pending while a call that may block is executed, and comes before any other. */
static void at_compared(struct tracer *t, struct tracee *tr, struct isa_regs *regs)
{
	if (tr->native.canon->irregular == IRR_EXECVE)
		tr->exec_args = script_count_args(
			&tr->mem.mem, tr->native.arg[tr->call.id == CALL_EXECVEAT ? 2 : 1]);
	tr->judgement = policy_judge(&t->policy, tr->tid, &tr->call);
	if (tr->judgement.verdict == RULE_ALLOW)
		check_program(tr);
	if ((comes_with(tr->native.canon) && !tr->judgement.verdict) ||
	    !tracee_deliver_pending(tr, regs))
		enter_compared(t, tr, regs);
}

void tracee_at_entry(struct tracer *t, struct tracee *tr)
{
	struct verdict_of_call v;
	struct isa_regs regs;
	struct native_call *n = &tr->native;

	if (isa_regs_get(tr->tid, &regs) < 0)
		return;
	if (tr->state == TRACEE_HELD && goes_on(tr, &regs)) {
		tr->state = TRACEE_CALL;
		tr->emitted = false;
		tr->rewound = false;
		leader_resume(t->leader, &tr->slot, &tr->call);
		tracee_mask_ignored(tr);
		tracee_continue_to_exit(tr, 0);
		return;
	}
	if (tr->state == TRACEE_HELD)
		tracee_emit_held(t, tr); /* its signal was ignored, or another thread took it */
	/* A signal that was sent again and has not come by now is blocked: it comes when it comes. */
	tr->at_boundary = false;
	tr->in_code = false;
	n->isa = isa_native;
	n->nr = isa_regs_nr(&regs);
	n->pc = isa_regs_pc(&regs);
	for (int i = 0; i < CALL_ARGS_MAX; i++)
		n->arg[i] = isa_regs_arg(&regs, i);
	if (call_resolve(n) < 0) {
		n->canon = NULL;
		log_warn("the program uses system call %ld, which Chiral does not know: it answers "
			 "ENOSYS in every variant",
			 n->nr);
		skip_call(tr, &regs, -ENOSYS);
		return;
	}
	if (!tracer_captured(t, tr, call_capture_in(&tr->cx, n, &tr->call)))
		return;
	v = call_decide(n, &tr->call, tr->process->vdt, &tr->process->loader, t->start->local);
	tracee_forget_descriptors(tr);
	if (n->canon == &call_rows[CALL_RT_SIGACTION])
		tracee_note_handler(tr);
	if (n->canon == &call_rows[CALL_EXIT])
		tracee_pass_on_pending(tr);
	if (v.decision == DECIDE_REFUSE)
		refuse(t, tr, &regs, v.err);
	else if (v.decision == DECIDE_LOCAL)
		enter_local(t, tr);
	else
		at_compared(t, tr, &regs);
}

void tracee_at_step(struct tracer *t, struct tracee *tr)
{
	struct isa_regs regs;
	struct __ptrace_syscall_info info;
	uint64_t arg[CALL_ARGS_MAX];
	const struct call_row *row;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tr->tid, sizeof(info), &info) < 0 ||
	    isa_regs_get(tr->tid, &regs) < 0)
		return; /* killed meanwhile */
	for (int i = 0; i < CALL_ARGS_MAX; i++)
		arg[i] = isa_regs_arg(&regs, i);
	row = call_row_of_nr(isa_native, isa_regs_nr(&regs));
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !row ||
	    !call_is_recorded(isa_native, call_row_sub(row, arg), arg)) {
		/* Nobody's business, or the filter's. */
		tracee_continue(tr, 0);
		return;
	}
	tracee_at_entry(t, tr);
	/* The filter is asked about a skipped call as well, by the number -1. */
	tr->skipped_at_step = tr->state == TRACEE_RUNNING && tr->at_boundary;
}
