/* SPDX-License-Identifier: Apache-2.0 */
#include "link/recfile.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "link/framing.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC_SIZE (sizeof(FILE_MAGIC) - 1)
#define WRITE_CHUNK (256u << 10)

/* What is between START and END, with END. */
static const struct framing_rule rule_frames = {
	.types = FRAMING_BIT(FRAME_EVENTS) | FRAMING_BIT(FRAME_STDIO) | FRAMING_BIT(FRAME_EXITED) |
		 FRAMING_BIT(FRAME_END),
	.body_max = FRAME_MAX,
};

static const struct framing_rule rule_start = {
	.types = FRAMING_BIT(FRAME_START),
	.body_max = FRAME_MAX,
	.waiting = "START",
};

struct recfile {
	int fd;
	int failed;	   /* -errno, logged; sticks */
	bool ended;	   /* END was read or written */
	char *path;	   /* as given, for messages */
	char *target;	   /* where the temporary file goes; NULL when there is none */
	char *temporary;   /* its name; NULL when there is none */
	uint64_t frames;   /* after START */
	uint8_t *start;	   /* reading: owned copy of the body */
	struct buffer out; /* writing */
	struct framing in; /* reading */
};

static struct recfile *recfile_alloc(const char *path)
{
	struct recfile *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->fd = -1;
	f->path = strdup(path);
	framing_init(&f->in, &framing_rule_hello);
	if (f->path)
		return f;
	free(f);
	return NULL;
}

void recfile_free(struct recfile *f)
{
	if (!f)
		return;
	if (f->temporary)
		unlink(f->temporary);
	if (f->fd >= 0)
		close(f->fd);
	buffer_free(&f->out);
	framing_free(&f->in);
	free(f->start);
	free(f->temporary);
	free(f->target);
	free(f->path);
	free(f);
}

static void cleanup_recfile_fn(struct recfile **f)
{
	recfile_free(*f);
}
#define cleanup_recfile cleanup(cleanup_recfile_fn)

/* ---- writing --------------------------------------------------------------------------------- */

static int write_failed(struct recfile *f, int err)
{
	return f->failed = log_errno(err, "cannot write the record file %s", f->path);
}

static int write_out(struct recfile *f)
{
	while (buffer_len(&f->out)) {
		ssize_t n = write(f->fd, buffer_at(&f->out), buffer_len(&f->out));

		if (n < 0 && errno != EINTR)
			return write_failed(f, errno);
		if (n > 0)
			buffer_take(&f->out, (size_t)n);
	}
	buffer_trim(&f->out);
	return 0;
}

static int append(struct recfile *f, const void *p, size_t n)
{
	if (buffer_reserve(&f->out, n) < 0)
		return write_failed(f, ENOMEM);
	if (n)
		memcpy(f->out.data + f->out.tail, p, n);
	f->out.tail += n;
	return 0;
}

static int append_frame(struct recfile *f, enum frame_type type, const void *body, size_t len)
{
	uint8_t header[FRAME_HEADER_SIZE];
	int r;

	if (len > FRAME_MAX)
		return -EMSGSIZE;
	framing_put_header(header, type, len);
	r = append(f, header, sizeof(header));
	if (r >= 0)
		r = append(f, body, len);
	if (r >= 0 && buffer_len(&f->out) >= WRITE_CHUNK)
		r = write_out(f);
	return r;
}

static int append_hello(struct recfile *f, const struct hello *hello)
{
	struct writer w = { 0 };
	int r;

	hello_encode(&w, hello);
	r = w.failed ? write_failed(f, ENOMEM) : append_frame(f, FRAME_HELLO, w.data, w.len);
	writer_free(&w);
	return r;
}

/* A name in the directory where path leads: rename(2) would otherwise replace a symbolic link.
 * mkostemp(3) creates with mode 0600. */
static int open_temporary(struct recfile *f)
{
	cleanup_free char *dir = NULL;

	f->target = realpath(f->path, NULL);
	if (!f->target)
		f->target = strdup(f->path);
	dir = f->target ? strdup(f->target) : NULL;
	if (!dir || asprintf(&f->temporary, "%s/.chiral-record.XXXXXX", dirname(dir)) < 0) {
		f->temporary = NULL;
		return -ENOMEM;
	}
	f->fd = mkostemp(f->temporary, O_CLOEXEC);
	if (f->fd >= 0)
		return 0;
	free(f->temporary);
	f->temporary = NULL;
	return -errno;
}

static int open_for_writing(struct recfile *f)
{
	struct stat st;

	if (stat(f->path, &st) < 0 || S_ISREG(st.st_mode))
		return open_temporary(f);
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	f->fd = open(f->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return f->fd < 0 ? -errno : 0;
}

int recfile_create(const char *path, const struct hello *hello, const void *start, size_t len,
		   struct recfile **ret)
{
	cleanup_recfile struct recfile *f = recfile_alloc(path);
	int r;

	if (!f)
		return log_errno(ENOMEM, "cannot create the record file %s", path);
	r = open_for_writing(f);
	if (r < 0)
		return log_errno(-r, "cannot create the record file %s", path);
	r = append(f, FILE_MAGIC, MAGIC_SIZE);
	if (r >= 0)
		r = append_hello(f, hello);
	if (r >= 0)
		r = append_frame(f, FRAME_START, start, len);
	if (r >= 0)
		r = write_out(f); /* a full disk is better known before the program runs */
	if (r == -EMSGSIZE)
		log_errno(EMSGSIZE, "cannot create the record file %s", path);
	if (r < 0)
		return r;
	*ret = take_ptr(&f);
	return 0;
}

int recfile_write(struct recfile *f, enum frame_type type, const void *body, size_t len)
{
	int r;

	if (f->failed)
		return f->failed;
	if (f->ended || type == FRAME_END || !(rule_frames.types & FRAMING_BIT(type)))
		return -EINVAL;
	r = append_frame(f, type, body, len);
	if (r >= 0)
		f->frames++;
	return r;
}

static int finish(struct recfile *f)
{
	int r = append_frame(f, FRAME_END, &f->frames, sizeof(f->frames));

	f->ended = true;
	if (r >= 0)
		r = write_out(f);
	if (r < 0 || !f->temporary)
		return r;
	if (fsync(f->fd) < 0 || rename(f->temporary, f->target) < 0)
		return write_failed(f, errno);
	free(f->temporary);
	f->temporary = NULL;
	return 0;
}

int recfile_close(struct recfile *f)
{
	int r = f->failed ? f->failed : finish(f);

	if (r < 0 && f->temporary) {
		unlink(f->temporary);
		free(f->temporary);
		f->temporary = NULL;
	}
	return r;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int malformed(struct recfile *f, const char *why)
{
	log_error("the record file %s %s", f->path, why);
	return f->failed = -EPROTO;
}

static int read_failed(struct recfile *f, int err)
{
	return f->failed = log_errno(err, "cannot read the record file %s", f->path);
}

/* 1: bytes came, 0: end of file, -errno. There is room. */
static int read_some(struct recfile *f)
{
	struct buffer *b = &f->in.in;
	ssize_t n;

	do
		n = read(f->fd, b->data + b->tail, buffer_room(b));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return read_failed(f, errno);
	b->tail += (size_t)n;
	return n > 0;
}

static int read_frame(struct recfile *f, struct frame *ret)
{
	char why[160] = "is damaged: it has ", *clause = why + strlen(why);

	for (;;) {
		int r = framing_next(&f->in, ret, clause, sizeof(why) - (size_t)(clause - why));

		if (r > 0)
			return 1;
		if (r == -EPROTO)
			return malformed(f, why);
		if (r < 0)
			return read_failed(f, -r);
		r = read_some(f);
		if (r == 0)
			return malformed(f, "is truncated: it ends before its END frame");
		if (r < 0)
			return r;
	}
}

static int read_magic(struct recfile *f)
{
	struct buffer *b = &f->in.in;
	int r = buffer_reserve(b, WRITE_CHUNK);

	if (r < 0)
		return read_failed(f, -r);
	while (buffer_len(b) < MAGIC_SIZE && (r = read_some(f)) > 0)
		;
	if (r < 0)
		return r;
	if (buffer_len(b) < MAGIC_SIZE || memcmp(buffer_at(b), FILE_MAGIC, MAGIC_SIZE)) {
		log_error("%s is not a record file of Chiral", f->path);
		return f->failed = -EPROTO;
	}
	buffer_take(b, MAGIC_SIZE);
	return 0;
}

static int read_hello(struct recfile *f, struct hello *ret)
{
	struct frame frame;
	struct reader in;
	char why[160];
	int r = read_frame(f, &frame);

	if (r < 0)
		return r;
	in = reader_of(frame.body, frame.len);
	return hello_decode(&in, ret, why, sizeof(why)) < 0 ? malformed(f, why) : 0;
}

static int read_start(struct recfile *f, size_t *ret_len)
{
	struct frame frame;
	int r;

	f->in.rule = &rule_start;
	r = read_frame(f, &frame);
	if (r < 0)
		return r;
	f->start = malloc(frame.len ? frame.len : 1);
	if (!f->start)
		return read_failed(f, ENOMEM);
	memcpy(f->start, frame.body, frame.len);
	*ret_len = frame.len;
	f->in.rule = &rule_frames;
	return 0;
}

int recfile_open(const char *path, struct recfile **ret, struct hello *ret_hello,
		 const uint8_t **ret_start, size_t *ret_start_len)
{
	cleanup_recfile struct recfile *f = recfile_alloc(path);
	struct hello hello;
	size_t len = 0;
	int r;

	if (!f)
		return log_errno(ENOMEM, "cannot open the record file %s", path);
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (f->fd < 0)
		return log_errno(errno, "cannot open the record file %s", path);
	r = read_magic(f);
	if (r >= 0)
		r = read_hello(f, &hello);
	if (r >= 0)
		r = read_start(f, &len);
	if (r < 0)
		return r;
	*ret_hello = hello;
	*ret_start = f->start;
	*ret_start_len = len;
	*ret = take_ptr(&f);
	return 0;
}

/* END: the right number, and nothing behind it. */
static int check_end(struct recfile *f, const struct frame *frame)
{
	struct reader in = reader_of(frame->body, frame->len);
	uint64_t frames = get_u64(&in);
	int r = 0;

	if (!reader_done(&in) || frames != f->frames)
		return malformed(f, "is damaged: its END frame does not count its frames");
	if (!framing_inside(&f->in)) {
		r = buffer_reserve(&f->in.in, 1);
		r = r < 0 ? read_failed(f, -r) : read_some(f);
	}
	if (r < 0)
		return r;
	if (r > 0 || framing_inside(&f->in))
		return malformed(f, "is damaged: it goes on after its END frame");
	f->ended = true;
	return 0;
}

int recfile_next(struct recfile *f, struct frame *ret)
{
	struct frame frame;
	int r;

	if (f->failed)
		return f->failed;
	if (f->ended)
		return 0;
	r = read_frame(f, &frame);
	if (r < 0)
		return r;
	if (frame.type == FRAME_END)
		return check_end(f, &frame);
	f->frames++;
	*ret = frame;
	return 1;
}
