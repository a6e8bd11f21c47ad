/* SPDX-License-Identifier: Apache-2.0 */
#include "node/exec.h"

#include "base/cleanup.h"

#include <errno.h>

static size_t strings_count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static void put_strings(struct writer *w, char *const *list)
{
	size_t n = strings_count(list);

	put_u32(w, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_str(w, list[i]);
}

static char **get_strings(struct reader *r)
{
	uint32_t n = get_u32(r);
	char **list;

	if (r->failed || n > EXEC_STRINGS_MAX) {
		r->failed = true;
		return NULL;
	}
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		r->failed = true;
	for (uint32_t i = 0; i < n && !r->failed; i++)
		list[i] = get_str(r, EXEC_STRING_MAX);
	return list;
}

static void free_strings(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

void exec_request_free(struct exec_request *req)
{
	free_strings(req->argv);
	free_strings(req->env);
	free(req->cwd);
	*req = (struct exec_request){0};
}

void exec_request_encode(struct writer *w, const struct exec_request *req)
{
	put_str(w, req->cwd ? req->cwd : "");
	put_strings(w, req->argv);
	put_strings(w, req->env);
}

int exec_request_decode(const uint8_t *body, size_t len, struct exec_request *ret)
{
	struct reader r = reader_of(body, len);
	struct exec_request req = {0};

	if (len > EXEC_TOTAL_MAX)
		return -EPROTO;
	req.cwd = get_str(&r, EXEC_STRING_MAX);
	req.argv = get_strings(&r);
	req.env = get_strings(&r);
	if (!reader_done(&r) || !req.argv[0]) {
		exec_request_free(&req);
		return -EPROTO;
	}
	*ret = req;
	return 0;
}
