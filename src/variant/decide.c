/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/decide.h"

#include "session/start.h"
#include "variant/localpath.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <linux/close_range.h>
#include <sys/ioctl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/random.h>

/* asm-generic's O_CLOEXEC; SOCK_, EFD_, EPOLL_, TFD_, SFD_ and MFD flags: see row.cloexec_arg */
#define CANON_O_CLOEXEC 02000000u
#define NEW_FDS_MAX 256 /* SCM_MAX_FD is 253 (unix(7)) */

/*
 * clone(2) flags that no variant gets: a child that its monitor does not trace, namespaces, and a
 * descriptor of a process, which is not translated.
 */
#define CLONE_REFUSED                                                                              \
	(CLONE_UNTRACED | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |             \
	 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PIDFD)

const char *call_path(const struct call_record *c, unsigned arg)
{
	static char path[START_PATH_MAX];
	const struct payload *p = call_in_of(c, arg);

	if (!p || p->form != PAYLOAD_BYTES || p->size >= sizeof(path))
		return NULL;
	memcpy(path, payload_data(c, p), p->size);
	path[p->size] = 0;
	return path;
}

static struct verdict_of_call local_or_compare(bool local)
{
	return (struct verdict_of_call){ .decision = local ? DECIDE_LOCAL : DECIDE_COMPARE };
}

static bool path_has_dotdot(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == 0 || p[2] == '/'))
			return true;
	return false;
}

/* Opening for writing is never a variant's own affair. */
static bool opens_for_writing(const struct call_record *c)
{
	uint64_t flags = c->id == CALL_OPENAT ? c->arg[2] : 0;

	/* openat2's flags are behind a pointer; no loader uses it. */
	return c->id == CALL_OPENAT2 || (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
}

/* Is there a folder of that name? The loader asks before it looks for libraries in it, and adds the names of
 * ISAs to what a program or its user gives it (DT_RUNPATH, LD_LIBRARY_PATH). */
static bool looks_for_folder(const struct call_record *c, const char *path, bool by_loader)
{
	return by_loader && c->id == CALL_NEWFSTATAT && path[0] == '/';
}

/* As the C library's malloc opens it; so do readers that could as well be given their own node's. */
static bool asks_for_malloc(const struct call_record *c, const char *path)
{
	return c->id == CALL_OPENAT && c->arg[2] == CANON_O_CLOEXEC && localpath_is_malloc_setting(path);
}

static struct verdict_of_call by_path(const struct call_row *row, const struct call_record *c,
				      const struct vdt *vdt, const struct loader *loader,
				      bool by_loader, char *const *extra)
{
	const char *path = call_path(c, row->subject);
	struct verdict_of_call v = { .decision = DECIDE_COMPARE };

	if (!path || opens_for_writing(c))
		return v;
	if (localpath_match(path, extra, by_loader) || looks_for_folder(c, path, by_loader) ||
	    asks_for_malloc(c, path) || (loader->python && localpath_is_python_module(path))) {
		v.decision = DECIDE_LOCAL;
		v.local_path = path;
	} else if (row->fd_of_path && path[0] != '/' && !(row->flags & CALL_RET_FD) &&
		   !path_has_dotdot(path)) {
		/* fstat(2) in its *at form: an empty or relative name below a local directory.
		 * Opening such a name is compared: where it leads, only the kernel would know. */
		v = local_or_compare(vdt_is_local(vdt, (int)c->arg[row->fd_of_path - 1]));
	}
	return v;
}

/* What is changed through a local descriptor (fchmod, FS_IOC_SETFLAGS) is no variant's own affair. */
static bool by_fd(const struct call_row *row, const struct call_record *c, const struct vdt *vdt)
{
	return !(row->flags & CALL_OUTPUT) && vdt_is_local(vdt, (int)c->arg[row->subject]);
}

static struct verdict_of_call irregular(const struct call_row *row, const struct call_record *c,
					const struct vdt *vdt)
{
	switch ((enum irregular)row->irregular) {
	case IRR_MMAP:
		if (c->arg[3] & MAP_ANONYMOUS)
			return local_or_compare(!(c->arg[2] & PROT_EXEC));
		return local_or_compare(vdt_is_local(vdt, (int)c->arg[4]));
	case IRR_MPROTECT:
		return local_or_compare(!(c->arg[2] & PROT_EXEC));
	case IRR_CLOSE:
		if (row->n_args > 1) /* close_range: each variant closes, all agree */
			return local_or_compare(false);
		return local_or_compare(vdt_is_local(vdt, (int)c->arg[0]));
	case IRR_CLONE:
		if (c->arg[0] & CLONE_REFUSED)
			return (struct verdict_of_call){ .decision = DECIDE_REFUSE, .err = EPERM };
		return local_or_compare(false);
	case IRR_DUP:
	case IRR_FDFLAGS:
		return local_or_compare(vdt_is_local(vdt, (int)c->arg[0]));
	default:
		return local_or_compare(false);
	}
}

struct verdict_of_call call_decide(const struct native_call *n, const struct call_record *c,
				   const struct vdt *vdt, const struct loader *loader,
				   char *const *extra)
{
	const struct call_row *row = n->canon;

	switch ((enum disposition)row->disposition) {
	case DISP_REFUSED:
		return (struct verdict_of_call){ .decision = DECIDE_REFUSE,
						 .err = row->refuse_errno };
	case DISP_LOCAL:
		return local_or_compare(true);
	case DISP_BY_FD:
		return local_or_compare(by_fd(row, c, vdt));
	case DISP_BY_PATH:
		return by_path(row, c, vdt, loader, loader_holds(loader, n->pc), extra);
	case DISP_IRREGULAR:
		return irregular(row, c, vdt);
	default:
		return local_or_compare(false);
	}
}

bool call_is_elastic(const struct call_record *c)
{
	if (c->id == CALL_CLOCK_GETTIME)
		return c->arg[0] == CLOCK_MONOTONIC || c->arg[0] == CLOCK_MONOTONIC_COARSE;
	if (c->id == CALL_RT_SIGPROCMASK)
		return true;
	return c->id == CALL_GETRANDOM && c->arg[2] == GRND_NONBLOCK;
}

bool call_warn_once(const struct native_call *n)
{
	static uint8_t warned[(_CALL_MAX + 7) / 8];
	unsigned id = call_row_id(n->canon);
	bool first = !(warned[id / 8] & (1u << (id % 8)));

	warned[id / 8] |= (uint8_t)(1u << (id % 8));
	return first;
}

static bool wants_cloexec(const struct call_row *row, const struct call_record *c)
{
	return row->cloexec_arg && (c->arg[row->cloexec_arg - 1] & CANON_O_CLOEXEC);
}

void call_local_effects(const struct native_call *n, const struct call_record *c, int64_t ret,
			struct vdt *vdt)
{
	const struct call_row *row = n->canon;

	if (row->irregular == IRR_CLOSE) {
		/* The number is free whatever close(2) says. */
		vdt_close(vdt, (int)c->arg[0]);
		return;
	}
	if (ret < 0)
		return;
	if (row->irregular == IRR_DUP)
		vdt_dup(vdt, (int)c->arg[0], (int)ret,
			wants_cloexec(row, c) || row->sub_value == F_DUPFD_CLOEXEC);
	else if (row->irregular == IRR_FDFLAGS && row->sub_value != F_GETFD)
		vdt_set_cloexec(vdt, (int)c->arg[0],
				row->sub_value == FIOCLEX ||
					(row->sub_value == F_SETFD && (c->arg[2] & FD_CLOEXEC)));
	else if (row->flags & CALL_RET_FD)
		vdt_set_local(vdt, (int)ret, wants_cloexec(row, c));
}

static void close_range_effects(const struct call_record *c, struct vdt *vdt)
{
	unsigned first = (unsigned)c->arg[0], last = (unsigned)c->arg[1];

	if (!(c->arg[2] & CLOSE_RANGE_CLOEXEC)) {
		vdt_close_range(vdt, first, last);
		return;
	}
	for (uint64_t fd = first; fd <= last && fd < VDT_FD_MAX; fd++)
		vdt_set_cloexec(vdt, (int)fd, true);
}

void call_virtual_effects(const struct call_record *c, struct vdt *vdt)
{
	const struct call_row *row = &call_rows[c->id];
	struct call_new_fd made[NEW_FDS_MAX];
	size_t n;

	if (row->irregular == IRR_CLOSE && row->n_args > 1 && c->ret == 0)
		close_range_effects(c, vdt);
	n = call_new_fds(c, made, NEW_FDS_MAX);
	for (size_t i = 0; i < n && i < NEW_FDS_MAX; i++)
		vdt_close(vdt, made[i].fd);
}
