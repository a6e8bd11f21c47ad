/* SPDX-License-Identifier: Apache-2.0 */
#include "event/pathname.h"

#include "isa/isa.h"

#include <string.h>

/* Length of the triplet that p begins with; 0: none. */
static size_t triplet_at(const uint8_t *p, size_t len)
{
	for (int i = 0; i < _ISA_MAX; i++) {
		size_t n = strlen(isa_descs[i].triplet);

		if (n <= len && !memcmp(p, isa_descs[i].triplet, n))
			return n;
	}
	return 0;
}

bool pathname_same(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	while (a_len && b_len) {
		size_t n = triplet_at(a, a_len), m = triplet_at(b, b_len);

		if (!n || !m) {
			if (*a != *b)
				return false;
			n = m = 1;
		}
		a += n;
		a_len -= n;
		b += m;
		b_len -= m;
	}
	return a_len == 0 && b_len == 0;
}
