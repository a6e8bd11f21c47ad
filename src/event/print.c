/* SPDX-License-Identifier: Apache-2.0 */
#include "event/print.h"
#include "event/names.h"
#include "event/view.h"

#include <inttypes.h>

static void print_error(struct emit *e, int64_t ret)
{
	const char *name = errno_name((int)-ret);

	if (name)
		emit_word(e, "-1 %s (%s)", name, errno_text((int)-ret));
	else
		emit_word(e, "-1 (errno %d)", (int)-ret);
}

static void print_ret(struct emit *e, const struct call_record *c)
{
	const struct call_row *row = &call_rows[c->id];

	if (!c->has_exit) {
		emit_word(e, "?");
	} else if (ret_is_error(c->ret)) {
		print_error(e, c->ret);
	} else if (row->flags & CALL_RET_ADDR) {
		emit_word(e, "<address>");
	} else if (row->ret_flags) {
		emit_word(e, "0x%" PRIx64 " (flags ", (uint64_t)c->ret);
		emit_flags(e, row->ret_flags - 1u, (uint64_t)c->ret);
		emit_word(e, ")");
	} else {
		emit_s64(e, c->ret);
	}
}

void call_print_limit(FILE *f, const struct call_record *c, size_t limit)
{
	struct emit e = {.limit = limit};
	const struct call_row *row = &call_rows[c->id];

	emit_word(&e, "%.*s(", (int)strcspn(row->name, "$"), row->name);
	for (unsigned i = 0; i < row->n_args; i++) {
		if (i)
			emit_word(&e, ", ");
		print_arg(&e, c, i);
	}
	emit_word(&e, ") = ");
	print_ret(&e, c);
	fwrite(e.w.data, 1, e.w.len, f);
	writer_free(&e.w);
}

void call_print(FILE *f, const struct call_record *c)
{
	call_print_limit(f, c, CALL_PRINT_LIMIT);
}

static void print_json_ret(struct writer *w, const struct call_record *c)
{
	const char *name = ret_is_error(c->ret) ? errno_name((int)-c->ret) : NULL;

	json_key(w, "ret");
	if (c->has_exit)
		json_s64(w, c->ret);
	else
		json_null(w);
	if (c->has_exit && name) {
		json_key(w, "errno");
		json_cstr(w, name);
	}
}

void call_print_json(FILE *f, const struct call_record *c)
{
	struct emit e = {.limit = CALL_PRINT_LIMIT, .json = true};
	const struct call_row *row = &call_rows[c->id];

	json_begin_object(&e.w);
	json_key(&e.w, "call");
	json_cstr(&e.w, row->name);
	json_key(&e.w, "args");
	json_begin_object(&e.w);
	for (unsigned i = 0; i < row->n_args; i++) {
		json_key(&e.w, row->args[i].name);
		print_arg(&e, c, i);
	}
	json_end_object(&e.w);
	print_json_ret(&e.w, c);
	json_end_object(&e.w);
	fwrite(e.w.data, 1, e.w.len, f);
	writer_free(&e.w);
}
