/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/libcrypto.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "isa/random.h"
#include "variant/elf_symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define LIBRARY "libcrypto.so."
#define FUNCTION "EVP_RAND_generate"

bool libcrypto_is_mapped(pid_t tid, int fd)
{
	char link[64], path[PATH_MAX];
	const char *base;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", tid, fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	base = strrchr(path, '/');
	return base && !strncmp(base + 1, LIBRARY, strlen(LIBRARY));
}

/* Its own descriptor: the variant's may be at any position. Never a FIFO or a device. */
static int open_library(pid_t tid, int fd)
{
	char path[64];
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, fd);
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	r = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return r < 0 ? -errno : r;
}

/* /proc/PID/mem writes to read-only mappings too (FOLL_FORCE); the page becomes the variant's own. */
static int write_code(pid_t tid, uint64_t addr)
{
	size_t size = (size_t)(isa_random_code_end - isa_random_code);
	cleanup_close int mem = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	n = mem < 0 ? -1 : pwrite(mem, isa_random_code, size, (off_t)addr);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

void libcrypto_patch(pid_t tid, int fd, uint64_t addr, uint64_t len, uint64_t offset)
{
	size_t size = (size_t)(isa_random_code_end - isa_random_code);
	cleanup_close int file = open_library(tid, fd);
	struct elf_symbol s = { 0 };
	int r = file < 0 ? file : elf_symbol_find(file, FUNCTION, &s);

	if (r == -ENOENT)
		return; /* before OpenSSL 3 */
	if (r == 0 && s.size < size)
		r = -EBADMSG;
	if (r == 0 && (s.offset < offset || s.offset - offset >= len ||
		       size > len - (s.offset - offset)))
		return; /* another segment */
	if (r == 0)
		r = write_code(tid, addr + (s.offset - offset));
	if (r < 0 && r != -ESRCH)
		log_warn("cannot replace OpenSSL's random number generator in process %d (%s): what "
			 "the program encrypts will differ between the variants",
			 tid, strerror(-r));
}
