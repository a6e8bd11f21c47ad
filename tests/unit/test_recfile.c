/* SPDX-License-Identifier: Apache-2.0 */
#include "link_util.h"

#include "link/recfile.h"

#include <dirent.h>
#include <sys/stat.h>

static char dir[] = P_tmpdir "/chiral-recfile.XXXXXX";
static char path[64];
static int log_fd;

static int setup(void **state)
{
	char log[64];

	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(log, sizeof(log), "%s-log", dir);
	log_fd = open(log, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	unlink(log);
	return log_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir);
}

/* What is logged between these two. */
static int saved_stderr;

static void log_begin(void)
{
	fflush(stderr);
	assert_int_equal(ftruncate(log_fd, 0), 0);
	saved_stderr = dup(STDERR_FILENO);
	dup2(log_fd, STDERR_FILENO);
}

static const char *log_end(void)
{
	static char text[4096];
	ssize_t n;

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	n = pread(log_fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static int count_files(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.' || e->d_name[1] == 'c';
	closedir(d);
	return n;
}

static struct recfile *create(const char *to)
{
	struct hello h = test_hello();
	struct recfile *f;

	assert_int_equal(recfile_create(to, &h, "start", 5, &f), 0);
	return f;
}

static void write_sample(const char *to)
{
	struct recfile *f = create(to);

	assert_int_equal(recfile_write(f, FRAME_EVENTS, "first", 5), 0);
	assert_int_equal(recfile_write(f, FRAME_STDIO, NULL, 0), 0);
	assert_int_equal(recfile_write(f, FRAME_EXITED, "last!", 5), 0);
	assert_int_equal(recfile_close(f), 0);
	recfile_free(f);
}

/* Reads to the end; what ends it. */
static int read_sample(const char *from, int *ret_frames)
{
	const uint8_t *start;
	struct recfile *f;
	struct hello h;
	struct frame frame;
	size_t len;
	int r = recfile_open(from, &f, &h, &start, &len);

	*ret_frames = 0;
	if (r < 0)
		return r;
	assert_int_equal(len, 5);
	assert_memory_equal(start, "start", 5);
	assert_int_equal(h.page_size, 4096);
	while ((r = recfile_next(f, &frame)) == 1) {
		static const char *const bodies[] = { "first", "", "last!" };

		assert_true(*ret_frames < 3);
		assert_int_equal(frame.len, strlen(bodies[*ret_frames]));
		assert_memory_equal(frame.body, bodies[*ret_frames], frame.len);
		++*ret_frames;
	}
	assert_int_equal(recfile_next(f, &frame), r);
	assert_memory_equal(start, "start", 5);
	recfile_free(f);
	return r;
}

static void test_round_trip(void **state)
{
	struct stat st;
	int frames;

	umask(0);
	write_sample(path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(count_files(), 1);
	assert_int_equal(read_sample(path, &frames), 0);
	assert_int_equal(frames, 3);
}

static void test_large(void **state)
{
	static uint8_t big[FRAME_MAX];
	struct recfile *f = create(path);
	const uint8_t *start;
	struct frame frame;
	struct hello h;
	size_t len;
	int n = 0;

	memset(big, 0x5a, sizeof(big));
	assert_int_equal(recfile_write(f, FRAME_EVENTS, big, sizeof(big)), 0);
	for (size_t i = 0; i < 3000; i++)
		assert_int_equal(recfile_write(f, FRAME_EVENTS, big, i), 0);
	assert_int_equal(recfile_write(f, FRAME_EVENTS, big, (size_t)FRAME_MAX + 1), -EMSGSIZE);
	assert_int_equal(recfile_close(f), 0);
	recfile_free(f);
	assert_int_equal(recfile_open(path, &f, &h, &start, &len), 0);
	for (; recfile_next(f, &frame) == 1; n++) {
		assert_int_equal(frame.len, n ? (size_t)n - 1 : FRAME_MAX);
		assert_memory_equal(frame.body, big, frame.len);
	}
	assert_int_equal(n, 3001);
	assert_int_equal(recfile_next(f, &frame), 0);
	recfile_free(f);
}

/* Until it is closed the old file is there, whole. */
static void test_replace(void **state)
{
	struct recfile *f;
	struct stat before, after;
	int frames;

	unlink(path);
	write_sample(path);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(stat(path, &before), 0);
	f = create(path);
	assert_int_equal(recfile_write(f, FRAME_EVENTS, "new", 3), 0);
	assert_int_equal(count_files(), 2);
	assert_int_equal(read_sample(path, &frames), 0);
	/* given up */
	recfile_free(f);
	assert_int_equal(count_files(), 1);
	assert_int_equal(read_sample(path, &frames), 0);
	/* done */
	write_sample(path);
	assert_int_equal(stat(path, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_mode & 07777, 0600);
	assert_int_equal(count_files(), 1);
}

static void test_symbolic_link(void **state)
{
	char link_path[80];
	struct stat st;
	int frames;

	unlink(path);
	snprintf(link_path, sizeof(link_path), "%s/link", dir);
	write_sample(path);
	assert_int_equal(symlink("file", link_path), 0);
	write_sample(link_path);
	assert_int_equal(lstat(link_path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(read_sample(path, &frames), 0);
	assert_int_equal(count_files(), 2);
	unlink(link_path);
}

static void test_devices(void **state)
{
	struct stat st;
	struct recfile *f;

	write_sample("/dev/null");
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));

	/* A full disk is said once, before or at the close. */
	f = NULL;
	log_begin();
	if (recfile_create("/dev/full", &(struct hello){ 0 }, "s", 1, &f) == 0)
		recfile_free(f);
	assert_string_equal(log_end(), "chiral: error: cannot write the record file /dev/full: "
				       "No space left on device\n");
	assert_null(f);
}

static void test_bad_paths(void **state)
{
	struct hello h = test_hello();
	struct recfile *f = NULL;
	char missing[80];
	int frames;

	snprintf(missing, sizeof(missing), "%s/none/file", dir);
	log_begin();
	assert_int_equal(recfile_create(missing, &h, "", 0, &f), -ENOENT);
	assert_int_equal(recfile_create(dir, &h, "", 0, &f), -EISDIR);
	assert_int_equal(read_sample(missing, &frames), -ENOENT);
	assert_int_equal(read_sample(dir, &frames), -EISDIR);
	assert_non_null(strstr(log_end(), "cannot create the record file"));
	assert_null(f);
}

static void test_misuse(void **state)
{
	struct recfile *f = create(path);

	assert_int_equal(recfile_write(f, FRAME_END, "x", 1), -EINVAL);
	assert_int_equal(recfile_write(f, FRAME_START, "x", 1), -EINVAL);
	assert_int_equal(recfile_close(f), 0);
	assert_int_equal(recfile_write(f, FRAME_EVENTS, "x", 1), -EINVAL);
	recfile_free(f);
	recfile_free(NULL);
}

static uint8_t *load(size_t *ret_len)
{
	static uint8_t bytes[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, bytes, sizeof(bytes));

	close(fd);
	assert_true(n > 0 && n < (ssize_t)sizeof(bytes));
	*ret_len = (size_t)n;
	return bytes;
}

static void store(const void *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	write_all(fd, p, n);
	close(fd);
}

/* No prefix of a file passes for a whole one, and each says so in one sentence. */
static void test_truncation(void **state)
{
	size_t len;
	uint8_t *bytes;

	unlink(path);
	write_sample(path);
	bytes = load(&len);
	for (size_t cut = 0; cut < len; cut++) {
		char expected[256];
		int frames;

		store(bytes, cut);
		log_begin();
		assert_int_equal(read_sample(path, &frames), -EPROTO);
		snprintf(expected, sizeof(expected),
			 cut < 16 ? "chiral: error: %s is not a record file of Chiral\n" :
				    "chiral: error: the record file %s is truncated: it ends before "
				    "its END frame\n",
			 path);
		assert_string_equal(log_end(), expected);
	}
	unlink(path);
}

static void check_damaged(const uint8_t *bytes, size_t len, const char *what)
{
	char expected[256];
	int frames;

	store(bytes, len);
	log_begin();
	assert_int_equal(read_sample(path, &frames), -EPROTO);
	snprintf(expected, sizeof(expected), "chiral: error: the record file %s %s\n", path, what);
	assert_string_equal(log_end(), expected);
}

/* Offsets: magic 16, HELLO 8 + 48, START 8 + 5, EVENTS 8 + 5, ... END 8 + 8. */
static void test_damage(void **state)
{
	enum { HELLO_AT = 16, START_AT = 72, EVENTS_AT = 85 };
	uint8_t *bytes, keep;
	size_t len;

	unlink(path);
	write_sample(path);
	bytes = load(&len);
	bytes[len] = 0;
	check_damaged(bytes, len + 1, "is damaged: it goes on after its END frame");
	bytes[len - 8]++;
	check_damaged(bytes, len, "is damaged: its END frame does not count its frames");
	bytes[len - 8]--;
	bytes[HELLO_AT + 8 + 8] = 4;
	check_damaged(bytes, len,
		      "has version 4 of the protocol, this side has version 3; install the same "
		      "release on both");
	bytes[HELLO_AT + 8 + 8] = PROTOCOL_VERSION;
	keep = bytes[START_AT + 4];
	bytes[START_AT + 4] = FRAME_EVENTS;
	check_damaged(bytes, len, "is damaged: it has a frame of type EVENTS instead of START");
	bytes[START_AT + 4] = keep;
	bytes[EVENTS_AT + 4] = FRAME_KILL;
	check_damaged(bytes, len,
		      "is damaged: it has a frame of type KILL instead of what may come here");
	bytes[EVENTS_AT + 4] = FRAME_EVENTS;
	bytes[EVENTS_AT + 7] = 1;
	check_damaged(bytes, len, "is damaged: it has a frame of type EVENTS with 256 in the reserved field");
	bytes[EVENTS_AT + 7] = 0;
	bytes[EVENTS_AT + 3] = 0xff;
	check_damaged(bytes, len,
		      "is damaged: it has a frame of type EVENTS and 4278190085 bytes, over the bound of "
		      "83886080");
	bytes[EVENTS_AT + 3] = 4; /* 64 MB that are not there */
	check_damaged(bytes, len, "is truncated: it ends before its END frame");
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_large),
		cmocka_unit_test(test_replace),	   cmocka_unit_test(test_symbolic_link),
		cmocka_unit_test(test_devices),	   cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_misuse),	   cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
