/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small readers of /proc. What they read was partly written by the variant (names, paths): numbers
 * are checked, strings are bounded, counts are capped.
 */
#ifndef CHIRAL_VARIANT_PROC_H
#define CHIRAL_VARIANT_PROC_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- maps ---- */

#define PROC_MAPS_MAX 65536u /* mappings; vm.max_map_count is 65530 unless it was raised */

struct proc_map {
	uint64_t start, end;	/* addresses; end is behind the last byte */
	uint64_t offset;	/* in the file */
	uint64_t inode;		/* 0: no file */
	char perms[5];		/* "r-xp" */
	char *path;		/* owned; "" for anonymous, "[stack]", "/lib/x (deleted)"; as the
				 * kernel prints it: a newline is \012 */
};

struct proc_maps {
	struct proc_map *map;	/* ascending */
	size_t n;
};

/* 0, -ESRCH, -EACCES, -E2BIG over PROC_MAPS_MAX, -ENOMEM. */
int proc_maps_read(pid_t pid, struct proc_maps *ret);
void proc_maps_free(struct proc_maps *maps);
/* The mapping that holds addr, or NULL. */
const struct proc_map *proc_maps_find(const struct proc_maps *maps, uint64_t addr);

/* Opens the mapped file for reading when it is a regular one (never a FIFO or a device, whatever
 * the variant mapped or put in its place): a descriptor, -ENOENT, -EACCES, -EINVAL. */
int proc_map_open(pid_t pid, const struct proc_map *map);

/* ---- one line files ---- */

/* Reads at most max - 1 bytes of /proc/PID/NAME, adds a NUL: number of bytes, or -errno. */
ssize_t proc_read(pid_t pid, const char *name, char *buf, size_t max);

#define PROC_COMM_MAX 64 /* TASK_COMM_LEN is 16; kernel threads' names may be longer */

/* The thread's name, without its newline. */
int proc_comm(pid_t tid, char ret[PROC_COMM_MAX]);

/* A number of /proc/PID/status, as "Tgid", "PPid", "TracerPid", "VmRSS" (kB), "Seccomp". -ENOENT
 * when there is no such line. */
int proc_status(pid_t pid, const char *field, uint64_t *ret);

/* State letter of a thread: R, S, D, T, t, Z, X. */
int proc_state(pid_t tid, char *ret);

/* Processor time of a thread in ns; time that passes for everybody where the kernel does not count it. */
uint64_t proc_run_ns(pid_t tid);

/* pc and sp of a thread that sleeps in a system call. -EBUSY when it does not. nr may be -1 (it
 * sleeps outside a call); args are valid otherwise. */
struct proc_syscall {
	long nr;
	uint64_t args[6], sp, pc;
};
int proc_syscall(pid_t tid, struct proc_syscall *ret);

/* ---- descriptors and threads ---- */

/* Calls fn for every open descriptor of pid, in no order, until it returns non-zero; returns that,
 * 0, or -errno. target: what it points to ("/path", "socket:[123]"), cut to PATH_MAX. */
int proc_fds(pid_t pid, int (*fn)(void *arg, int fd, const char *target), void *arg);

/* The same for the threads of pid. */
int proc_tids(pid_t pid, int (*fn)(void *arg, pid_t tid), void *arg);

#endif
