/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls. Descriptors, files, sockets and identity are the home process's; a thread on the other
 * node asks home, which executes the call on the same memory at the same addresses: nothing is
 * marshalled. Memory calls are served here, on the shared heap. What is not in the table is refused.
 */
#include "mtd/runtime/runtime.h"

#include "calls.h"

#define EINTR  4
#define EBADF  9
#define EINVAL 22
#define ENOSYS 38

enum { NR_close = 3, NR_rt_sigaction = 13, NR_dup2 = 33, NR_exit = 60, NR_dup3 = 292,
       NR_exit_group = 231, NR_set_tid_address = 218, NR_gettid = 186, NR_madvise = 28,
       NR_fork = 57, NR_vfork = 58, NR_execve = 59, NR_fcntl = 72 };
#define PUNCH_HOLE_KEEP_SIZE 3

/* x86-64's numbers; ranges, first to last. A call that creates a process or a thread, maps memory otherwise or looks into processes is not among them. */
static const struct {
	uint16_t first, last;
} at_home[] = {
	{ 0, 8 },	/* read write open close stat fstat lstat poll lseek */
	{ 14, 14 },	/* rt_sigprocmask */
	{ 16, 24 },	/* ioctl pread64 pwrite64 readv writev access pipe select sched_yield */
	{ 32, 33 },	/* dup dup2 */
	{ 34, 38 },	/* pause nanosleep getitimer alarm setitimer */
	{ 39, 55 },	/* getpid sendfile and the calls of sockets */
	{ 59, 59 },	/* execve */
	{ 61, 63 },	/* wait4 kill uname */
	{ 72, 77 },	/* fcntl ... ftruncate; not getdents, which other ISAs' kernels do not have */
	{ 79, 100 },	/* files ... umask gettimeofday getrlimit getrusage sysinfo times */
	{ 102, 127 },	/* identity; capget; rt_sigpending */
	{ 128, 128 },	/* rt_sigtimedwait */
	{ 130, 130 },	/* rt_sigsuspend */
	{ 132, 132 },	/* utime */
	{ 137, 138 },	/* statfs fstatfs */
	{ 140, 141 },	/* getpriority setpriority */
	{ 160, 160 },	/* setrlimit */
	{ 162, 162 },	/* sync */
	{ 186, 187 },	/* gettid readahead */
	{ 200, 202 },	/* tkill time futex */
	{ 204, 204 },	/* sched_getaffinity */
	{ 213, 213 },	/* epoll_create */
	{ 217, 217 },	/* getdents64 */
	{ 221, 221 },	/* fadvise64 */
	{ 228, 230 },	/* clock_gettime clock_getres clock_nanosleep */
	{ 232, 235 },	/* epoll_wait epoll_ctl tgkill utimes */
	{ 247, 247 },	/* waitid */
	{ 257, 271 },	/* openat ... ppoll */
	{ 275, 276 },	/* splice tee */
	{ 280, 281 },	/* utimensat epoll_pwait */
	{ 283, 288 },	/* timerfd eventfd fallocate accept4 */
	{ 290, 296 },	/* eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev */
	{ 299, 299 },	/* recvmmsg */
	{ 302, 302 },	/* prlimit64 */
	{ 306, 307 },	/* syncfs sendmmsg */
	{ 316, 316 },	/* renameat2 */
	{ 318, 319 },	/* getrandom memfd_create */
	{ 326, 328 },	/* copy_file_range preadv2 pwritev2 */
	{ 332, 332 },	/* statx */
	{ 439, 439 },	/* faccessat2 */
};

static int is_one_of(long nr, const uint16_t *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (nr == list[i])
			return 1;
	return 0;
}

/* Calls that wait for events and that a signal always ends: poll select pause rt_sigtimedwait rt_sigsuspend
 * epoll_wait pselect6 ppoll epoll_pwait. Sleeping is none: what is left of the time would be missing. */
static int waits(long nr)
{
	static const uint16_t list[] = { 7, 23, 34, 128, 130, 232, 270, 271, 281 };

	return is_one_of(nr, list, sizeof(list) / sizeof(*list));
}

static int is_at_home(long nr)
{
	for (unsigned i = 0; i < sizeof(at_home) / sizeof(*at_home); i++)
		if (nr >= at_home[i].first && nr <= at_home[i].last)
			return 1;
	return 0;
}

static int is_own_descriptor(long fd)
{
	return fd >= 0 && (fd == mtd_node.memory || fd == mtd_node.config_fd || fd == mtd_node.link ||
			   fd == mtd_node.pages);
}

/* The program does not know our descriptors: for it they are not open. */
static int touches_own_descriptor(long nr, const long *a)
{
	if (nr == NR_dup2 || nr == NR_dup3)
		return is_own_descriptor(a[1]) || is_own_descriptor(a[0]);
	return nr == NR_close && is_own_descriptor(a[0]);
}

static void warn_refused(long nr)
{
	static uint8_t warned[64];

	if (nr < 0 || nr >= (long)sizeof(warned) * 8 || warned[nr / 8] & 1u << nr % 8)
		return;
	warned[nr / 8] |= (uint8_t)(1u << nr % 8);
	warn_number("a program that moves cannot use this system call of x86-64; it was refused: ",
		    (uint64_t)nr);
}

/* exec ends the session: the new program does not get our descriptors, and the peer sees that. */
static void close_on_exec(void)
{
	enum { F_SETFD = 2, FD_CLOEXEC = 1 };
	const int own[] = { mtd_node.memory, mtd_node.config_fd, mtd_node.link, mtd_node.pages };

	for (unsigned i = 0; i < sizeof(own) / sizeof(*own); i++) {
		long args[6] = { own[i], F_SETFD, FD_CLOEXEC };

		if (own[i] >= 0)
			isa_call_x86_64(NR_fcntl, args);
	}
}

/* At home. */
long perform_call(long nr, const long *a)
{
	if (touches_own_descriptor(nr, a))
		return -EBADF;
	if (nr == NR_rt_sigaction)
		return signals_set_action(a);
	if (nr == NR_set_tid_address)
		return isa_call_x86_64(NR_gettid, a);
	if (nr == NR_madvise && is_in_heap((uint64_t)a[0], (uint64_t)a[1]) && mtd_node.pages >= 0)
		return pages_discard((uint64_t)a[0], (uint64_t)a[1]);
	/* Not by madvise: emulators do not know how to make holes with it. */
	if (nr == NR_madvise && is_in_heap((uint64_t)a[0], (uint64_t)a[1]))
		return isa_call(OWN_fallocate, mtd_node.memory, PUNCH_HOLE_KEEP_SIZE,
				(long)memory_offset((uint64_t)a[0]), a[1], 0, 0);
	if (!is_at_home(nr)) {
		warn_refused(nr);
		return -ENOSYS;
	}
	if (nr == NR_execve)
		close_on_exec();
	return waits(nr) ? signals_wait(nr, a) : isa_call_x86_64(nr, a);
}

/* Of the node on which the thread is not home. */
long ask_home(long nr, const long *a)
{
	struct mtd_message call = { .type = MTD_CALL, .v = { nr, a[0], a[1], a[2], a[3], a[4], a[5] } };
	struct mtd_message m;

	control()->calls++;
	carry_pack(&call);
	link_send_message(&call);
	if (link_receive(&m) < 0)
		leave(EXIT_PEER_GONE);
	if (m.type != MTD_RESULT)
		die_number("home answered a system call with a message of another type: ", m.type);
	carry_unpack(&call, &m, a);
	return m.v[0];
}

static long call_alone(long nr, const long *a)
{
	if (nr == NR_rt_sigaction)
		return signals_set_kernel_action(a);
	/* The C library's vfork would share this stack. */
	return isa_call_x86_64(nr == NR_vfork ? NR_fork : nr, a);
}

long call_home(long nr, const long *a)
{
	long r;

	if (mtd_node.role == ROLE_OTHER) {
		if (files_call(nr, a, &r))
			return r;
		r = ask_home(nr, a);
		files_opened(nr, a, r);
		return r;
	}
	return mtd_node.role == ROLE_HOME ? perform_call(nr, a) : call_alone(nr, a);
}

_Noreturn void end_program(int status)
{
	int64_t v = status;

	if (mtd_node.link >= 0)
		link_send(MTD_END, &v, 1);
	leave(status);
}

/* signal(7): calls that are never restarted. */
static int is_restarted(long nr)
{
	static const uint16_t sleeps[] = { 35, 230 };

	return !waits(nr) && !is_one_of(nr, sleeps, sizeof(sleeps) / sizeof(*sleeps));
}

static int deliver_signals(void)
{
	int restart = signals_deliver();

	if (__mtd_mode == MTD_JUMP)
		die("a signal handler jumped out of a system call, which a program that moves cannot do");
	return restart;
}

/* A signal that came since the last point must not wait until the call returns; and the call may return
 * because of one. A program looks whether a handler has told it something, and then waits: a handler that
 * ran since may have run too late for that look, so the wait ends as if the signal had come in it. */
static long call_with_signals(long nr, const long *a)
{
	int woken = signals_have_woken();

	if (woken)
		signals_woke(0);
	for (;;) {
		long r;

		draw_again_if_changed();
		if (signals_pending()) {
			deliver_signals();
			woken = 1;
		}
		if (woken && waits(nr))
			return -EINTR;
		r = call_home(nr, a);
		if (!signals_pending())
			return r;
		if (!deliver_signals() || r != -EINTR || !is_restarted(nr))
			return r;
	}
}

long __mtd_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	long args[6] = { a, b, c, d, e, f };

	if (nr == NR_exit || nr == NR_exit_group)
		end_program((int)a & 0xff);
	if (is_memory_call(nr))
		return memory_call(nr, args);
	return call_with_signals(nr, args);
}
