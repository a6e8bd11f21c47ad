/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/privileges.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

const char *privileges_of_file(int fd)
{
	char path[64];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (st.st_mode & S_ISUID)
		return "setuid";
	/* Without the group's x bit it means something else (inode(7)). */
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return "setgid";
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* fgetxattr(2) takes no O_PATH */
	return getxattr(path, "security.capability", NULL, 0) > 0 ? "given file capabilities" : NULL;
}
