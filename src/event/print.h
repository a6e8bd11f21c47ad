/* SPDX-License-Identifier: Apache-2.0 */
/* Values of calls for people. Internal to src/event. */
#ifndef CHIRAL_EVENT_PRINT_H
#define CHIRAL_EVENT_PRINT_H

#include "event/call.h"
#include "event/emit.h"

/* Argument i of c: what it points to where that is known. */
void print_arg(struct emit *e, const struct call_record *c, unsigned i);

void print_sockaddr(struct emit *e, const uint8_t *addr, size_t len);

#endif
