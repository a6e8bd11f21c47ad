/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/remote.h"

#include <errno.h>

#define CONFIG_MAX_SIZE (sizeof(struct mtd_config) + MTD_MAX_FUNCTIONS * sizeof(struct mtd_rate))

void mtd_start_encode(struct writer *w, const struct mtd_start *s)
{
	struct writer program = { 0 };

	exec_request_encode(&program, &s->program);
	put_blob(w, program.data, program.len);
	w->failed |= program.failed;
	writer_free(&program);
	put_u8(w, (uint8_t)s->isa);
	put_u8(w, (uint8_t)s->how);
	put_u8(w, s->home);
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
	struct mtd_start s = { 0 };
	size_t size;
	const void *program = get_blob(&r, EXEC_TOTAL_MAX, &size);
	uint8_t isa = get_u8(&r), how = get_u8(&r), home = get_u8(&r);

	s.config = get_blob(&r, CONFIG_MAX_SIZE, &s.config_size);
	s.isa = (enum isa)isa;
	s.how = (enum mtd_how)how;
	s.home = home;
	if (!reader_done(&r) || isa >= _ISA_MAX || how >= _MTD_HOW_MAX || home > 1 ||
	    !is_config(s.config, s.config_size))
		return -EPROTO;
	if (exec_request_decode(program, size, &s.program) < 0)
		return -EPROTO;
	*ret = s;
	return 0;
}
