/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of record files. A file that is accepted to its end is written again by the writer: the
 * copy must be the same, byte for byte, or one of them is not the format.
 */
#include "fuzz.h"

#include "link/recfile.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static void name_of(int fd, char *path, size_t size)
{
	snprintf(path, size, "/proc/self/fd/%d", fd);
}

static int memory_file(const void *data, size_t size)
{
	int fd = memfd_create("fuzz-recfile", MFD_CLOEXEC);

	if (fd < 0 || (size && pwrite(fd, data, size, 0) != (ssize_t)size))
		abort();
	return fd;
}

/* Through a pipe: the writer replaces regular files by a temporary beside them. */
static void copy_to(const char *from, int to, int *ret_result)
{
	struct recfile *in, *out;
	struct hello hello;
	struct frame f;
	const uint8_t *start;
	size_t len;
	char path[64];
	int r = recfile_open(from, &in, &hello, &start, &len);

	*ret_result = r;
	if (r < 0)
		return;
	name_of(to, path, sizeof(path));
	fuzz_check(recfile_create(path, &hello, start, len, &out) == 0);
	while ((r = recfile_next(in, &f)) == 1)
		fuzz_check(recfile_write(out, f.type, f.body, f.len) == 0);
	fuzz_check(recfile_next(in, &f) == r);
	if (r == 0)
		fuzz_check(recfile_close(out) == 0);
	*ret_result = r;
	recfile_free(out);
	recfile_free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t back[60001];
	int fd, copy[2], r;
	char path[64];

	if (size > 60000 || pipe(copy) < 0) /* a pipe holds 64 KB */
		return 0;
	fd = memory_file(data, size);
	name_of(fd, path, sizeof(path));
	copy_to(path, copy[1], &r);
	close(copy[1]);
	if (r < 0)
		fuzz_check(r == -EPROTO);
	else
		fuzz_check(read(copy[0], back, sizeof(back)) == (ssize_t)size &&
			   !memcmp(back, data, size));
	close(copy[0]);
	close(fd);
	return 0;
}

static void seed_with(unsigned frames)
{
	static uint8_t bytes[60000];
	struct hello h = { .version = PROTOCOL_VERSION, .isa = 1, .page_size = 4096 };
	struct recfile *f;
	char path[64];
	ssize_t n;
	int p[2];

	memcpy(h.magic, PROTOCOL_MAGIC, sizeof(h.magic));
	if (pipe(p) < 0)
		abort();
	name_of(p[1], path, sizeof(path));
	if (recfile_create(path, &h, "start", 5, &f) < 0)
		abort();
	for (unsigned i = 0; i < frames; i++)
		if (recfile_write(f, i % 5 ? FRAME_EVENTS : FRAME_STDIO, bytes, 3 * i) < 0)
			abort();
	if (frames && recfile_write(f, FRAME_EXITED, "bye", 3) < 0)
		abort();
	if (recfile_close(f) < 0)
		abort();
	recfile_free(f);
	close(p[1]);
	n = read(p[0], bytes, sizeof(bytes));
	close(p[0]);
	fuzz_seed(bytes, n > 0 ? (size_t)n : 0);
	memset(bytes, 0, sizeof(bytes));
}

void fuzz_seeds(void)
{
	seed_with(0);
	seed_with(1);
	seed_with(12);
}
