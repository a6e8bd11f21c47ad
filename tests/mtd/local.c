/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that the other node may open itself. FILE is what `content` says, 20000 bytes.
 * usage: local whose PATH	whose stat file of /proc is PATH?
 *	local positions FILE	what is read, wherever the program is, whatever is done to the descriptor
 *	local many FILE		2000 times 10 bytes, on the other node
 */
#include <chiral.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 20000

static int content(long at)
{
	return (int)(at * 7919 >> 3) & 0xff;
}

static void check(const char *what, int ok)
{
	printf("%s %s\n", what, ok ? "ok" : "WRONG");
	fflush(stdout);
}

static int is_content(const char *p, long n, long at)
{
	for (long i = 0; i < n; i++)
		if ((unsigned char)p[i] != content(at + i))
			return 0;
	return 1;
}

/* Reads 1000 bytes that should be those from `at` on. */
static void read_on(const char *what, int fd, long at)
{
	static char buffer[1000];

	memset(buffer, 0, sizeof(buffer));
	check(what, read(fd, buffer, sizeof(buffer)) == sizeof(buffer) &&
			    is_content(buffer, sizeof(buffer), at));
}

static int whose(const char *path)
{
	char text[64] = "";
	int fd;

	chiral_switch();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 1)
		return 1;
	puts(atoi(text) == getpid() ? "home's" : "another's");
	return close(fd) < 0;
}

static void other_reads(const char *path)
{
	int fd = open(path, O_RDONLY);
	char a[500], b[700], *far = malloc(300000);
	struct iovec v[] = { { a, sizeof(a) }, { NULL, 0 }, { b, sizeof(b) } };

	check("pread", pread(fd, far, 300000, 15000) == 5000 && is_content(far, 5000, 15000));
	check("readv", readv(fd, v, 3) == 1200 && is_content(a, 500, 0) && is_content(b, 700, 500));
	check("where", lseek(fd, 0, SEEK_CUR) == 1200);
	check("back", lseek(fd, -200, SEEK_CUR) == 1000);
	read_on("after back", fd, 1000);
	check("before the begin", lseek(fd, -1, SEEK_SET) == -1);
	read_on("still", fd, 2000);
	check("end", lseek(fd, -1000, SEEK_END) == SIZE - 1000);
	read_on("last", fd, SIZE - 1000);
	check("nothing more", read(fd, far, 10) == 0);
	check("no buffer", read(open(path, O_RDONLY), (void *)8, 10) == -1);
	close(fd);
	free(far);
}

static void descriptors(const char *path)
{
	int fd = open(path, O_RDONLY), twin, pair[2];
	char copy[1000];
	struct stat st;

	read_on("first", fd, 0);
	check("stat", fstat(fd, &st) == 0 && st.st_size == SIZE);
	twin = dup(fd);
	read_on("twin", twin, 1000);
	read_on("and again", fd, 2000);
	close(twin);
	close(fd);
	fd = open(path, O_RDONLY);
	read_on("first", fd, 0);
	if (pipe(pair) == 0)
		check("sendfile", sendfile(pair[1], fd, NULL, 1000) == 1000 &&
					  read(pair[0], copy, 1000) == 1000 && is_content(copy, 1000, 1000));
	read_on("behind", fd, 2000);
	close(fd);
	fd = open(path, O_RDONLY);
	read_on("first", fd, 0);
	if (fork() == 0) {
		read_on("child", fd, 1000);
		_exit(0);
	}
	wait(NULL);
	read_on("parent", fd, 2000);
	close(fd);
	check("closed", read(fd, copy, 1) == -1);
}

static int positions(const char *path)
{
	int fd;

	chiral_switch();
	fd = open(path, O_RDONLY);
	for (long i = 0; i < 12; i++) {
		read_on("on the way", fd, i * 1000);
		if (i % 3 == 1)
			chiral_switch();
	}
	close(fd);
	other_reads(path);
	descriptors(path);
	chiral_switch();
	other_reads(path);
	descriptors(path);
	return 0;
}

static int many(const char *path)
{
	char ten[10];
	int fd, wrong = 0;

	chiral_switch();
	fd = open(path, O_RDONLY);
	for (long i = 0; i < SIZE / 10; i++)
		wrong += read(fd, ten, 10) != 10 || !is_content(ten, 10, i * 10);
	check("many", !wrong);
	return close(fd);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "positions"))
		return positions(argv[2]);
	return strcmp(argv[1], "many") ? whose(argv[2]) : many(argv[2]);
}
