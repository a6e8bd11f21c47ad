/* SPDX-License-Identifier: Apache-2.0 */
#include "event/valid.h"
#include "event/view.h"

#define STRV_MAX (16u << 20) /* no vector of strings that execve takes is longer */

bool valid_id(unsigned id)
{
	return id < _CALL_MAX && call_rows[id].canonical == id;
}

bool valid_scalar(const struct arg_spec *s, uint64_t x)
{
	switch ((enum arg_kind)s->kind) {
	case ARG_NONE:
	case ARG_IGNORED:
		return x == 0;
	case ARG_INT:
	case ARG_FD:
	case ARG_DIRFD:
	case ARG_PID:
	case ARG_SIGNAL:
		return (int64_t)x == (int32_t)x;
	case ARG_UINT:
	case ARG_MODE:
	case ARG_UID:
	case ARG_CMD:
		return x == (uint32_t)x;
	case ARG_LONG:
	case ARG_ULONG:
	case ARG_FLAGS:
		return true;
	default:
		return x <= 1;
	}
}

static bool valid_struct_len(const struct arg_spec *s, uint64_t len)
{
	uint64_t size = struct_specs[s->what].canon_size;

	if (size == 0)
		return len == 0;
	return len % size == 0 && len / size <= STRUCT_COUNT_MAX;
}

/* Lengths of whole payloads; a fault may have cut one anywhere below. */
static bool valid_length(const struct arg_spec *s, bool in, uint64_t len, bool whole)
{
	switch ((enum arg_kind)s->kind) {
	case ARG_PATH:
	case ARG_STR:
		return len <= STRING_MAX;
	case ARG_STRV:
		return len <= STRV_MAX;
	case ARG_STRUCT:
		return valid_struct_len(s, len);
	case ARG_IOVEC:
		return !in || (s->dir & DIR_IN) || (whole ? len == 8 : len <= 8);
	case ARG_MSGHDR:
		return !in || !spec_receives(s) || (whole ? len == 16 : len <= 16);
	case ARG_SOCKADDR:
		return len <= SOCKADDR_MAX;
	case ARG_LENPTR:
		return whole ? len == 4 : len <= 4;
	case ARG_FDPAIR:
		return whole ? len == 8 : len <= 8;
	case ARG_FDSET:
		return len <= FDSET_BITS_MAX / 8;
	case ARG_SIGSET:
	case ARG_SIGSETPAIR:
		return len <= SOCKADDR_MAX;
	default:
		return true;
	}
}

static bool valid_direction(const struct arg_spec *s, bool in)
{
	/* The bytes behind an address that the call gave: call_add_memory(). */
	if (s->kind == ARG_IGNORED)
		return !in;
	/* What the kernel puts before the arguments of a script: script_note(). */
	if (s->kind == ARG_STRV && !in)
		return true;
	if (s->kind < ARG_PATH)
		return false;
	if (in)
		return (s->dir & DIR_IN) || s->kind == ARG_IOVEC || s->kind == ARG_MSGHDR ||
		       s->kind == ARG_MMSGHDR || s->kind == ARG_LENPTR;
	return (s->dir & DIR_OUT) || s->kind == ARG_MMSGHDR;
}

bool valid_payload(const struct arg_spec *s, bool in, uint8_t form, uint64_t len)
{
	if (!valid_direction(s, in) || len > PAYLOAD_MAX)
		return false;
	switch ((enum payload_form)form) {
	case PAYLOAD_BYTES:
		return (!in || len <= PAYLOAD_INLINE_MAX) && valid_length(s, in, len, true);
	case PAYLOAD_DIGEST:
		return in && len > PAYLOAD_INLINE_MAX && valid_length(s, in, len, true);
	case PAYLOAD_FAULT:
		return valid_length(s, in, len, false);
	default:
		return false;
	}
}
