/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two files of one program: all that a pointer can point to has one address in both. The layout
 * gives every section of the two objects a place of the larger size; the check proves of the linked
 * files that it holds.
 */
#ifndef CHIRAL_MTD_IMAGE_IMAGE_H
#define CHIRAL_MTD_IMAGE_IMAGE_H

#include <stdint.h>

/*
 * Writes a linker script (for LLD) for the program's object, made once for each ISA. program is a
 * pattern for the object's file name, the same for both; what is in other files is the runtime.
 * 0 or -errno, logged: -EINVAL when the objects do not fit each other.
 */
int image_write_layout(const char *const objects[2], const char *program,
		       const uint64_t build_id[2], const char *script);

/* Do the linked files agree? 0 or -errno, logged: -EINVAL with a sentence about the first difference. */
int image_check(const char *const files[2]);

#endif
