/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on files, devices, descriptors and network interfaces. */
#include "calls.h"

#include <linux/fs.h>
#include <linux/random.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void descriptors(void)
{
	int pair[2], on = 1, n = -1;

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	EXPECT(ioctl(pair[0], FIOCLEX) == 0 && fcntl(pair[0], F_GETFD) == FD_CLOEXEC);
	EXPECT(ioctl(pair[0], FIONCLEX) == 0 && fcntl(pair[0], F_GETFD) == 0);
	EXPECT(ioctl(pair[0], FIONBIO, &on) == 0 && fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	EXPECT(ioctl(pair[0], FIOASYNC, &on) == 0 && fcntl(pair[0], F_GETFL) & O_ASYNC);
	EXPECT(write(pair[1], "abc", 3) == 3 && ioctl(pair[0], FIONREAD, &n) == 0 && n == 3);
	EXPECT(ioctl(pair[1], SIOCOUTQ, &n) == 0 && n > 0);
	FAILS(ioctl(pair[0], FIONBIO, nowhere), EFAULT);
	FAILS(ioctl(99, FIONBIO, &on), EBADF);
	FAILS(ioctl(99, FIOCLEX), EBADF);
	FAILS(ioctl(pair[0], 0x12345678, &on), ENOTTY);
	close(pair[0]);
	close(pair[1]);
	say("FIOCLEX, FIONCLEX, FIONBIO, FIOASYNC, FIONREAD, SIOCOUTQ\n");
}

static void of_files(void)
{
	int fd = file_with("file", "12345"), other = file_with("other", ""), n = -1, flags = 0;
	struct file_clone_range range = { .src_fd = fd };
	struct fsxattr attributes = { 0 };
	long long size = 0;
	uint64_t bytes = 0;
	int r;

	EXPECT(ioctl(fd, FIOQSIZE, &size) == 0 ? size >= 0 : errno == ENOTTY);
	EXPECT(ioctl(fd, FIGETBSZ, &n) == 0 && n > 0);
	EXPECT(ioctl(fd, FIONREAD, &n) == 0 && n == 5);
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0)
		EXPECT(ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0 || errno == EOPNOTSUPP || errno == ENOTTY);
	else
		EXPECT((errno == ENOTTY || errno == EOPNOTSUPP) && ioctl(fd, FS_IOC_SETFLAGS, &flags) == -1);
	EXPECT(ioctl(other, FICLONE, fd) == 0 || errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL ||
	       errno == EXDEV);
	FAILS(ioctl(fd, BLKGETSIZE64, &bytes), ENOTTY);
	FAILS(ioctl(fd, BLKSSZGET, &n), ENOTTY);
	FAILS(ioctl(fd, BLKROGET, &n), ENOTTY);
	FAILS(ioctl(fd, BLKGETSIZE, &bytes), ENOTTY);
	FAILS(ioctl(fd, BLKPBSZGET, &n), ENOTTY);
	EXPECT(ioctl(fd, FS_IOC_GETVERSION, &flags) == 0 || errno == ENOTTY || errno == EOPNOTSUPP);
	r = ioctl(fd, FS_IOC_FSGETXATTR, &attributes);
	EXPECT(r == 0 || errno == ENOTTY || errno == EOPNOTSUPP);
	EXPECT(ioctl(fd, FS_IOC_FSSETXATTR, &attributes) == 0 || errno == ENOTTY || errno == EOPNOTSUPP ||
	       errno == EPERM);
	EXPECT(ioctl(other, FICLONERANGE, &range) == 0 || errno == EOPNOTSUPP || errno == ENOTTY ||
	       errno == EINVAL || errno == EXDEV);
	close(fd);
	close(other);
	fd = open("/dev/urandom", O_RDONLY);
	EXPECT(fd >= 0 && ioctl(fd, RNDGETENTCNT, &n) == 0 && n >= 0);
	close(fd);
	say("FIOQSIZE, FIGETBSZ, FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FICLONE, BLKGETSIZE64, RNDGETENTCNT\n");
}

static void of_interfaces(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), n = -1;
	struct sockaddr_in *in;
	struct ifreq r = { .ifr_name = "lo" };

	EXPECT(fd >= 0);
	EXPECT(ioctl(fd, SIOCGIFINDEX, &r) == 0 && r.ifr_ifindex == 1);
	memset(r.ifr_name, 0, sizeof(r.ifr_name));
	EXPECT(ioctl(fd, SIOCGIFNAME, &r) == 0 && !strcmp(r.ifr_name, "lo"));
	EXPECT(ioctl(fd, SIOCGIFFLAGS, &r) == 0 && r.ifr_flags & IFF_LOOPBACK);
	EXPECT(ioctl(fd, SIOCGIFMTU, &r) == 0 && r.ifr_mtu >= 16384);
	EXPECT(ioctl(fd, SIOCGIFHWADDR, &r) == 0 && r.ifr_hwaddr.sa_family == 772);
	EXPECT(ioctl(fd, SIOCGIFTXQLEN, &r) == 0 && ioctl(fd, SIOCGIFMETRIC, &r) == 0);
	in = (struct sockaddr_in *)(void *)&r.ifr_addr;
	if (ioctl(fd, SIOCGIFADDR, &r) == 0) {
		EXPECT(in->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
		EXPECT(ioctl(fd, SIOCGIFNETMASK, &r) == 0 && in->sin_addr.s_addr == htonl(0xff000000));
	} else {
		EXPECT(errno == EADDRNOTAVAIL && ioctl(fd, SIOCGIFNETMASK, &r) == -1);
	}
	EXPECT(ioctl(fd, SIOCGIFDSTADDR, &r) == 0 || errno == EADDRNOTAVAIL);
	EXPECT(ioctl(fd, SIOCGIFBRDADDR, &r) == 0 || errno == EADDRNOTAVAIL);
	strcpy(r.ifr_name, "missing0");
	FAILS(ioctl(fd, SIOCGIFINDEX, &r), ENODEV);
	FAILS(ioctl(fd, SIOCGIFINDEX, nowhere), EFAULT);
	EXPECT(ioctl(fd, SIOCATMARK, &n) == 0 && n == 0);
	EXPECT(ioctl(fd, SIOCOUTQNSD, &n) == 0 ? n == 0 : errno == EINVAL);
	close(fd);
	say("SIOCGIFINDEX, SIOCGIFNAME, SIOCGIFFLAGS, SIOCGIFADDR, ...\n");
}

void test_ioctls(void)
{
	descriptors();
	of_files();
	of_interfaces();
}
