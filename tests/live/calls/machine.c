/* SPDX-License-Identifier: Apache-2.0 */
/* What a program asks about the machine, and limits and priorities: the leader's answers. */
#include "calls.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static void limits(void)
{
	struct rlimit l = { 0 }, old = { 0 };

	EXPECT(prlimit(0, RLIMIT_NOFILE, NULL, (struct rlimit *)&old) == 0 && old.rlim_cur > 16);
	l = (struct rlimit){ old.rlim_cur / 2, old.rlim_max };
	EXPECT(prlimit(getpid(), RLIMIT_NOFILE, &l, &old) == 0);
	EXPECT(prlimit(0, RLIMIT_NOFILE, NULL, &l) == 0 && l.rlim_cur == old.rlim_cur / 2);
#ifdef SYS_getrlimit
	EXPECT(syscall(SYS_getrlimit, RLIMIT_NOFILE, &l) == 0 && l.rlim_cur == old.rlim_cur / 2);
	EXPECT(syscall(SYS_setrlimit, RLIMIT_NOFILE, &old) == 0);
#endif
	FAILS(prlimit(0, 99, NULL, &l), EINVAL);
	FAILS(prlimit(0, RLIMIT_NOFILE, nowhere, NULL), EFAULT);
	l = (struct rlimit){ 2, 1 };
	FAILS(prlimit(0, RLIMIT_NOFILE, &l, NULL), EINVAL);
	say("prlimit64, getrlimit, setrlimit\n");
}

/* A limit on memory binds every variant: what does not fit fails in all of them. */
static void small_memory(void)
{
	struct rlimit l = { 512 << 20, 512 << 20 };
	size_t much = (size_t)4 << 30;

	EXPECT(setrlimit(RLIMIT_AS, &l) == 0);
	EXPECT(mmap(NULL, much, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED);
	EXPECT(errno == ENOMEM && access("/", F_OK) == 0);
}

static void priorities(void)
{
	EXPECT(setpriority(PRIO_PROCESS, 0, 5) == 0 && getpriority(PRIO_PROCESS, getpid()) == 5);
	FAILS(getpriority(99, 0), EINVAL);
	FAILS(setpriority(PRIO_PROCESS, 0x3fffffff, 0), ESRCH);
	EXPECT(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6) == 0 && syscall(SYS_ioprio_get, 1, 0) == (2 << 13 | 6));
	FAILS(syscall(SYS_ioprio_get, 99, 0), EINVAL);
	say("getpriority, setpriority, ioprio_get, ioprio_set\n");
}

/* struct sched_attr of the kernel; its first version ends before the last member. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t times[3];
	uint8_t after[16];
};

static void scheduling(void)
{
	struct sched_param p = { 0 };
	struct attributes a = { 0 }, first = { .size = 48 };
	struct timespec t;
	cpu_set_t set;
	unsigned cpu = ~0u, node = ~0u;

	CPU_ZERO(&set);
	EXPECT(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0);
	EXPECT(sched_setaffinity(getpid(), sizeof(set), &set) == 0);
	FAILS(sched_setaffinity(0, 0, &set), EINVAL);
	FAILS(syscall(SYS_sched_getaffinity, 0, 1, &set), EINVAL);
	EXPECT(sched_getscheduler(0) == SCHED_OTHER && sched_getparam(0, &p) == 0 && p.sched_priority == 0);
	EXPECT(sched_setscheduler(0, SCHED_BATCH, &p) == 0 && sched_getscheduler(getpid()) == SCHED_BATCH);
	EXPECT(sched_setparam(0, &p) == 0 && sched_setscheduler(0, SCHED_OTHER, &p) == 0);
	FAILS(sched_setscheduler(0, 99, &p), EINVAL);
	EXPECT(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_FIFO) == 1);
	FAILS(sched_get_priority_max(99), EINVAL);
	EXPECT(sched_rr_get_interval(0, &t) == 0 && t.tv_sec == 0);
	EXPECT(syscall(SYS_sched_getattr, 0, &a, 56, 0) == 0 && a.policy == SCHED_OTHER && a.nice == 5);
	a.nice = 6;
	EXPECT(syscall(SYS_sched_setattr, 0, &a, 0) == 0);
	memset(first.after, 'a', sizeof(first.after));
	EXPECT(syscall(SYS_sched_getattr, 0, &first, 48, 0) == 0 && first.nice == 6 && first.after[0] == 'a');
	first.size = 48;
	first.nice = 7;
	snprintf((char *)first.after, sizeof(first.after), "%p", (void *)&first); /* the variant's own */
	EXPECT(syscall(SYS_sched_setattr, 0, &first, 0) == 0 && getpriority(PRIO_PROCESS, 0) == 7);
	FAILS(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
	EXPECT(sched_yield() == 0);
	EXPECT(syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu < 4096 && syscall(SYS_getcpu, NULL, NULL, NULL) == 0);
	FAILS(syscall(SYS_getcpu, nowhere, NULL, NULL), EFAULT);
	say("sched_*, getcpu\n");
}

static void names(void)
{
	struct utsname u;
	char before[65] = "";

	EXPECT(uname(&u) == 0 && !strcmp(u.sysname, "Linux") && u.machine[0]);
	FAILS(uname(nowhere), EFAULT);
	/* The same name again: nothing of the machine changes */
	EXPECT(sethostname(u.nodename, strlen(u.nodename)) == 0 || errno == EPERM);
	EXPECT(setdomainname(u.domainname, strlen(u.domainname)) == 0 || errno == EPERM);
	FAILS(sethostname(before, 65), is_root() ? EINVAL : EPERM);
	say("uname, sethostname, setdomainname\n");
}

static void facts(void)
{
	unsigned char a[32] = { 0 }, b[32] = { 0 };
	struct sysinfo s;

	EXPECT(sysinfo(&s) == 0 && s.totalram > 0 && s.procs > 0 && s.mem_unit > 0 && s.uptime > 0);
	EXPECT(getrandom(a, 32, 0) == 32 && getrandom(b, 32, GRND_NONBLOCK) == 32 && memcmp(a, b, 32));
	EXPECT(getrandom(a, 0, 0) == 0);
	FAILS(getrandom(a, 1, 0x100), EINVAL);
	FAILS(getrandom(nowhere, 1, 0), EFAULT);
	FAILS(sysinfo(nowhere), EFAULT);
	say("sysinfo, getrandom\n");
}

void test_machine(void)
{
	in_child(limits);
	in_child(small_memory);
	priorities();
	scheduling();
	names();
	facts();
}
