/* SPDX-License-Identifier: Apache-2.0 */
/* Which Debian package a file comes from, and its version: from dpkg's database (dpkg-query(1),
 * DEFAULT_ADMINDIR of dpkg(1)), read without dpkg. */
#ifndef CHIRAL_VARIANT_PACKAGES_H
#define CHIRAL_VARIANT_PACKAGES_H

#include "session/facts.h"

#define PACKAGES_DIR "/var/lib/dpkg"

/*
 * Fills package and version of the files that have a path and no package yet. dir holds "status" and
 * "info/NAME.list"; a node without them knows of no packages. 0 or -ENOMEM.
 */
int packages_find(const char *dir, struct facts *facts);

#endif
