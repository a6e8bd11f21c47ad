/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual descriptor table of one process: which of its descriptors are local (opened by each
 * variant for itself, never compared) and which are virtual (the object lives at the leader). Numbers
 * are the same in all variants.
 *
 * It also remembers epoll registrations: the cookie (epoll_event.data) belongs to the variant and is
 * translated by the pair (epoll descriptor, registered descriptor).
 */
#ifndef CHIRAL_VARIANT_VDT_H
#define CHIRAL_VARIANT_VDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VDT_FD_MAX (1 << 20) /* descriptors above (fs.nr_open's default) are treated as closed */

struct vdt;

struct vdt *vdt_new(void);
struct vdt *vdt_copy(const struct vdt *t);
void vdt_free(struct vdt *t);

/* Everything not marked local is virtual: a wrong fd number is the leader's to judge. */
bool vdt_is_local(const struct vdt *t, int fd);
void vdt_set_local(struct vdt *t, int fd, bool cloexec);
void vdt_set_cloexec(struct vdt *t, int fd, bool cloexec);
/* Also forgets a local mark: the number is free, or about to be a virtual descriptor. */
void vdt_close(struct vdt *t, int fd);
void vdt_close_range(struct vdt *t, unsigned first, unsigned last);
void vdt_dup(struct vdt *t, int from, int to, bool cloexec);
/* execve(2): local close-on-exec descriptors are gone. */
void vdt_exec(struct vdt *t);

/* 0 or -ENOMEM. A later registration of the same pair replaces the cookie. */
int vdt_epoll_register(struct vdt *t, int epfd, int fd, uint64_t cookie);
/* The descriptor last registered with this cookie at epfd, or -1. */
int vdt_epoll_object(const struct vdt *t, int epfd, uint64_t cookie);
/* The cookie last registered for fd at epfd; 0 when there is none. */
uint64_t vdt_epoll_cookie(const struct vdt *t, int epfd, int64_t fd);

#endif
