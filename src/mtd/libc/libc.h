/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIRAL_MTD_LIBC_LIBC_H
#define CHIRAL_MTD_LIBC_LIBC_H

/* The name under which the C library's source folder is recorded in its bitcode (tools/mtd-libc): tells
 * its functions from the program's own. */
#define MTD_LIBC_FOLDER "/chiral-libc"

#endif
