/* SPDX-License-Identifier: Apache-2.0 */
#include "session/facts.h"

#include "isa/isa.h"

#include <errno.h>

struct fact *facts_add(struct facts *f, enum fact_role role, const char *name, const char *path)
{
	struct fact *v, *last;

	if (f->n == FACTS_MAX)
		return NULL;
	v = reallocarray(f->v, f->n + 1, sizeof(*v));
	if (!v)
		return NULL;
	f->v = v;
	last = &v[f->n];
	*last = (struct fact){
		.role = role,
		.name = strdup(name),
		.path = strdup(path),
		.package = strdup(""),
		.version = strdup(""),
	};
	f->n++; /* also when incomplete: facts_free() knows it */
	return last->name && last->path && last->package && last->version ? last : NULL;
}

int fact_set_package(struct fact *f, const char *package, const char *version)
{
	char *p = strdup(package), *v = strdup(version);

	if (!p || !v) {
		free(p);
		free(v);
		return -ENOMEM;
	}
	free(f->package);
	free(f->version);
	f->package = p;
	f->version = v;
	return 0;
}

int facts_copy(const struct facts *from, struct facts *ret)
{
	struct facts f = { .isa = from->isa };

	for (size_t i = 0; i < from->n; i++) {
		const struct fact *o = &from->v[i];
		struct fact *c = facts_add(&f, o->role, o->name, o->path);

		if (!c || fact_set_package(c, o->package, o->version) < 0) {
			facts_free(&f);
			return -ENOMEM;
		}
		c->id_kind = o->id_kind;
		c->id_size = o->id_size;
		memcpy(c->id, o->id, sizeof(c->id));
	}
	*ret = f;
	return 0;
}

void facts_free(struct facts *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].name);
		free(f->v[i].path);
		free(f->v[i].package);
		free(f->v[i].version);
	}
	free(f->v);
	*f = (struct facts){ 0 };
}

void facts_encode(struct writer *w, const struct facts *f)
{
	put_u8(w, f->isa);
	put_u32(w, (uint32_t)f->n);
	for (size_t i = 0; i < f->n; i++) {
		const struct fact *v = &f->v[i];

		put_u8(w, v->role);
		put_u8(w, v->id_kind);
		put_blob(w, v->id, v->id_size);
		put_str(w, v->name);
		put_str(w, v->path);
		put_str(w, v->package);
		put_str(w, v->version);
	}
}

static void decode_one(struct reader *r, struct facts *f)
{
	struct fact v = { .role = get_u8(r), .id_kind = get_u8(r) };
	size_t n;
	const uint8_t *id = get_blob(r, FACT_ID_SIZE_MAX, &n);

	if (id && n)
		memcpy(v.id, id, n);
	v.id_size = id ? (uint8_t)n : 0;
	v.name = get_str(r, FACT_PATH_MAX);
	v.path = get_str(r, FACT_PATH_MAX);
	v.package = get_str(r, FACT_PACKAGE_MAX);
	v.version = get_str(r, FACT_PACKAGE_MAX);
	if (v.role >= _FACT_ROLE_MAX || v.id_kind >= _FACT_ID_MAX ||
	    (v.id_kind == FACT_ID_NONE) != (v.id_size == 0))
		r->failed = true;
	f->v[f->n++] = v;
}

/* role, kind of id, and five lengths */
#define FACT_WIRE_MIN (1 + 1 + 5 * sizeof(uint32_t))

void facts_decode(struct reader *r, struct facts *ret)
{
	struct facts f = { .isa = get_u8(r) };
	size_t n = get_u32(r);

	/* No allocation beyond what came. */
	if (f.isa >= _ISA_MAX || n > FACTS_MAX || n > r->left / FACT_WIRE_MIN)
		r->failed = true;
	if (!r->failed && n && !(f.v = calloc(n, sizeof(*f.v))))
		r->failed = true;
	for (size_t i = 0; i < n && !r->failed; i++)
		decode_one(r, &f);
	if (r->failed)
		facts_free(&f);
	*ret = f;
}
