/* SPDX-License-Identifier: Apache-2.0 */
#include "match/shipped.h"

#include "base/bytes.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int store(struct shipped *s, const char *name, const uint8_t *bytes, size_t n)
{
	cleanup_close int fd = -1;

	s->dir = strdup("/tmp/chiral-XXXXXX");
	if (!s->dir || !mkdtemp(s->dir)) {
		cleanup_free_fn(&s->dir);
		return -errno;
	}
	/* Whatever user the variant becomes has to be able to execute it. */
	if (chmod(s->dir, 0711) < 0 || asprintf(&s->path, "%s/%s", s->dir, name) < 0) {
		s->path = NULL;
		return -ENOMEM;
	}
	fd = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0555);
	return fd < 0 ? -errno : write_all(fd, bytes, n);
}

int shipped_save(struct shipped *s, const uint8_t *body, size_t len)
{
	struct reader r = reader_of(body, len);
	cleanup_free char *name = get_str(&r, SHIPPED_NAME_MAX);

	if (r.failed || !name || !name[0] || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") ||
	    s->path)
		return -EPROTO;
	return store(s, name, r.p, r.left);
}

void shipped_remove(struct shipped *s)
{
	if (s->path)
		unlink(s->path);
	if (s->dir)
		rmdir(s->dir);
	cleanup_free_fn(&s->path);
	cleanup_free_fn(&s->dir);
}
