/* SPDX-License-Identifier: Apache-2.0 */
#include "calls/filter.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "calls/recorded.h"
#include "calls/table.h"

#include <errno.h>
#include <limits.h>
#include <linux/mman.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>

/* TRACE and NOTIFY exist since this level (Linux 5.0). Set by hand, because libseccomp would else ask
 * the running kernel, and filters are also built where they do not run. */
#define API_LEVEL 5

struct filter_build {
	scmp_filter_ctx ctx;
	enum isa isa;
	enum filter_role role;
};

static void cleanup_ctx_fn(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

static uint32_t isa_scmp_arch(enum isa isa)
{
	/* SCMP_ARCH_* are the kernel's AUDIT_ARCH_*. */
	return isa_descs[isa].audit_arch;
}

/*
 * libseccomp takes numbers of the architecture that it was built for, or its own negative ones, and
 * translates them. Its tables end at Linux 5.17: later calls of a foreign ISA have no rule, and meet
 * the default, which is stricter.
 */
static bool row_scmp_nr(const struct filter_build *b, const struct call_row *row, int *ret)
{
	char name[64];
	size_t len = strcspn(row->name, "$");

	if (b->isa == isa_native) {
		*ret = row->nr[b->isa];
		return true;
	}
	if (len >= sizeof(name))
		return false;
	memcpy(name, row->name, len);
	name[len] = '\0';
	*ret = seccomp_syscall_resolve_name(name);
	return *ret != __NR_SCMP_ERROR;
}

static int rule_add(const struct filter_build *b, const struct call_row *row, uint32_t action,
		    const struct scmp_arg_cmp *conds, unsigned n)
{
	int nr, r;

	if (!row_scmp_nr(b, row, &nr))
		return 0;
	r = seccomp_rule_add_exact_array(b->ctx, action, nr, n, conds);
	if (r < 0)
		log_error("the seccomp rule for %s on %s was refused: %s", row->name,
			  isa_descs[b->isa].name, strerror(-r));
	return r;
}

static uint32_t action_stop(enum filter_role role)
{
	return role == FILTER_FOLLOWER ? SCMP_ACT_NOTIFY : SCMP_ACT_TRACE(0);
}

static bool row_needs_tracer(const struct filter_build *b, const struct call_row *row)
{
	if (row->flags & CALL_TRACED)
		return b->role == FILTER_FOLLOWER;
	return row->irregular == IRR_EXECVE || row->irregular == IRR_CLONE ||
	       row->irregular == IRR_WAIT || row->irregular == IRR_SET_TID ||
	       (row->disposition == DISP_REFUSED && row->flags & CALL_WATCHED);
}

/* What happens to a call of the row; irregular calls may have exceptions that depend on arguments. */
static uint32_t row_action(const struct filter_build *b, const struct call_row *row)
{
	if (row->disposition == DISP_LOCAL &&
	    (b->role == FILTER_FOLLOWER || !(row->flags & CALL_WATCHED)))
		return SCMP_ACT_ALLOW;
	/* Unsupported calls go to the monitor, which names them once. */
	if (row->disposition == DISP_REFUSED && row->status == STATUS_REFUSED &&
	    !(row->flags & CALL_WATCHED))
		return SCMP_ACT_ERRNO(row->refuse_errno);
	if (row_needs_tracer(b, row))
		return SCMP_ACT_TRACE(0);
	return action_stop(b->role);
}

static struct scmp_arg_cmp masked_eq(unsigned arg, uint64_t mask, uint64_t value)
{
	return (struct scmp_arg_cmp){ arg, SCMP_CMP_MASKED_EQ, mask, value };
}

static int find_arg(const struct call_row *row, const char *name)
{
	for (int i = 0; i < row->n_args; i++)
		if (!strcmp(row->args[i].name, name))
			return i;
	return -EINVAL;
}

/* Memory that is neither executable nor a file's concerns nobody else. */
static int add_memory_exception(const struct filter_build *b, const struct call_row *row)
{
	struct scmp_arg_cmp conds[2];
	unsigned n = 0;
	int prot = find_arg(row, "prot"), flags = find_arg(row, "flags"), r;

	if (prot < 0 || (row->irregular == IRR_MMAP && flags < 0))
		return -EINVAL;
	if (row->irregular == IRR_MMAP && b->role == FILTER_FOLLOWER) {
		/* A virtual file's mapping becomes an anonymous one: arguments change. Two rules of the
		 * same shape as the one below, for libseccomp orders conditions by argument. */
		conds[1] = masked_eq((unsigned)flags, MAP_ANONYMOUS, 0);
		for (uint64_t exec = 0; exec <= PROT_EXEC; exec += PROT_EXEC) {
			conds[0] = masked_eq((unsigned)prot, PROT_EXEC, exec);
			r = rule_add(b, row, SCMP_ACT_TRACE(0), conds, 2);
			if (r < 0)
				return r;
		}
	}
	conds[n++] = masked_eq((unsigned)prot, PROT_EXEC, 0);
	if (row->irregular == IRR_MMAP)
		conds[n++] = masked_eq((unsigned)flags, MAP_ANONYMOUS, MAP_ANONYMOUS);
	return rule_add(b, row, SCMP_ACT_ALLOW, conds, n);
}

/* Selectors are int in the kernel: the upper halves of their registers do not count. Arguments of
 * null_args have to be 0. */
static int add_sub_rule(const struct filter_build *b, const struct call_row *sub, uint32_t action,
			uint32_t null_args)
{
	const struct call_row *parent = &call_rows[sub->parent];
	const uint32_t values[2] = { sub->sub_value, sub->sub_value2 };
	struct scmp_arg_cmp conds[CALL_ARGS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < parent->n_args && n < 2; i++) {
		if (parent->args[i].kind != ARG_CMD)
			continue;
		conds[n] = masked_eq(i, UINT32_MAX, values[n]);
		n++;
	}
	for (unsigned i = 0; i < CALL_ARGS_MAX && n < CALL_ARGS_MAX; i++)
		if (null_args >> i & 1)
			conds[n++] = masked_eq(i, UINT64_MAX, 0);
	return rule_add(b, sub, action, conds, n);
}

/* What the kernel records runs; the rest of the row stops, as by default. */
static int add_recorded(const struct filter_build *b, const struct call_row *row,
			const struct record_desc *d)
{
	struct scmp_arg_cmp conds[CALL_ARGS_MAX];
	struct record_desc parent;
	unsigned n = 0;

	if (row->parent != call_row_id(row))
		return record_describe(b->isa, &call_rows[row->parent], &parent)
			       ? 0 /* one rule for all */
			       : add_sub_rule(b, row, SCMP_ACT_ALLOW, d->null_args);
	for (unsigned i = 0; i < CALL_ARGS_MAX; i++)
		if (d->null_args >> i & 1)
			conds[n++] = masked_eq(i, UINT64_MAX, 0);
	return rule_add(b, row, SCMP_ACT_ALLOW, conds, n);
}

/*
 * Parents and their sub-calls share a number. libseccomp gives a rule without conditions precedence over
 * those with, so where sub-rows differ, only they get rules, and the parent has to be a default stop.
 */
static int add_row(const struct filter_build *b, const struct call_row *row, uint32_t def)
{
	uint32_t action = row_action(b, row);
	struct record_desc d;
	int r;

	if (row->nr[b->isa] < 0)
		return 0;
	if (b->role == FILTER_LEADER_RECORDED && record_describe(b->isa, row, &d))
		return add_recorded(b, row, &d);
	if (row->parent != call_row_id(row)) {
		if (action == def || (row->flags & CALL_SUB_EQUAL))
			return 0;
		return add_sub_rule(b, row, action, 0);
	}
	if (row->flags & CALL_PARENT)
		return 0;
	if (row->irregular == IRR_MMAP || row->irregular == IRR_MPROTECT) {
		r = add_memory_exception(b, row);
		if (r < 0)
			return r;
	}
	return action == def ? 0 : rule_add(b, row, action, NULL, 0);
}

static int build_rules(struct filter_build *b)
{
	uint32_t def = action_stop(b->role);
	int r;

	for (unsigned id = 0; id < _CALL_MAX; id++) {
		r = add_row(b, &call_rows[id], def);
		if (r < 0)
			return r;
	}
	return 0;
}

static int build_open(struct filter_build *b)
{
	uint32_t arch = isa_scmp_arch(b->isa);
	int r;

	if (seccomp_api_set(API_LEVEL) < 0)
		return -EOPNOTSUPP;
	b->ctx = seccomp_init(action_stop(b->role));
	if (!b->ctx)
		return -ENOMEM;
	if (arch != seccomp_arch_native()) {
		r = seccomp_arch_add(b->ctx, arch);
		if (r < 0)
			return r;
		r = seccomp_arch_remove(b->ctx, seccomp_arch_native());
		if (r < 0)
			return r;
	}
	r = seccomp_attr_set(b->ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r < 0)
		return r;
	/* 2: a tree by number instead of a list, since this runs at every call. */
	return seccomp_attr_set(b->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
}

static int export_program(struct filter_build *b, struct sock_fprog *ret)
{
	cleanup_close int fd = memfd_create("chiral-filter", MFD_CLOEXEC);
	cleanup_free struct sock_filter *code = NULL;
	ssize_t n;
	off_t size;
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(b->ctx, fd);
	if (r < 0)
		return r;
	size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || size % (off_t)sizeof(*code) || size / (off_t)sizeof(*code) > BPF_MAXINSNS)
		return -E2BIG;
	code = malloc((size_t)size);
	if (!code)
		return -ENOMEM;
	n = pread(fd, code, (size_t)size, 0);
	if (n != size)
		return n < 0 ? -errno : -EIO;
	ret->len = (unsigned short)((size_t)size / sizeof(*code));
	ret->filter = take_ptr(&code);
	return 0;
}

int filter_build(enum isa isa, enum filter_role role, struct sock_fprog *ret)
{
	cleanup(cleanup_ctx_fn) scmp_filter_ctx ctx = NULL;
	struct filter_build b = { .isa = isa, .role = role };
	int r;

	r = build_open(&b);
	ctx = b.ctx;
	if (r == 0)
		r = build_rules(&b);
	if (r == 0)
		r = export_program(&b, ret);
	if (r < 0)
		log_error("the seccomp filter for a %s %s cannot be built: %s", isa_descs[isa].name,
			  role == FILTER_FOLLOWER ? "follower" : "leader", strerror(-r));
	return r;
}

void filter_free(struct sock_fprog *prog)
{
	free(prog->filter);
	*prog = (struct sock_fprog){ 0 };
}
