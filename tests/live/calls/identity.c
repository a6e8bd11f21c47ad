/* SPDX-License-Identifier: Apache-2.0 */
/* Users, groups, capabilities, and what prctl(2) and its like set. */
#include "calls.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>

static void who(void)
{
	uid_t r, e, s;
	gid_t list[64];
	int n;

	EXPECT(getresuid(&r, &e, &s) == 0 && r == getuid() && e == geteuid());
	EXPECT(getresgid(&r, &e, &s) == 0 && r == getgid() && e == getegid());
	n = getgroups(0, NULL);
	EXPECT(n >= 0 && getgroups(64, list) == n);
	FAILS(syscall(SYS_getgroups, -1, list), EINVAL);
	FAILS(syscall(SYS_getresuid, nowhere, nowhere, nowhere), EFAULT);
	say("getuid, geteuid, getgid, getegid, getresuid, getresgid, getgroups\n");
}

/* Without rights the same calls, with one's own ids. */
static void becomes_another(void)
{
	uid_t u = is_root() ? 1001 : getuid();
	gid_t g = is_root() ? 1002 : getgid(), list[3] = { g, 7, 8 }, own_group = getgid();
	uid_t own = getuid();

	EXPECT(setgroups(3, list) == 0 || errno == EPERM);
	EXPECT(setfsgid(g) == (int)own_group && setfsuid(u) == (int)own && setfsuid((uid_t)-1) == (int)u);
	EXPECT(setgid(own_group) == 0 && setregid((gid_t)-1, g) == 0 && setresgid(g, g, g) == 0);
	EXPECT(setreuid(u, (uid_t)-1) == 0 && setresuid(u, geteuid(), (uid_t)-1) == 0);
	EXPECT(setuid(u) == 0 && geteuid() == u && getuid() == u && getegid() == g);
	FAILS(u ? setuid(0) : setuid((uid_t)-1), u ? EPERM : EINVAL);
	FAILS(setgroups(1, list), EPERM);
	FAILS(setresuid(5, 5, 5), EPERM);
}

static void capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2], again[2];

	EXPECT(syscall(SYS_capget, &h, d) == 0 && syscall(SYS_capset, &h, d) == 0);
	h.pid = getpid();
	EXPECT(syscall(SYS_capget, &h, again) == 0 && !memcmp(d, again, sizeof(d)));
	h.version = 1234;
	FAILS(syscall(SYS_capget, &h, d), EINVAL);
	EXPECT(h.version == _LINUX_CAPABILITY_VERSION_3);
	FAILS(syscall(SYS_capset, nowhere, d), EFAULT);
	say("capget, capset\n");
}

#define OPTION(name, ...) prctl(PR_##name, ##__VA_ARGS__)

static void options(void)
{
	char name[16] = "";
	int value = -1;

	EXPECT(OPTION(SET_NAME, "another name") == 0 && OPTION(GET_NAME, name) == 0 && !strcmp(name, "another name"));
	EXPECT(OPTION(SET_PDEATHSIG, SIGUSR1) == 0 && OPTION(GET_PDEATHSIG, &value) == 0 && value == SIGUSR1);
	EXPECT(OPTION(SET_PDEATHSIG, 0) == 0 && OPTION(SET_PDEATHSIG, 99) == -1);
	EXPECT(OPTION(GET_DUMPABLE) >= 0 && OPTION(SET_DUMPABLE, 1) == 0);
	EXPECT(OPTION(GET_KEEPCAPS) == 0 && OPTION(SET_KEEPCAPS, 1) == 0 && OPTION(GET_KEEPCAPS) == 1);
	EXPECT(OPTION(CAPBSET_READ, CAP_CHOWN) >= 0 && OPTION(CAPBSET_READ, 999) == -1);
	EXPECT(OPTION(CAPBSET_DROP, CAP_SYS_BOOT) == 0 || errno == EPERM);
	value = OPTION(GET_SECUREBITS);
	EXPECT(value >= 0 && (OPTION(SET_SECUREBITS, value) == 0 || errno == EPERM));
	EXPECT(OPTION(SET_TIMERSLACK, 60000) == 0 && OPTION(GET_TIMERSLACK) == 60000);
	EXPECT(OPTION(SET_CHILD_SUBREAPER, 1) == 0 && OPTION(GET_CHILD_SUBREAPER, &value) == 0 && value == 1);
	EXPECT(OPTION(SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && OPTION(GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	EXPECT(OPTION(CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0);
	EXPECT(OPTION(CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0) == 0);
	EXPECT(OPTION(SET_THP_DISABLE, 1, 0, 0, 0) == 0 && OPTION(GET_THP_DISABLE, 0, 0, 0, 0) == 1);
	EXPECT(OPTION(MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0 || errno == EINVAL);
	EXPECT(OPTION(SET_VMA, PR_SET_VMA_ANON_NAME, nowhere, 0, NULL) <= 0);
	FAILS(OPTION(GET_PDEATHSIG, nowhere), EFAULT);
	FAILS(prctl(12345), EINVAL);
	FAILS(prctl(0x43485250, 0), EINVAL); /* chiral_region() */
	EXPECT(personality(0xffffffff) >= 0);
	say("prctl, personality\n");
}

/* The segment bases of x86-64. */
static void bases(void)
{
#ifdef SYS_arch_prctl
	unsigned long fs = 0, gs = 1;

	EXPECT(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &fs) == 0 && fs);
	EXPECT(syscall(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, fs) == 0);
	EXPECT(syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, 0) == 0);
	EXPECT(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &gs) == 0 && gs == 0);
#endif
	say("arch_prctl\n");
}

void test_identity(void)
{
	who();
	in_child(becomes_another);
	say("setuid, setgid, setreuid, setregid, setresuid, setresgid, setfsuid, setfsgid, setgroups\n");
	in_child(capabilities);
	in_child(options);
	bases();
}
