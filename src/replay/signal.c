/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals of a follower. Only two kinds reach its program: those that the leader's thread got, sent
 * here at the same call boundary, and faults that the leader's thread had too. Everything else that
 * the follower's own kernel sends (SIGCHLD of its own children) is dropped: the leader's counterpart
 * comes as an event.
 */
#include "replay/replay.h"

#include "base/clock.h"

#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_fault(int signal, const siginfo_t *info)
{
	switch (signal) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGTRAP:
	case SIGSYS:
		return info->si_code > 0; /* raised by the kernel for what the thread did */
	default:
		return false;
	}
}

void replay_send_signal(struct replay *rp, struct fthread *f, int signal, const void *siginfo)
{
	f->sending = signal;
	memcpy(&f->sending_info, siginfo, sizeof(f->sending_info));
	syscall(SYS_tgkill, f->process->pid, f->tid, signal);
}

void replay_at_signal(struct replay *rp, struct fthread *f, int signal)
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, f->tid, 0, &info) < 0)
		return; /* killed meanwhile */
	if (f->sending == signal && !is_fault(signal, &info)) {
		f->sending = 0;
		ptrace(PTRACE_SETSIGINFO, f->tid, 0, &f->sending_info);
		ptrace(PTRACE_CONT, f->tid, 0, (void *)(long)signal);
	} else if (is_fault(signal, &info)) {
		f->stop = STOP_SIGNAL;
		f->fault = signal;
		f->fault_info = info;
		f->waiting_since = time_now_ms();
		replay_advance(rp, f);
	} else {
		ptrace(PTRACE_CONT, f->tid, 0, 0);
	}
}
