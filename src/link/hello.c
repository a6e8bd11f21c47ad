/* SPDX-License-Identifier: Apache-2.0 */
#include "calls/table.h"
#include "link/link.h"

#include <assert.h>
#include <unistd.h>

static_assert(sizeof(CALLS_TABLE_DIGEST) > 32, "a digest of at least 128 bits, in hex");

static uint8_t hex_value(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

void hello_init(struct hello *h, const uint8_t *session)
{
	const char *hex = CALLS_TABLE_DIGEST;

	*h = (struct hello){
		.version = PROTOCOL_VERSION,
		.isa = (uint8_t)isa_native,
		.page_size = (uint32_t)sysconf(_SC_PAGESIZE),
	};
	memcpy(h->magic, PROTOCOL_MAGIC, sizeof(h->magic));
	if (session)
		memcpy(h->session, session, sizeof(h->session));
	for (size_t i = 0; i < sizeof(h->table_digest); i++)
		h->table_digest[i] =
			(uint8_t)(hex_value(hex[2 * i]) << 4 | hex_value(hex[2 * i + 1]));
}
