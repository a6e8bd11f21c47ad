/* SPDX-License-Identifier: Apache-2.0 */
/* What no variant gets: the error is the same in all of them, and the one that the page says. */
#include "calls.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static const struct {
	long nr;
	int error;
	const char *name;
} refused[] = {
#define REFUSED(name, error) { SYS_##name, error, #name }
	REFUSED(bpf, EPERM),
	REFUSED(clone3, ENOSYS),
	REFUSED(delete_module, EPERM),
	REFUSED(fanotify_init, ENOSYS),
	REFUSED(finit_module, EPERM),
	REFUSED(fsopen, ENOSYS),
	REFUSED(futex_waitv, ENOSYS),
	REFUSED(get_mempolicy, ENOSYS),
	REFUSED(init_module, EPERM),
	REFUSED(io_setup, ENOSYS),
	REFUSED(io_uring_enter, ENOSYS),
	REFUSED(io_uring_register, ENOSYS),
	REFUSED(io_uring_setup, ENOSYS),
	REFUSED(kexec_load, EPERM),
	REFUSED(landlock_create_ruleset, ENOSYS),
	REFUSED(mbind, ENOSYS),
	REFUSED(memfd_secret, ENOSYS),
	REFUSED(migrate_pages, ENOSYS),
	REFUSED(mount, ENOSYS),
	REFUSED(move_pages, ENOSYS),
	REFUSED(perf_event_open, EACCES),
	REFUSED(pkey_alloc, ENOSPC),
	REFUSED(pkey_free, EINVAL),
	REFUSED(process_madvise, EPERM),
	REFUSED(process_mrelease, EPERM),
	REFUSED(process_vm_readv, EPERM),
	REFUSED(process_vm_writev, EPERM),
	REFUSED(ptrace, EPERM),
	REFUSED(reboot, EPERM),
	REFUSED(remap_file_pages, EINVAL),
	REFUSED(rseq, ENOSYS),
	REFUSED(seccomp, EINVAL),
	REFUSED(set_mempolicy, ENOSYS),
	REFUSED(set_mempolicy_home_node, ENOSYS),
	REFUSED(setns, ENOSYS),
	REFUSED(swapon, ENOSYS),
	REFUSED(umount2, ENOSYS),
	REFUSED(unshare, ENOSYS),
	REFUSED(userfaultfd, ENOSYS),
	REFUSED(vmsplice, ENOSYS),
	{ 511, ENOSYS, "a number that no call has" },
};

static void sub_calls(void)
{
	int pair[2], value = 0;
	void *p;

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	FAILS(ioctl(pair[0], TIOCSTI, "x"), EIO);
	FAILS(setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &value, sizeof(value)), EPERM);
	FAILS(prctl(PR_SET_SECCOMP, 1), EINVAL);
	FAILS(prctl(PR_SET_MM, 1, 0, 0, 0), EPERM);
	EXPECT(prctl(PR_GET_SECCOMP) == 0);
	EXPECT(prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_GET_DUMPABLE) == 1);
	/* What the pages hold afterwards would be the kernel's choice. */
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(p != MAP_FAILED);
	FAILS(madvise(p, 4096, MADV_FREE), EINVAL);
	munmap(p, 4096);
	close(pair[0]);
	close(pair[1]);
	say("MADV_FREE, TIOCSTI, SO_ATTACH_FILTER, PR_SET_SECCOMP, PR_SET_MM, PR_SET_DUMPABLE\n");
}

/* A follower has a placeholder where the leader has the file. */
static void programs_by_descriptor(void)
{
	int fd = open(SELF, O_RDONLY), dir = open("/usr/bin", O_RDONLY | O_DIRECTORY);
	char *argv[] = { "true", NULL }, path[64];

	EXPECT(fd >= 0 && dir >= 0);
	FAILS(syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH), ENOSYS);
	FAILS(syscall(SYS_execveat, dir, "true", argv, environ, 0), ENOSYS);
	FAILS(syscall(SYS_execveat, 99, "", argv, environ, AT_EMPTY_PATH), EBADF);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FAILS(execve(path, argv, environ), EACCES);
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	FAILS(execve(path, argv, environ), EACCES);
	close(fd);
	close(dir);
	say("execve, execveat by a descriptor\n");
}

void test_refused(void)
{
	/* A kernel of its own has an opinion on the arguments */
	if (syscall(SYS_rseq, NULL, 0, 0, 0) == -1 && errno != ENOSYS)
		SKIP("this is not a session");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		errno = 0;
		if (syscall(refused[i].nr, 0, 0, 0, 0, 0, 0) == -1 && errno == refused[i].error)
			continue;
		dprintf(2, "%s: errno %d\n", refused[i].name, errno);
		_exit(1);
	}
	sub_calls();
	programs_by_descriptor();
	say("refused calls\n");
}
