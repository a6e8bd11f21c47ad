/* SPDX-License-Identifier: Apache-2.0 */
/* In place of redis's bio.c: a program that moves has one thread, which does the background jobs too,
 * at once. */
#include "server.h"
#include "bio.h"

void bioInit(void)
{
}

unsigned long long bioPendingJobsOfType(int type)
{
	return 0;
}

unsigned long long bioWaitStepOfType(int type)
{
	return 0;
}

void bioKillThreads(void)
{
}

void bioCreateCloseJob(int fd, int need_fsync)
{
	if (need_fsync)
		redis_fsync(fd);
	close(fd);
}

void bioCreateFsyncJob(int fd)
{
	int failed = redis_fsync(fd) == -1;

	if (failed)
		atomicSet(server.aof_bio_fsync_errno, errno);
	atomicSet(server.aof_bio_fsync_status, failed ? C_ERR : C_OK);
}

void bioCreateLazyFreeJob(lazy_free_fn free_fn, int arg_count, ...)
{
	void *args[8] = { NULL };
	va_list ap;

	serverAssert(arg_count <= 8);
	va_start(ap, arg_count);
	for (int i = 0; i < arg_count; i++)
		args[i] = va_arg(ap, void *);
	va_end(ap);
	free_fn(args);
}
