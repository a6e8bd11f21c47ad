/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads may come from a file or another machine: what cannot be read is said to be malformed. */
#include "event/msghdr.h"
#include "event/print.h"
#include "event/view.h"

#include <fcntl.h>
#include <sys/socket.h>

#define LIMIT_PER_ELEMENT 8u

static size_t array_limit(const struct emit *e)
{
	return e->limit / LIMIT_PER_ELEMENT ? e->limit / LIMIT_PER_ELEMENT : 1;
}

static void print_malformed(struct emit *e)
{
	emit_word(e, "<malformed>");
}

static uint64_t load_u64(const uint8_t *p, size_t size)
{
	uint64_t x = 0;

	memcpy(&x, p, size < 8 ? size : 8);
	return x;
}

static int64_t load_s64(const uint8_t *p, size_t size)
{
	unsigned shift = size < 8 ? (unsigned)(64 - 8 * size) : 0;

	return (int64_t)(load_u64(p, size) << shift) >> shift;
}

static bool name_ends_in_mode(const char *name)
{
	size_t n = strlen(name);

	return n >= 5 && strcmp(name + n - 5, "_mode") == 0;
}

static void print_field(struct emit *e, const struct field_spec *f, const uint8_t *p)
{
	size_t n = f->canon_size;

	switch ((enum field_kind)f->kind) {
	case FIELD_BYTES:
		while (n && p[n - 1] == 0)
			n--;
		emit_string(e, p, n);
		break;
	case FIELD_FLAGS:
		emit_flags(e, f->what, load_u64(p, n));
		break;
	case FIELD_PTR:
		if (load_u64(p, n))
			emit_word(e, "<pointer>");
		else
			emit_null(e);
		break;
	case FIELD_UINT:
		if (name_ends_in_mode(f->name))
			emit_octal(e, load_u64(p, n));
		else
			emit_u64(e, load_u64(p, n));
		break;
	default:
		emit_s64(e, load_s64(p, n));
	}
}

static void print_struct(struct emit *e, const struct struct_spec *s, bool in, const uint8_t *p)
{
	/* A struct that stands for one number is shown as that. */
	if (s->n_fields == 1 && s->fields[0].canon_size) {
		print_field(e, &s->fields[0], p);
		return;
	}
	emit_begin(e, '{');
	for (unsigned i = 0; i < s->n_fields; i++) {
		const struct field_spec *f = &s->fields[i];

		if (f->canon_size == 0 || (in && (f->dir == DIR_OUT || f->kind == FIELD_COOKIE)))
			continue;
		emit_key(e, f->name);
		print_field(e, f, p + f->canon_off);
	}
	emit_end(e, '}');
}

/* "..." after the last element shown; JSON just ends. */
static void print_more(struct emit *e)
{
	if (e->json)
		return;
	emit_item(e);
	emit_word(e, "...");
}

static void print_structs(struct emit *e, const struct arg_spec *a, bool in, const uint8_t *p,
			  size_t len)
{
	const struct struct_spec *s = &struct_specs[a->what];
	bool single = a->len.kind == LEN_ONE || (a->len.kind == LEN_CONST && a->len.value == 1);

	if (s->canon_size == 0 || len % s->canon_size || (single && len > s->canon_size)) {
		/* utimensat's pair made of one struct is two; anything else is not ours. */
		print_malformed(e);
		return;
	}
	if (single && len) {
		print_struct(e, s, in, p);
		return;
	}
	emit_begin(e, '[');
	for (size_t i = 0; i < len / s->canon_size; i++) {
		if (i == array_limit(e)) {
			print_more(e);
			break;
		}
		emit_item(e);
		print_struct(e, s, in, p + i * s->canon_size);
	}
	emit_end(e, ']');
}

static void print_strings(struct emit *e, const uint8_t *p, size_t len)
{
	emit_begin(e, '[');
	for (size_t i = 0; len; i++) {
		size_t n = strnlen((const char *)p, len), whole = n < len ? n + 1 : n;

		if (i == 4 * array_limit(e)) {
			print_more(e);
			break;
		}
		emit_item(e);
		emit_string(e, p, n);
		p += whole;
		len -= whole;
	}
	emit_end(e, ']');
}

/* Numbers of the bits that are set, counted from first. */
static void print_bits(struct emit *e, const uint8_t *p, size_t len, unsigned first, bool signals)
{
	emit_begin(e, '[');
	for (size_t i = 0; i < len * 8; i++) {
		if (!(p[i / 8] >> i % 8 & 1))
			continue;
		emit_item(e);
		if (signals)
			emit_signal(e, (int)(i + first));
		else
			emit_u64(e, i + first);
	}
	emit_end(e, ']');
}

static void print_ints(struct emit *e, const uint8_t *p, size_t len)
{
	emit_begin(e, '[');
	for (size_t i = 0; i + 4 <= len; i += 4) {
		emit_item(e);
		emit_s64(e, load_s64(p + i, 4));
	}
	emit_end(e, ']');
}

static void print_controls(struct emit *e, struct reader controls)
{
	struct msg_control c;

	emit_begin(e, '[');
	while (msg_next_control(&controls, &c) > 0) {
		bool fds = c.level == SOL_SOCKET && c.type == SCM_RIGHTS;

		emit_item(e);
		emit_begin(e, '{');
		emit_key(e, "cmsg_level");
		emit_u64(e, c.level);
		emit_key(e, "cmsg_type");
		if (fds)
			emit_word(e, "SCM_RIGHTS");
		else
			emit_u64(e, c.type);
		emit_key(e, "cmsg_data");
		if (fds)
			print_ints(e, c.data, c.len);
		else
			emit_string(e, c.data, c.len);
		emit_end(e, '}');
	}
	emit_end(e, ']');
}

static void print_message(struct emit *e, bool sent, struct msg_parts *m)
{
	emit_begin(e, '{');
	if (m->name_size) {
		emit_key(e, "msg_name");
		print_sockaddr(e, m->name, m->name_size);
	}
	emit_key(e, "msg_data");
	emit_string(e, m->data, m->size);
	if (m->control_space) {
		emit_key(e, "msg_control");
		print_controls(e, m->controls);
	}
	if (!sent) {
		emit_key(e, "msg_flags");
		emit_flags(e, FLAGS_MSG, m->flags);
	}
	emit_end(e, '}');
}

static void print_room(struct emit *e, uint64_t bytes)
{
	emit_word(e, "<room for %llu bytes>", (unsigned long long)bytes);
}

static void print_messages(struct emit *e, const struct arg_spec *a, bool in, const uint8_t *p,
			   size_t len)
{
	bool many = a->kind == ARG_MMSGHDR, sent = !spec_receives(a);
	struct reader r = reader_of(p, len);
	struct msg_parts m;

	if (many)
		emit_begin(e, '[');
	for (size_t i = 0; r.left; i++) {
		if (i == array_limit(e)) {
			print_more(e);
			break;
		}
		if (many)
			emit_item(e);
		if (in && !sent) {
			get_u64(&r);
			print_room(e, get_u64(&r));
		} else if (sent && !in) {
			emit_u64(e, get_u32(&r));
		} else {
			if (!in && many)
				get_u32(&r);
			if ((sent ? msg_parse_sent : msg_parse_received)(&r, &m) < 0) {
				print_malformed(e);
				break;
			}
			print_message(e, sent, &m);
		}
	}
	if (many)
		emit_end(e, ']');
}

static void print_bytes(struct emit *e, const struct arg_spec *a, bool in, const uint8_t *p,
			size_t len)
{
	switch ((enum arg_kind)a->kind) {
	case ARG_PATH:
		emit_whole_string(e, p, len);
		break;
	case ARG_STRV:
		print_strings(e, p, len);
		break;
	case ARG_STRUCT:
		print_structs(e, a, in, p, len);
		break;
	case ARG_IOVEC:
		if (in && !(a->dir & DIR_IN))
			print_room(e, load_u64(p, len));
		else
			emit_string(e, p, len);
		break;
	case ARG_MSGHDR:
	case ARG_MMSGHDR:
		print_messages(e, a, in, p, len);
		break;
	case ARG_SOCKADDR:
		print_sockaddr(e, p, len);
		break;
	case ARG_LENPTR:
		emit_u64(e, load_u64(p, len));
		break;
	case ARG_FDPAIR:
		print_ints(e, p, len);
		break;
	case ARG_FDSET:
		print_bits(e, p, len, 0, false);
		break;
	case ARG_SIGSET:
	case ARG_SIGSETPAIR:
		print_bits(e, p, len, 1, true);
		break;
	default:
		emit_string(e, p, len);
	}
}

static void print_payload(struct emit *e, const struct call_record *c, const struct payload *p,
			  bool in)
{
	const struct arg_spec *a = &call_rows[c->id].args[p->arg];

	if (p->form == PAYLOAD_FAULT)
		emit_word(e, "<unreadable after %u bytes>", p->len);
	else if (p->form == PAYLOAD_DIGEST)
		emit_word(e, "<%u bytes>", p->len);
	else
		print_bytes(e, a, in, payload_data(c, p), p->size);
}

/* Sub-calls are named after their selector; of two selectors the second. */
static bool print_selector(struct emit *e, const struct call_record *c, unsigned i)
{
	const struct call_row *row = &call_rows[c->id];
	const char *name = strchr(row->name, '$');

	if (!name || (i + 1 < row->n_args && row->args[i + 1].kind == ARG_CMD))
		return false;
	emit_word(e, "%s", name + 1);
	return true;
}

static void print_scalar(struct emit *e, const struct call_record *c, unsigned i)
{
	const struct arg_spec *a = &call_rows[c->id].args[i];
	uint64_t x = c->arg[i];

	switch ((enum arg_kind)a->kind) {
	case ARG_DIRFD:
		if ((int64_t)x == AT_FDCWD)
			emit_word(e, "AT_FDCWD");
		else
			emit_s64(e, (int64_t)x);
		break;
	case ARG_CMD:
		if (!print_selector(e, c, i))
			emit_u64(e, x);
		break;
	case ARG_FLAGS:
		emit_flags(e, a->what, x);
		break;
	case ARG_MODE:
		emit_octal(e, x);
		break;
	case ARG_SIGNAL:
		emit_signal(e, (int)(int64_t)x);
		break;
	case ARG_UINT:
	case ARG_ULONG:
		emit_u64(e, x);
		break;
	case ARG_UID:
		emit_s64(e, (int32_t)x);
		break;
	case ARG_IGNORED:
		emit_word(e, "_");
		break;
	default:
		emit_s64(e, (int64_t)x);
	}
}

static void print_pointer(struct emit *e, const struct call_record *c, unsigned i)
{
	const struct arg_spec *a = &call_rows[c->id].args[i];
	const struct payload *in = call_in_of(c, i), *out = c->has_exit ? call_out_of(c, i) : NULL;

	if (!c->arg[i] && !in && !out) {
		emit_null(e);
	} else if (!in && !out) {
		emit_word(e, "<pointer>");
	} else if (in && out && (a->dir & DIR_IN)) {
		if (e->json)
			emit_begin(e, '{');
		if (e->json)
			emit_key(e, "in");
		print_payload(e, c, in, true);
		if (e->json)
			emit_key(e, "out");
		else
			emit_word(e, " => ");
		print_payload(e, c, out, false);
		if (e->json)
			emit_end(e, '}');
	} else {
		print_payload(e, c, out ? out : in, !out);
	}
}

void print_arg(struct emit *e, const struct call_record *c, unsigned i)
{
	if (kind_is_pointer(call_rows[c->id].args[i].kind))
		print_pointer(e, c, i);
	else
		print_scalar(e, c, i);
}
