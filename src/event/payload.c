/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Poly1305 as a keyed universal hash: the same key for all messages of a session, which is sound
 * only because no variant ever sees a digest. Two different blocks of 4096 bytes collide with a
 * probability under 2^-90 for whoever does not know the key (Bernstein, "The Poly1305-AES
 * message-authentication code", theorem 3.3).
 */
#include "event/payload.h"

/* Picks libsodium's vectorised code; without it the portable one would run. */
__attribute__((constructor)) static void payload_init(void)
{
	if (sodium_init() < 0)
		abort();
}

void payload_digest(const uint8_t *key, const uint8_t *data, size_t len, uint8_t *ret)
{
	_Static_assert(PAYLOAD_DIGEST_SIZE == crypto_onetimeauth_BYTES, "digest size");
	_Static_assert(SESSION_KEY_SIZE == crypto_onetimeauth_KEYBYTES, "key size");

	do {
		size_t n = len < PAYLOAD_BLOCK ? len : PAYLOAD_BLOCK;

		crypto_onetimeauth(ret, data, n, key);
		ret += PAYLOAD_DIGEST_SIZE;
		data += n;
		len -= n;
	} while (len);
}

uint32_t payload_stored_size(uint8_t form, uint64_t len, bool in)
{
	if (form == PAYLOAD_NULL)
		return 0;
	if (!in || len <= PAYLOAD_INLINE_MAX)
		return (uint32_t)len;
	return (uint32_t)((len + PAYLOAD_BLOCK - 1) / PAYLOAD_BLOCK * PAYLOAD_DIGEST_SIZE);
}
