/* SPDX-License-Identifier: Apache-2.0 */
#include "event/memio.h"
#include "event/view.h"

int call_in_cookie(const struct call_ctx *cx, const struct native_call *n, uint64_t *ret)
{
	for (unsigned i = 0; i < n->canon->n_args; i++) {
		const struct arg_spec *s = &n->canon->args[i];
		const struct struct_spec *t;
		struct call_view v;

		if (s->kind != ARG_STRUCT || !(s->dir & DIR_IN) || s->len.kind != LEN_ONE)
			continue;
		t = &struct_specs[s->what];
		for (unsigned k = 0; k < t->n_fields; k++) {
			const struct field_spec *f = &t->fields[k];
			uint64_t cookie = 0;

			if (f->kind != FIELD_COOKIE || f->size[cx->isa] > sizeof(cookie))
				continue;
			if (view_init(&v, cx, n) < 0 || !v.raw[i] ||
			    mem_get(cx->mem, v.raw[i] + f->off[cx->isa], &cookie, f->size[cx->isa],
				    NULL) < 0)
				return 0;
			*ret = cookie;
			return 1;
		}
	}
	return 0;
}
