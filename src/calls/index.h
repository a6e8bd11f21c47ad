/* SPDX-License-Identifier: Apache-2.0 */
/* The generated index from native numbers to rows; only table.c needs it. */
#ifndef CHIRAL_CALLS_INDEX_H
#define CHIRAL_CALLS_INDEX_H

#include "calls/table.h"

/* 0: no row; else 1 + enum call_id. */
extern const uint16_t call_id_by_nr[_ISA_MAX][CALL_NR_MAX];

#endif
