/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions on one memory file and sessions on two nodes have in common. */
#include "mtd/run.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

char *mtd_file_of(const struct mtd_run *run, enum isa isa)
{
	char *file;

	if (asprintf(&file, "%s.%s", run->argv[0], isa_descs[isa].name) >= 0)
		return file;
	log_errno(ENOMEM, "cannot run %s", run->argv[0]);
	return NULL;
}

void mtd_block_signals(sigset_t *ret)
{
	static const int signals[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1,
				       SIGUSR2, SIGALRM, SIGWINCH };

	sigemptyset(ret);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(ret, signals[i]);
	sigprocmask(SIG_BLOCK, ret, NULL);
}

void mtd_print_status(int fd, const char *state, const struct pager_counters *c)
{
	if (fd < 0)
		return;
	dprintf(fd,
		"{\"mtd\":{\"state\":\"%s\",\"switches\":%" PRIu64 ",\"calls\":%" PRIu64
		",\"frames\":%" PRIu64 ",\"record_bytes\":%" PRIu64 ",\"faults\":%" PRIu64
		",\"other_faults\":%" PRIu64 ",\"pages_in\":%" PRIu64 ",\"pages_out\":%" PRIu64
		",\"pages_pushed\":%" PRIu64 "}}\n",
		state, c->switches, c->calls, c->frames, c->record_bytes, c->faults, c->other_faults,
		c->pages_in, c->pages_out, c->pushed);
}

int mtd_reload(const struct mtd_run *run, struct mtd_config_file *f)
{
	size_t size;
	cleanup_free struct mtd_config *c = mtd_config_load(run->argv[0], run->points, &size);
	int r = c ? mtd_config_change(f, c, size) : -EINVAL;

	if (c && r < 0)
		log_error("%s was built again while it runs; its points stay as they are", run->argv[0]);
	if (r == 0)
		log_info("the points file %s was read again", run->points);
	return r;
}

int mtd_run(const struct mtd_run *run)
{
	return run->one_memory ? mtd_run_here(run) : mtd_run_nodes(run);
}
