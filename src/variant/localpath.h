/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local-by-path rule: which files each variant opens for itself. Shared libraries and the loader's
 * files are for one ISA only, so comparing or replaying them makes no sense; every other file lives
 * at the leader alone.
 */
#ifndef CHIRAL_VARIANT_LOCALPATH_H
#define CHIRAL_VARIANT_LOCALPATH_H

#include <stdbool.h>

/*
 * True when path is local. By the dynamic loader (by_loader: the call comes from its code): loader files
 * (/etc/ld.so.cache, ...), anything below a Debian multiarch directory of either ISA, shared objects
 * wherever they are. By anybody: libc's character set modules (gconv), and what extra
 * (a NULL-terminated vector, may be NULL) names: a file, or a directory with everything below it.
 * path is a program's own: relative ones are never local, and neither is one with a ".." component
 * (it could lead out of the library directories), but for a shared object that the loader asks for.
 */
bool localpath_match(const char *path, char *const *extra, bool by_loader);

/*
 * True for Python's folder of extension modules, and what is in it. Their names have the ISA in them, and
 * Python finds a module by listing the folder: the leader's names would mean nothing to a follower.
 */
bool localpath_is_python_module(const char *path);

/*
 * True for the kernel's rule of over-committing memory. The C library's malloc looks at it once, in
 * whichever thread first gives memory back to the kernel: that depends on addresses, and what is done with
 * it is each variant's own affair (glibc: sysdeps/unix/sysv/linux/malloc-sysdep.h).
 */
bool localpath_is_malloc_setting(const char *path);

#endif
