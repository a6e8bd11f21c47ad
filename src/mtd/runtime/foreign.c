/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/runtime/foreign.h"

#include "mtd/runtime/runtime.h"

#include FOREIGN_ROWS

#define ENOSYS 38

/* What the kernel reads or writes in place of what the program points to. A program that points to
 * nothing has the fault itself where x86-64 would say EFAULT; NULL is the kernel's. */
static union {
	char bytes[16384];
	struct {
		int64_t s, part;
	} time[2];
	struct {
		int64_t interval_s, interval_us, s, us;
	} timer;
} in, out;

/* ---- structures and flags -------------------------------------------------------------------- */

static uint64_t load(const char *p, unsigned size, int is_signed)
{
	uint64_t v = 0;

	__builtin_memcpy(&v, p, size);	/* both ISAs are little endian */
	if (is_signed && size == 4)
		v = (uint64_t)(int64_t)(int32_t)v;
	return v;
}

static void to_own(const struct foreign_struct *s, char *to, const char *from)
{
	__builtin_memset(to, 0, s->own_size);
	for (unsigned i = 0; i < s->n; i++) {
		const struct foreign_field *f = &s->field[i];
		uint64_t v = load(from + f->off, f->size, f->is_signed);

		__builtin_memcpy(to + f->own_off, &v, f->own_size);
	}
}

static void from_own(const struct foreign_struct *s, char *to, const char *from)
{
	__builtin_memset(to, 0, s->size);
	for (unsigned i = 0; i < s->n; i++) {
		const struct foreign_field *f = &s->field[i];
		uint64_t v = load(from + f->own_off, f->own_size, f->is_signed);

		__builtin_memcpy(to + f->off, &v, f->size);
	}
}

static long convert_flags(const struct foreign_flags *set, uint64_t v, int to_own_)
{
	uint64_t r = v;

	for (unsigned i = 0; i < set->n; i++)
		r &= ~(uint64_t)(to_own_ ? set->bit[i].from : set->bit[i].own);
	for (unsigned i = 0; i < set->n; i++)
		if (v & (to_own_ ? set->bit[i].from : set->bit[i].own))
			r |= to_own_ ? set->bit[i].own : set->bit[i].from;
	return (long)r;
}

/* ---- before the call ------------------------------------------------------------------------- */

static int is_meant(const struct foreign_call *c, const long *a)
{
	if (c->sub == FOREIGN_SUB_EQUAL)
		return (int)a[0] == (int)a[1];
	return c->sub == FOREIGN_SUB_NONE || (uint32_t)a[c->selector] == c->sub_value;
}

/* Rows are in the order of x86-64's numbers, the one of all other cases last. */
static const struct foreign_call *find(long nr, const long *a)
{
	const struct foreign_call *low = calls, *end = calls + sizeof(calls) / sizeof(*calls), *high = end;

	while (low < high) {
		const struct foreign_call *middle = low + (high - low) / 2;

		if (middle->from < nr)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < end && low->from == nr; low++)
		if (is_meant(low, a))
			return low;
	return NULL;
}

/* n of struct timeval, or of struct utimbuf with unit 0. */
static long times(long from, unsigned n, int unit)
{
	const int64_t *p = (const int64_t *)from;

	if (!p)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		in.time[i].s = p[unit ? 2 * i : i];
		in.time[i].part = unit ? p[2 * i + 1] * unit : 0;
	}
	return (long)in.time;
}

static long milliseconds(int v)
{
	if (v < 0)
		return 0;
	in.time[0].s = v / 1000;
	in.time[0].part = v % 1000 * 1000000l;
	return (long)in.time;
}

/* How many structures are asked for; one that has no room here is not waited for. */
static long room_for(const struct foreign_struct *s, long n)
{
	long most = (long)(sizeof(out) / s->own_size);

	return (int)n > most ? most : n;
}

static void convert(struct foreign *f, unsigned i)
{
	const struct foreign_arg *arg = &f->call->arg[i];
	long v = arg->how == FOREIGN_CONST ? arg->value : f->given[arg->value];

	switch (arg->how) {
	case FOREIGN_FLAGS:
		v = convert_flags(&flag_sets[arg->what], (uint32_t)v, 1);
		break;
	case FOREIGN_STRUCT_IN:
		if (v) {
			to_own(&structs[arg->what], in.bytes, (const char *)v);
			v = (long)in.bytes;
		}
		break;
	case FOREIGN_STRUCTS_OUT:
		f->arg[i + 1] = room_for(&structs[arg->what], f->given[arg->value + 1]);
		/* fallthrough */
	case FOREIGN_STRUCT_OUT:
		v = v ? (long)out.bytes : 0;
		break;
	case FOREIGN_MS:
		v = milliseconds((int)v);
		break;
	case FOREIGN_TIMEVAL:
		v = times(v, 1, 1000);
		break;
	case FOREIGN_TIMEVAL2:
		v = times(v, 2, 1000);
		break;
	case FOREIGN_UTIMBUF:
		v = times(v, 2, 0);
		break;
	case FOREIGN_ALARM:
		__builtin_memset(&in.timer, 0, sizeof(in.timer));
		in.timer.s = (uint32_t)v;
		v = (long)&in.timer;
		break;
	case FOREIGN_TIME:
	case FOREIGN_ALARM_OLD:
		v = (long)out.bytes;
		break;
	}
	f->arg[i] = v;
}

int foreign_begin(struct foreign *ret, long nr, const long *a)
{
	*ret = (struct foreign){ .call = find(nr, a), .given = a };
	if (!ret->call)
		return -ENOSYS;
	ret->nr = ret->call->nr;
	/* From the last one on: an array's room replaces the number behind it. */
	for (unsigned i = 6; i-- > 0;)
		convert(ret, i);
	return 0;
}

/* ---- behind it ------------------------------------------------------------------------------- */

static long finish(const struct foreign *f, const struct foreign_arg *arg, long r)
{
	long given = arg->how == FOREIGN_CONST ? 0 : f->given[arg->value];

	if (arg->how == FOREIGN_STRUCT_OUT && given)
		from_own(&structs[arg->what], (char *)given, out.bytes);
	if (arg->how == FOREIGN_STRUCTS_OUT && given)
		for (long i = 0; i < r; i++)
			from_own(&structs[arg->what], (char *)given + i * structs[arg->what].size,
				 out.bytes + i * structs[arg->what].own_size);
	if (arg->how == FOREIGN_TIMEVAL && given) {
		((int64_t *)given)[0] = in.time[0].s;
		((int64_t *)given)[1] = in.time[0].part / 1000;
	}
	if (arg->how == FOREIGN_TIME) {
		r = out.time[0].s;
		if (given)
			*(int64_t *)given = r;
	}
	/* alarm(2): 0 says that there was none */
	if (arg->how == FOREIGN_ALARM_OLD)
		r = out.timer.s + (out.timer.us >= 500000 || (!out.timer.s && out.timer.us));
	return r;
}

long foreign_end(const struct foreign *f, long r)
{
	if (r < 0)
		return r;
	for (unsigned i = 0; i < 6; i++)
		r = finish(f, &f->call->arg[i], r);
	if (f->call->ret_flags)
		r = convert_flags(&flag_sets[f->call->ret_flags - 1], (uint64_t)r, 0);
	return f->call->ret_arg ? f->given[f->call->ret_arg - 1] : r;
}
