/* SPDX-License-Identifier: Apache-2.0 */
#include "match/leader_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void leader_wake_link_thread(struct leader *l)
{
	uint64_t one = 1;

	(void)!write(l->wake_fd, &one, sizeof(one));
}

void leader_set_wish(struct leader *l, enum leader_wish wish)
{
	/* A kill is never replaced by less. */
	if (l->wish != WISH_KILL)
		l->wish = (int)wish;
	pthread_cond_broadcast(&l->progress);
}

enum leader_wish leader_wish(struct leader *l)
{
	return (enum leader_wish)atomic_load_explicit(&l->wish, memory_order_relaxed);
}

enum leader_wish leader_take_wish(struct leader *l, int *ret_signal)
{
	enum leader_wish w;

	leader_lock(l);
	w = (enum leader_wish)l->wish;
	if (w == WISH_SIGNAL) {
		*ret_signal = l->signals[0];
		memmove(l->signals, l->signals + 1, --l->n_signals * sizeof(l->signals[0]));
	}
	/* Signals may have come before or after any other wish. */
	if (w != WISH_KILL)
		l->wish = l->n_signals ? WISH_SIGNAL : WISH_NONE;
	leader_unlock(l);
	return w;
}

uint32_t leader_report_tid(struct leader *l)
{
	uint32_t tid;

	leader_lock(l);
	tid = l->report_tid;
	leader_unlock(l);
	return tid;
}

void leader_wait_wish(struct leader *l)
{
	leader_lock(l);
	while (l->wish == WISH_NONE)
		pthread_cond_wait(&l->progress, &l->lock);
	leader_unlock(l);
}

bool leader_must_stop(const struct leader *l)
{
	return l->wish == WISH_KILL || l->wish == WISH_REPORT || l->wish == WISH_FREEZE;
}

static void on_interrupt(int signal)
{
	(void)signal; /* its only purpose is to end a blocking wait with EINTR */
}

int leader_new(struct link *link, const struct start *start, const int stdio_fds[3],
	       struct leader **ret)
{
	struct sigaction sa = { .sa_handler = on_interrupt };
	struct leader *l = calloc(1, sizeof(*l));
	pthread_condattr_t monotonic;
	int r;

	if (!l)
		return -ENOMEM;
	l->link = link;
	l->start = start;
	l->capturing = pthread_self();
	memcpy(l->stdio.fd, stdio_fds, sizeof(l->stdio.fd));
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->progress, &monotonic);
	pthread_condattr_destroy(&monotonic);
	sigaction(SIGUSR1, &sa, NULL);
	r = l->wake_fd < 0 ? errno : pthread_create(&l->thread, NULL, leader_link_main, l);
	if (r) {
		cleanup_close_fn(&l->wake_fd);
		free(l);
		return -r;
	}
	*ret = l;
	return 0;
}

void leader_ended(struct leader *l, const struct exited *e)
{
	struct writer w = { 0 };

	exited_encode(&w, e);
	leader_lock(l);
	stdio_node_drain(&l->stdio, leader_listener(l));
	leader_unlock(l);
	leader_send(l, FRAME_EXITED, w.data, w.len);
	writer_free(&w);
}

void leader_free(struct leader *l)
{
	leader_lock(l);
	leader_send_batch(l);
	stdio_node_drain(&l->stdio, leader_listener(l));
	l->ending = true;
	leader_unlock(l);
	leader_wake_link_thread(l);
	pthread_join(l->thread, NULL);
	if (!l->dead)
		link_drain(l->link, PEER_TIMEOUT_MS);
	stdio_node_close(&l->stdio);
	close(l->wake_fd);
	writer_free(&l->batch);
	pthread_cond_destroy(&l->progress);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
