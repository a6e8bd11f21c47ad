/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: parts of the kernel that are not about one process. */
#include "cli/check.h"

#include "base/cleanup.h"
#include "capture/bpf/recorder.h"
#include "isa/counter.h"
#include "isa/cpu.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1 /* Linux 5.11 */
#endif

/* ---- cgroup v2 ---- */

static int write_file(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX + 64];
	cleanup_close int fd = -1;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Where cgroup v2 is mounted and, below it, this process's group. */
static int own_group(char *buf, size_t max)
{
	cleanup_fclose FILE *mounts = fopen("/proc/self/mounts", "re");
	cleanup_fclose FILE *group = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX], mount[PATH_MAX / 2] = "", type[64], path[PATH_MAX / 2];

	if (!mounts || !group)
		return -errno;
	while (fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*s %2047s %63s", path, type) == 2 && !strcmp(type, "cgroup2"))
			strcpy(mount, path);
	if (!*mount)
		return -ENOENT;
	while (fgets(line, sizeof(line), group)) {
		if (sscanf(line, "0::%2047[^\n]", path) != 1)
			continue;
		snprintf(buf, max, "%s%s", mount, path);
		return 0;
	}
	return -ENOENT;
}

/* Makes a group, moves a child into it, stops it there; everything is removed again. */
static int freeze_in(const char *dir)
{
	char pid_text[32];
	pid_t pid;
	int r;

	if (mkdir(dir, 0755) < 0)
		return -errno;
	pid = check_fork();
	if (pid == 0)
		for (;;)
			pause();
	snprintf(pid_text, sizeof(pid_text), "%d", pid);
	r = pid < 0 ? pid : write_file(dir, "cgroup.procs", pid_text);
	if (r == 0)
		r = write_file(dir, "cgroup.freeze", "1");
	if (r == 0)
		r = write_file(dir, "cgroup.freeze", "0");
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	/* A group is busy until its last process is gone for good. */
	for (int i = 0; i < 100 && rmdir(dir) < 0 && errno == EBUSY; i++)
		usleep(10000);
	return r;
}

static int probe_cgroup(char *detail)
{
	char group[PATH_MAX], dir[PATH_MAX + 64];
	int r = own_group(group, sizeof(group));

	if (r < 0)
		return check_say(detail, r, "no cgroup v2 is mounted");
	snprintf(dir, sizeof(dir), "%s/chiral-check-%d", group, getpid());
	r = freeze_in(dir);
	return r ? check_say(detail, r, "in %.200s", group) : 0;
}

/* ---- BPF ---- */

static int probe_btf(char *detail)
{
	cleanup_close int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	uint16_t magic = 0;

	if (fd < 0 || read(fd, &magic, sizeof(magic)) < 0)
		return -errno;
	return magic == 0xeb9f ? 0 : 1;
}

/* The program that records calls, as a session loads it. */
static int probe_bpf(char *detail)
{
	struct recorder *recorder;
	const char *why;
	int r = recorder_open(&recorder, &why);

	if (r < 0)
		return check_say(detail, r, "%s", why);
	recorder_close(recorder);
	return check_say(detail, 0, "leaders on this machine are captured so");
}

/* ---- packets held until the verdict ---- */

static int queue_bind(int fd)
{
	struct {
		struct nlmsghdr n;
		struct nfgenmsg g;
		struct nlattr a;
		struct nfqnl_msg_config_cmd cmd;
	} __attribute__((aligned(4))) req = {
		.n = { .nlmsg_len = sizeof(req),
		       .nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_CONFIG,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.g = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 },
		.a = { .nla_len = sizeof(req.a) + sizeof(req.cmd), .nla_type = NFQA_CFG_CMD },
		.cmd = { .command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_INET) },
	};
	struct {
		struct nlmsghdr n;
		struct nlmsgerr e;
		char rest[256];
	} reply;
	ssize_t n;

	if (send(fd, &req, sizeof(req), 0) < 0)
		return -errno;
	n = recv(fd, &reply, sizeof(reply), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(reply.n) + sizeof(reply.e) || reply.n.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return reply.e.error;
}

static int probe_netns(char *detail)
{
	return unshare(CLONE_NEWNET) < 0 ? -errno : 0;
}

static int probe_nfqueue(char *detail)
{
	cleanup_close int fd = -1;

	/* Its own network: queue numbers of this machine are not touched. */
	if (unshare(CLONE_NEWNET) < 0)
		return check_say(detail, -errno, "no network namespace of one's own");
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	return fd < 0 ? -errno : queue_bind(fd);
}

/* ---- others ---- */

/* As a program that moves uses it: missing pages and write protection of a memory file. */
static int watch_memory(int fd, char *detail)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_PAGEFAULT_FLAG_WP |
					      UFFD_FEATURE_WP_HUGETLBFS_SHMEM };
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	struct uffdio_register r = { .range.len = size,
				     .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP };
	cleanup_close int memory = memfd_create("chiral-check", MFD_CLOEXEC);
	void *p;

	if (memory < 0 || ftruncate(memory, (off_t)size) < 0)
		return -errno;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (p == MAP_FAILED)
		return -errno;
	r.range.start = (uint64_t)p;
	if (ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &r) < 0)
		return check_say(detail, -errno, "no write protection of shared memory");
	return 0;
}

static int probe_uffd(char *detail)
{
	cleanup_close int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	int r;

	if (fd >= 0)
		return watch_memory(fd, detail);
	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (fd < 0)
		return -errno;
	r = watch_memory(fd, detail);
	return r < 0 ? r : check_say(detail, -EPERM, "enough for the other node, but not for home");
}

static int probe_kvm(char *detail)
{
	cleanup_close int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	cleanup_close int vm = -1;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return 1;
	vm = ioctl(fd, KVM_CREATE_VM, 0);
	return vm < 0 ? -errno : 0;
}

static int probe_counter(char *detail)
{
	pid_t pid = check_fork();
	int status;

	if (pid < 0)
		return pid;
	if (pid == 0) {
		if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) < 0)
			_exit(errno);
		isa_counter_read();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)
		return 0;
	return WEXITSTATUS(status) ? -WEXITSTATUS(status)
				   : check_say(detail, 1, "the counter can be read all the same");
}

static int probe_processor(char *detail)
{
	return isa_cpu_is_hidden() ? 0 : check_say(detail, 1, "no CPUID faulting");
}

#define NEEDS_ROOT "run chiral as root"
/* Asked for already, so that people know what their machines will be able to do. */
#define LATER "not used yet: "

const struct check check_host[] = {
	{"cgroup-freeze", CHECK_NICE, LATER "freeze a variant with all its processes (cgroup v2)",
	 "mount cgroup v2 and " NEEDS_ROOT
	 ", or systemd-run --user --scope -p Delegate=yes chiral ...",
	 probe_cgroup},
	{"counter-trap", CHECK_NICE,
	 "the same numbers for all variants that read the time counter themselves (PR_SET_TSC)",
	 "on arm64 a kernel of 6.12 or newer", probe_counter},
	{"processor", CHECK_NICE, "show programs the same processor on every machine of this ISA",
	 "a machine with cpuid_fault in /proc/cpuinfo; on others, programs that choose code by the "
	 "processor's features (AVX2) may alarm", probe_processor},
	{"btf", CHECK_NICE, "--capture bpf: type information of the kernel",
	 "a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's", probe_btf},
	{"bpf", CHECK_NICE, "--capture bpf: a leader whose calls are recorded by the kernel, without stops",
	 NEEDS_ROOT ", or setcap cap_bpf,cap_perfmon+ep chiral; until then leaders are captured by ptrace",
	 probe_bpf},
	{"net-namespace", CHECK_NICE, LATER "networks of the variants' own",
	 NEEDS_ROOT, probe_netns},
	{"nfqueue", CHECK_NICE, LATER "hold packets until they are verified",
	 NEEDS_ROOT "; modprobe nfnetlink_queue", probe_nfqueue},
	{"userfaultfd", CHECK_NICE, "--mode mtd between two nodes (home needs it)",
	 NEEDS_ROOT ", or sysctl vm.unprivileged_userfaultfd=1; on arm64 a kernel of 6.12 or newer",
	 probe_uffd},
	{"kvm", CHECK_NICE, "microVMs of this machine's own ISA at full speed (/dev/kvm)",
	 "enable virtualisation in the firmware and add the user to the group kvm", probe_kvm},
	{0},
};
