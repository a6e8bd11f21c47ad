/* SPDX-License-Identifier: Apache-2.0 */
/* What of a recorded call's memory can still be read when it has ended. */
#include "calls/recorded.h"

#include <errno.h>

static uint64_t number_value(const struct record_number *n, const uint64_t *args, int64_t ret)
{
	switch ((enum record_len)n->kind) {
	case RECORD_LEN_CONST:
		return n->value;
	case RECORD_LEN_RET:
		return ret > 0 ? (uint64_t)ret : 0;
	case RECORD_LEN_ARG:
		return n->width == RECORD_S32 || n->width == RECORD_U32 ? (uint32_t)args[n->arg]
									: args[n->arg];
	default:
		return UINT32_MAX; /* unknown: no less than this */
	}
}

/* An upper bound: a description's caps and an iovec's elements are not looked at. */
static uint64_t bytes_of(const struct record_part *p, const uint64_t *args, int64_t ret)
{
	uint64_t n = number_value(&p->len, args, ret);

	if (p->what != RECORD_BYTES)
		return p->what == RECORD_STRING ? RECORD_STRING_MAX : UINT64_MAX;
	if (n > UINT32_MAX)
		return UINT64_MAX;
	return p->flags & RECORD_PART_BITS ? (n + 7) / 8 : n * p->scale;
}

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b ? b - a < a_len : a - b < b_len;
}

static bool is_there(const struct record_part *p, const uint64_t *args)
{
	return args[p->arg] && (!p->with || args[p->with - 1]);
}

static bool is_written(const struct record_part *p, int64_t ret)
{
	return ret >= 0 || ((p->flags & RECORD_PART_ALWAYS) && ret != -EFAULT);
}

bool record_is_overwritten(const struct record_desc *d, uint32_t missing, const uint64_t args[CALL_ARGS_MAX],
			   int64_t ret)
{
	for (unsigned i = 0; i < d->n_entry; i++)
		for (unsigned k = d->n_entry; k < d->n_parts; k++) {
			const struct record_part *in = &d->part[i], *out = &d->part[k];

			if (!(missing >> i & 1) || !is_there(in, args) || !is_there(out, args) ||
			    !is_written(out, ret) ||
			    (in->arg == out->arg &&
			     ((in->flags & RECORD_PART_WHOLE) || record_is_message(in))))
				continue;
			if (overlap(args[in->arg], bytes_of(in, args, ret), args[out->arg],
				    bytes_of(out, args, ret)))
				return true;
		}
	return false;
}
