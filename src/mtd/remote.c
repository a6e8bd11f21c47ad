/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/remote.h"

#include <errno.h>

#define NAME_MAX_SIZE	4096u
#define CONFIG_MAX_SIZE (sizeof(struct mtd_config) + MTD_MAX_FUNCTIONS * sizeof(struct mtd_rate))

void mtd_start_encode(struct writer *w, const struct mtd_start *s)
{
	put_str(w, s->name);
	put_u8(w, (uint8_t)s->isa);
	put_u8(w, (uint8_t)s->how);
	put_blob(w, s->config, s->config_size);
}

/* The runtime reads it from a sealed file: what is wrong there ends the program. */
static bool is_config(const void *data, size_t size)
{
	struct mtd_config c;

	if (size < sizeof(c))
		return false;
	memcpy(&c, data, sizeof(c));
	return c.magic == MTD_CONFIG_MAGIC && !c.local[sizeof(c.local) - 1] && c.n_functions <= MTD_MAX_FUNCTIONS &&
	       size == sizeof(c) + c.n_functions * sizeof(struct mtd_rate);
}

int mtd_points_decode(const uint8_t *body, size_t len, const void **ret_config, size_t *ret_size)
{
	struct reader r = reader_of(body, len);

	*ret_config = get_blob(&r, CONFIG_MAX_SIZE, ret_size);
	return reader_done(&r) && is_config(*ret_config, *ret_size) ? 0 : -EPROTO;
}

int mtd_start_decode(const uint8_t *body, size_t len, struct mtd_start *ret)
{
	struct reader r = reader_of(body, len);
	struct mtd_start s = { .name = get_str(&r, NAME_MAX_SIZE) };
	uint8_t isa = get_u8(&r), how = get_u8(&r);

	s.config = get_blob(&r, CONFIG_MAX_SIZE, &s.config_size);
	s.isa = (enum isa)isa;
	s.how = (enum mtd_how)how;
	if (!reader_done(&r) || isa >= _ISA_MAX || how >= _MTD_HOW_MAX || !is_config(s.config, s.config_size)) {
		free(s.name);
		return -EPROTO;
	}
	*ret = s;
	return 0;
}
