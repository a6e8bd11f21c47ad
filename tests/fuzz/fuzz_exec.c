/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of EXEC and ERROR; the first byte says which. */
#include "fuzz.h"

#include "node/exec.h"
#include "session/peer.h"

#include <errno.h>

static void try_exec(const uint8_t *data, size_t size)
{
	struct exec_request req;
	struct writer w = { 0 };
	int r = exec_request_decode(data, size, &req);

	fuzz_check(r == 0 || r == -EPROTO || r == -ENOMEM);
	if (r < 0)
		return;
	fuzz_check(req.argv && req.argv[0] && req.cwd && req.env);
	exec_request_encode(&w, &req);
	fuzz_check(w.len == size && !memcmp(w.data, data, size));
	writer_free(&w);
	exec_request_free(&req);
}

static void try_error(const uint8_t *data, size_t size)
{
	int status = -1;
	char *text = error_decode(data, size, &status);

	fuzz_check(text && status >= 0 && status <= 255);
	for (const char *c = text; *c; c++)
		fuzz_check((unsigned char)*c >= 0x20 && *c != 0x7f);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		(data[0] & 1 ? try_error : try_exec)(data + 1, size - 1);
	return 0;
}

void fuzz_seeds(void)
{
	char *argv[] = { "ls", "-l", "", NULL }, *env[] = { "A=b", NULL };
	struct exec_request req = { argv, env, "/" };
	struct writer w = { 0 };

	put_u8(&w, 0);
	exec_request_encode(&w, &req);
	fuzz_seed(w.data, w.len);
	writer_reset(&w);
	put_u8(&w, 1);
	error_encode(&w, 125, "no such file\x1b[31m");
	fuzz_seed(w.data, w.len);
	writer_free(&w);
}
