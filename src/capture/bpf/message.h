/* SPDX-License-Identifier: Apache-2.0 */
/* What a call has left of the messages that it was given. Internal to capture/bpf. */
#ifndef CHIRAL_CAPTURE_BPF_MESSAGE_H
#define CHIRAL_CAPTURE_BPF_MESSAGE_H

#include "calls/recorded.h"
#include "event/mem.h"

/*
 * in: an entry part that is a message or several, of a call that has ended with ret. False: what the kernel
 * read of it when the call began cannot be told any more.
 */
bool message_is_as_before(struct mem *mem, const struct record_part *in, const uint64_t args[CALL_ARGS_MAX],
			  int64_t ret);

#endif
