/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that newer ISAs do not have, by their numbers where there is one. Elsewhere what the C library
 * makes of them: as two variants of different ISAs both have to be the same call.
 */
#ifndef CHIRAL_TESTS_LIVE_OLD_H
#define CHIRAL_TESTS_LIVE_OLD_H

#include "calls.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <utime.h>

/* OLD(open, openat(...)): the call of that number, or the other expression. */
#ifdef SYS_open
#define OLD(name, args, successor) ((int)syscall(SYS_##name, OLD_ARGS args))
#define OLD_ARGS(...) __VA_ARGS__
#else
#define OLD(name, args, successor) ((int)(successor))
#endif

#define old_open(p, f, m) OLD(open, (p, f, m), openat(AT_FDCWD, p, f, m))
#define old_creat(p, m) OLD(creat, (p, m), openat(AT_FDCWD, p, O_CREAT | O_WRONLY | O_TRUNC, m))
#define old_stat(p, s) OLD(stat, (p, s), fstatat(AT_FDCWD, p, s, 0))
#define old_lstat(p, s) OLD(lstat, (p, s), fstatat(AT_FDCWD, p, s, AT_SYMLINK_NOFOLLOW))
#define old_access(p, m) OLD(access, (p, m), access(p, m))
#define old_readlink(p, b, n) OLD(readlink, (p, b, n), readlinkat(AT_FDCWD, p, b, n))
#define old_mkdir(p, m) OLD(mkdir, (p, m), mkdirat(AT_FDCWD, p, m))
#define old_mknod(p, m, d) OLD(mknod, (p, m, d), mknodat(AT_FDCWD, p, m, d))
#define old_unlink(p) OLD(unlink, (p), unlinkat(AT_FDCWD, p, 0))
#define old_rmdir(p) OLD(rmdir, (p), unlinkat(AT_FDCWD, p, AT_REMOVEDIR))
#define old_rename(a, b) OLD(rename, (a, b), syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 0))
#define old_link(a, b) OLD(link, (a, b), linkat(AT_FDCWD, a, AT_FDCWD, b, 0))
#define old_symlink(a, b) OLD(symlink, (a, b), symlinkat(a, AT_FDCWD, b))
#define old_chmod(p, m) OLD(chmod, (p, m), syscall(SYS_fchmodat, AT_FDCWD, p, m))
#define old_chown(p, u, g) OLD(chown, (p, u, g), fchownat(AT_FDCWD, p, u, g, 0))
#define old_lchown(p, u, g) OLD(lchown, (p, u, g), fchownat(AT_FDCWD, p, u, g, AT_SYMLINK_NOFOLLOW))
#define old_utime(p, t) OLD(utime, (p, t), utime(p, t))
#define old_utimes(p, t) OLD(utimes, (p, t), utimes(p, t))
#define old_futimesat(d, p, t) OLD(futimesat, (d, p, t), futimesat(d, p, t))
#define old_inotify_init() OLD(inotify_init, (0), inotify_init1(0))
#define old_epoll_create(n) OLD(epoll_create, (n), epoll_create1(0))
#define old_epoll_wait(e, v, n, t) OLD(epoll_wait, (e, v, n, t), epoll_pwait(e, v, n, t, NULL))
#define old_poll(f, n, t) OLD(poll, (f, n, t), poll(f, n, t))
#define old_select(n, r, w, x, t) OLD(select, (n, r, w, x, t), select(n, r, w, x, t))
#define old_eventfd(n) OLD(eventfd, (n), eventfd(n, 0))
#define old_signalfd(f, m) OLD(signalfd, (f, m, 8), signalfd(f, m, 0))
#define old_pipe(f) OLD(pipe, (f), pipe2(f, 0))
#define old_dup2(a, b) OLD(dup2, (a, b), dup2(a, b))
#define old_getpgrp() OLD(getpgrp, (0), getpgid(0))
#define old_pause() OLD(pause, (0), ppoll(NULL, 0, NULL, NULL))
#define old_alarm(s) OLD(alarm, (s), alarm(s))
#define old_time(t) OLD(time, (t), time(t))
#define old_fork() OLD(fork, (0), syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) /* without libc */

#endif
