/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that get privileges when they are executed: setuid, setgid (execve(2)), file capabilities
 * (capabilities(7)). A variant has no_new_privs, so the kernel would run them without; they would not
 * be what they are natively. Chiral refuses them instead.
 */
#ifndef CHIRAL_VARIANT_PRIVILEGES_H
#define CHIRAL_VARIANT_PRIVILEGES_H

/* fd is of the file, O_PATH will do. "setuid", "setgid", "given file capabilities", or NULL: it gets
 * none. */
const char *privileges_of_file(int fd);

#endif
