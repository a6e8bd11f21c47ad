/* SPDX-License-Identifier: Apache-2.0 */
#include "calls/words.h"

static const char *const disposition_words[] = {
	[DISP_REPLAYED] = "replayed", [DISP_LOCAL] = "local",
	[DISP_MIRRORED] = "mirrored", [DISP_BY_FD] = "by descriptor",
	[DISP_BY_PATH] = "by path",   [DISP_REFUSED] = "refused",
};

/* Irregular calls are code, but what a user sees of it is one of the usual answers. */
static const char *const irregular_words[_IRR_MAX] = {
	[IRR_MMAP] = "local, or filled with the leader's bytes",
	[IRR_EXECVE] = "mirrored",
	[IRR_CLONE] = "mirrored",
	[IRR_EXIT] = "mirrored",
	[IRR_WAIT] = "mirrored",
	[IRR_CLOSE] = "mirrored",
	[IRR_DUP] = "mirrored",
	[IRR_FDFLAGS] = "mirrored",
	[IRR_SIGNAL] = "mirrored",
	[IRR_KILL] = "replayed",
	[IRR_MPROTECT] = "local, or mirrored when executable",
	[IRR_LIMIT] = "replayed",
	[IRR_SET_TID] = "local",
};

static const char *const status_words[] = {
	[STATUS_SUPPORTED] = "supported",
	[STATUS_PARTIAL] = "partial",
	[STATUS_UNSUPPORTED] = "unsupported",
	[STATUS_REFUSED] = "refused",
};

const char *row_disposition_word(const struct call_row *row)
{
	if (row->disposition == DISP_IRREGULAR)
		return irregular_words[row->irregular];
	return disposition_words[row->disposition];
}

const char *call_status_word(unsigned status)
{
	return status_words[status];
}
