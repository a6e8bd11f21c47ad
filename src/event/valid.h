/* SPDX-License-Identifier: Apache-2.0 */
/* What a record of a row may hold. Internal to src/event. */
#ifndef CHIRAL_EVENT_VALID_H
#define CHIRAL_EVENT_VALID_H

#include "event/call.h"

/* id is a row that appears in events. */
bool valid_id(unsigned id);
/* x can be the canonical value of an argument of this kind. */
bool valid_scalar(const struct arg_spec *s, uint64_t x);
/* An in- or out-payload of this form and length can belong to argument s. */
bool valid_payload(const struct arg_spec *s, bool in, uint8_t form, uint64_t len);

#endif
