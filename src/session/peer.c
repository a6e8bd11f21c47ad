/* SPDX-License-Identifier: Apache-2.0 */
#include "session/peer.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "node/node.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANDSHAKE_MS 10000
#define END_MS 3000
#define ERROR_TEXT_MAX 4096u

void error_encode(struct writer *w, int exit_status, const char *text)
{
	put_u32(w, (uint32_t)exit_status);
	put_str(w, text);
}

/* In UTF-8 these are two bytes; some terminals obey them (U+009B is CSI). */
static bool is_c1_control(const char *c)
{
	return (unsigned char)c[0] == 0xc2 && (unsigned char)c[1] >= 0x80 && (unsigned char)c[1] < 0xa0;
}

char *error_decode(const uint8_t *body, size_t len, int *ret_exit_status)
{
	struct reader r = reader_of(body, len);
	uint32_t status = get_u32(&r);
	char *text = get_str(&r, ERROR_TEXT_MAX);

	*ret_exit_status = EXIT_OWN_FAILURE;
	if (!reader_done(&r) || status > 255) {
		free(text);
		return strdup("said something malformed");
	}
	*ret_exit_status = (int)status;
	/* What a node says is printed on the user's terminal. */
	for (char *c = text; *c; c++) {
		if (is_c1_control(c))
			*c++ = '?'; /* and the second byte: alone some terminals obey it too */
		else if ((unsigned char)*c >= 0x20 && *c != 0x7f)
			continue;
		*c = '?';
	}
	return text;
}

int peer_adopt(struct peer *p, const char *node, int fd, const uint8_t *session)
{
	struct hello mine, theirs;
	int r;

	p->node = strdup(node);
	r = p->node ? link_new(fd, node, &p->link) : -ENOMEM;
	if (r < 0) {
		close(fd);
		return log_errno(-r, "cannot use the connection to %s", node);
	}
	hello_init(&mine, session);
	r = link_handshake(p->link, &mine, HANDSHAKE_MS, &theirs);
	if (r < 0) {
		log_error("%s", link_error(p->link));
		return r;
	}
	p->isa = (enum isa)theirs.isa;
	p->heard_at = time_now_ms();
	return 0;
}

int peer_connect(struct peer *p, const char *node, const char *const *publish,
		 const uint8_t *session)
{
	struct node_spec spec;
	int r = node_parse(node, &spec), fd;

	if (r < 0)
		return r;
	fd = node_connect(&spec, publish, &p->pid);
	node_spec_free(&spec);
	return fd < 0 ? fd : peer_adopt(p, node, fd, session);
}

int peer_expect(struct peer *p, enum frame_type type, int timeout_ms, struct frame *ret,
		int *ret_exit_status)
{
	int64_t deadline = deadline_after_ms(timeout_ms);
	int r;

	while ((r = link_recv_wait(p->link, deadline_left_ms(deadline), ret)) == 1) {
		cleanup_free char *text = NULL;

		if (ret->type == type)
			return 0;
		if (ret->type == FRAME_HEARTBEAT)
			continue;
		if (ret->type == FRAME_ERROR) {
			text = error_decode(ret->body, ret->len, ret_exit_status);
			log_error("%s: %s", p->node, text ? text : "failed");
			return -ECANCELED;
		}
		log_error("%s sent %s where %s was due", p->node, frame_type_name(ret->type),
			  frame_type_name(type));
		return -EPROTO;
	}
	*ret_exit_status = EXIT_PEER_LOST;
	if (r == -ETIMEDOUT)
		log_error("%s did not answer in %d s", p->node, timeout_ms / 1000);
	else
		log_error("%s", link_error(p->link));
	return r;
}

int peer_send(struct peer *p, enum frame_type type, const void *body, size_t len)
{
	int r;

	if (!p->link)
		return -EPIPE;
	r = link_send(p->link, type, body, len);
	return r < 0 ? r : link_flush(p->link);
}

int peer_ship(struct peer *p, const char *path)
{
	const char *base = strrchr(path, '/');
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct writer w = { 0 };
	struct stat st;
	ssize_t n = 0;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return log_errno(errno, "cannot read the program '%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_size > FRAME_MAX - 4096)
		return log_errno(EFBIG, "cannot ship the program '%s'", path);
	put_str(&w, base ? base + 1 : path);
	if (writer_reserve(&w, (size_t)st.st_size))
		n = read(fd, w.data + w.len, (size_t)st.st_size);
	if (n != st.st_size) {
		writer_free(&w);
		return log_errno(n < 0 ? errno : EIO, "cannot read the program '%s'", path);
	}
	w.len += (size_t)n;
	r = peer_send(p, FRAME_FILE, w.data, w.len);
	writer_free(&w);
	return r;
}

static void end_process(pid_t pid)
{
	int64_t deadline = deadline_after_ms(END_MS);

	while (deadline_left_ms(deadline) > 0) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		poll(NULL, 0, 2);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void peer_close(struct peer *p)
{
	if (p->link)
		link_free(p->link);
	p->link = NULL;
	if (p->pid)
		end_process(p->pid);
	p->pid = 0;
	cleanup_free_fn(&p->node);
	started_free(&p->started);
}
