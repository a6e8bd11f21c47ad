/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/sandbox.h"

#include "base/cleanup.h"
#include "isa/isa.h"

#include <errno.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define LOAD(member)                                                                               \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, member))
#define ALLOW(nr)                                                                                  \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1),                                           \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* Memory may be had, but never executable: args[2] is prot of both calls. */
#define ALLOW_WITHOUT_EXEC(nr)                                                                     \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 4), LOAD(args[2]),                            \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),                             \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),                              \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int restrict_calls(void)
{
	struct sock_filter filter[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, isa_descs[isa_native].audit_arch, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		/* input and output */
		ALLOW(__NR_read), ALLOW(__NR_pread64), ALLOW(__NR_write), ALLOW(__NR_lseek),
		ALLOW(__NR_close), ALLOW(__NR_fstat), ALLOW(__NR_newfstatat), ALLOW(__NR_fcntl),
		/* memory */
		ALLOW(__NR_brk), ALLOW(__NR_munmap), ALLOW(__NR_mremap), ALLOW(__NR_madvise),
		ALLOW_WITHOUT_EXEC(__NR_mmap), ALLOW_WITHOUT_EXEC(__NR_mprotect),
		/* what libc needs to run and to end */
		ALLOW(__NR_futex), ALLOW(__NR_getrandom), ALLOW(__NR_rt_sigprocmask),
		ALLOW(__NR_rt_sigreturn), ALLOW(__NR_clock_gettime), ALLOW(__NR_exit),
		ALLOW(__NR_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(filter), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}

static int close_others(const int *keep, size_t n)
{
	int from = 0;

	for (size_t i = 0; i < n; i++) {
		if (keep[i] > from && syscall(SYS_close_range, from, keep[i] - 1, 0) < 0)
			return -errno;
		from = keep[i] + 1;
	}
	return syscall(SYS_close_range, from, ~0u, 0) < 0 ? -errno : 0;
}

static int limit(int resource, rlim_t value)
{
	return setrlimit(resource, &(struct rlimit){ value, value }) < 0 ? -errno : 0;
}

/* RLIMIT_AS counts what the process has already; statm's first number is that, in pages. */
static int limit_memory(size_t extra_bytes)
{
	cleanup_fclose FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages;

	if (!f || fscanf(f, "%lu", &pages) != 1)
		return -ENOENT;
	return limit(RLIMIT_AS, pages * (rlim_t)sysconf(_SC_PAGESIZE) + extra_bytes);
}

int sandbox_enter(const int *keep, size_t n_keep, size_t extra_bytes, unsigned cpu_seconds)
{
	int r;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	r = limit_memory(extra_bytes);
	if (r == 0)
		r = limit(RLIMIT_CPU, cpu_seconds);
	if (r == 0)
		r = limit(RLIMIT_CORE, 0);
	if (r == 0)
		r = close_others(keep, n_keep);
	return r < 0 ? r : restrict_calls();
}
