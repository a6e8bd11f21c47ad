/* SPDX-License-Identifier: Apache-2.0 */
/* <linux/seccomp.h>, and what headers of older kernels lack. See seccomp(2), seccomp_unotify(2). */
#ifndef CHIRAL_VARIANT_SECCOMP_API_H
#define CHIRAL_VARIANT_SECCOMP_API_H

#include <linux/seccomp.h>
#include <sys/ioctl.h>

#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1) /* Linux 5.14 */
#endif

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

/* Linux 6.6. Monitor and variant take turns: whoever is woken runs where the other one has just been, and
 * no idle processor has to be started for each call. */
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS	   SECCOMP_IOW(4, __u64)
#endif

#endif
