/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link.h"

static const struct {
	const char *name;
	const char *text;
} types[_FRAME_TYPE_MAX] = {
#define X(type, what) [FRAME_##type] = { #type, what },
	FRAME_TYPES(X)
#undef X
};

const char *frame_type_name(enum frame_type type)
{
	return (unsigned)type < _FRAME_TYPE_MAX ? types[type].name : "?";
}

const char *frame_type_text(enum frame_type type)
{
	return (unsigned)type < _FRAME_TYPE_MAX ? types[type].text : "?";
}
