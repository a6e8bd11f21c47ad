/* SPDX-License-Identifier: Apache-2.0 */
#include "event/memio.h"
#include "event/view.h"

#include <errno.h>

int call_rewrite_path(const struct call_ctx *cx, const struct native_call *n, unsigned arg,
		      const void *bytes, size_t len)
{
	struct call_view v;
	int r = view_init(&v, cx, n);

	if (r < 0)
		return r;
	if (arg >= v.row->n_args || v.row->args[arg].kind != ARG_PATH || !v.raw[arg])
		return -EFAULT;
	return mem_put(cx->mem, v.raw[arg], bytes, len);
}
