/* SPDX-License-Identifier: Apache-2.0 */
#include "event/payload.h"

#include <errno.h>

int call_add_memory(const struct call_ctx *cx, struct call_record *c, unsigned arg, uint64_t addr,
		    uint64_t len)
{
	struct sink to;

	if (c->n_out >= CALL_PAYLOADS_MAX)
		return -E2BIG;
	sink_begin(&to, c, arg, NULL);
	return sink_end(&to, sink_mem(&to, cx->mem, addr, len));
}
