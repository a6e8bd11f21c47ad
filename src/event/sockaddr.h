/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses on their way in. Internal to src/event. */
#ifndef CHIRAL_EVENT_SOCKADDR_H
#define CHIRAL_EVENT_SOCKADDR_H

#include <stddef.h>
#include <stdint.h>

/*
 * Normalises addr (len bytes as the program gave them) in place and returns the length of what the
 * kernel looks at: padding is cleared or cut off, so that stack garbage in it never counts.
 */
size_t sockaddr_normalise(uint8_t *addr, size_t len);

#endif
