/* SPDX-License-Identifier: Apache-2.0 */
/* The table's enumerators as words for people and for JSON. */
#ifndef CHIRAL_CALLS_WORDS_H
#define CHIRAL_CALLS_WORDS_H

#include "calls/table.h"

/* "replayed", "by descriptor", ...; an alias has its canonical row's. */
const char *row_disposition_word(const struct call_row *row);
/* "supported", "partial", "unsupported", "refused". */
const char *call_status_word(unsigned status);

static inline bool row_is_sub(const struct call_row *row)
{
	return row->parent != call_row_id(row);
}

static inline bool row_is_alias(const struct call_row *row)
{
	return row->canonical != call_row_id(row);
}

#endif
