/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: see leader.h. One long file, because its two threads share one lock, and what each
 * of them may do under it is easier to see side by side.
 */
#include "match/leader.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FLUSH_AFTER_MS 4		/* from the first event of a batch to its sending */
#define FLUSH_AT_BYTES (256u << 10)
#define INTERRUPT_EVERY_MS 5		/* while a wish waits for the capturing thread */
#define MATCH_PATIENCE_MS 5		/* at a barrier, before other threads are served */
#define STDIO_CHUNK (64u << 10)
#define STDIN_MAX (2 * STDIN_AHEAD) /* what a hub that keeps to its credit never exceeds */

struct leader {
	struct link *link;
	const struct start *start;
	int stdio[3];
	pthread_t thread, capturing;
	int wake_fd;

	pthread_mutex_t lock;	/* everything below */
	pthread_cond_t progress; /* acknowledgements and wishes */
	struct writer batch;	/* body of the next EVENTS frame */
	struct leader_slot *in_call;
	/* sent: including the batch. Written with the lock held; leader_make_room() looks without. */
	_Atomic uint64_t sent_events, sent_bytes;
	_Atomic uint64_t acked_events, acked_bytes;
	int64_t flush_at;	/* when the batch goes out, in ms; 0: nothing waits */
	int64_t heartbeat_at;
	int64_t heard_at, looked_at; /* the hub, ms; when its silence was last looked at */
	bool link_thread_sleeps; /* nothing to send: it waits without a timeout */
	bool dead;		/* the hub is gone */
	bool ending;
	bool alone;		/* nobody compares any more */
	_Atomic int wish;
	_Atomic bool news;	/* calls were matched that the capturing thread does not wait for */
	uint32_t report_tid;
	int signals[16];
	unsigned n_signals;
	uint8_t *stdin_data;
	size_t stdin_len;
	bool stdin_ended;	/* nothing comes after stdin_data */
};

static void lock(struct leader *l)
{
	pthread_mutex_lock(&l->lock);
}

static void unlock(struct leader *l)
{
	pthread_mutex_unlock(&l->lock);
}

static void wake_link_thread(struct leader *l)
{
	uint64_t one = 1;

	(void)!write(l->wake_fd, &one, sizeof(one));
}

/* ---- wishes ----------------------------------------------------------------------------------- */

static void set_wish(struct leader *l, enum leader_wish wish)
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

	lock(l);
	w = (enum leader_wish)l->wish;
	if (w == WISH_SIGNAL) {
		*ret_signal = l->signals[0];
		memmove(l->signals, l->signals + 1, --l->n_signals * sizeof(l->signals[0]));
	}
	/* Signals may have come before or after any other wish. */
	if (w != WISH_KILL)
		l->wish = l->n_signals ? WISH_SIGNAL : WISH_NONE;
	unlock(l);
	return w;
}

uint32_t leader_report_tid(struct leader *l)
{
	uint32_t tid;

	lock(l);
	tid = l->report_tid;
	unlock(l);
	return tid;
}

void leader_wait_wish(struct leader *l)
{
	lock(l);
	while (l->wish == WISH_NONE)
		pthread_cond_wait(&l->progress, &l->lock);
	unlock(l);
}

/* ---- events ----------------------------------------------------------------------------------- */

static uint64_t counted(const _Atomic uint64_t *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

static void add_to(_Atomic uint64_t *count, uint64_t n)
{
	/* Only whoever holds the lock writes: no need for an atomic addition. */
	atomic_store_explicit(count, counted(count) + n, memory_order_relaxed);
}

/* Events are length-prefixed, so that a follower can sort them by thread without decoding them. */
static size_t begin_event(struct leader *l)
{
	size_t at = l->batch.len;

	put_u32(&l->batch, 0);
	return at;
}

static void end_event(struct leader *l, size_t at)
{
	size_t len = l->batch.len - at;

	put_u32_at(&l->batch, at, (uint32_t)(len - sizeof(uint32_t)));
	add_to(&l->sent_events, 1);
	add_to(&l->sent_bytes, len);
}

/* It was made, which is all that nobody is there to see. */
static void drop_event(struct leader *l)
{
	add_to(&l->sent_events, 1);
	add_to(&l->acked_events, 1);
}

static void put_call(struct leader *l, uint32_t tid, const struct call_record *c, unsigned parts)
{
	size_t at;

	if (l->start->discard) {
		drop_event(l);
		return;
	}
	at = begin_event(l);
	event_encode_call(&l->batch, tid, c, parts);
	end_event(l, at);
}

/* lock held. As if a hub without followers had got them. */
static void drop_batch(struct leader *l)
{
	writer_reset(&l->batch);
	l->acked_events = l->sent_events;
	l->acked_bytes = l->sent_bytes;
}

/* lock held. The batch becomes a frame; what the link cannot take now its thread sends later. */
static void send_batch(struct leader *l)
{
	if (l->batch.len == 0 || l->dead)
		return;
	if (l->start->discard && !l->batch.failed) {
		drop_batch(l);
		return;
	}
	if (l->batch.failed ||
	    link_send(l->link, FRAME_EVENTS, l->batch.data, l->batch.len) < 0 ||
	    link_flush(l->link) < 0) {
		l->dead = true;
		set_wish(l, WISH_KILL);
	}
	writer_reset(&l->batch);
	/* Only the link thread waits until the connection takes the rest. */
	if (l->link_thread_sleeps && !l->dead && link_queued(l->link)) {
		l->link_thread_sleeps = false;
		wake_link_thread(l);
	}
}

static void after_event(struct leader *l)
{
	if (l->batch.len >= FLUSH_AT_BYTES)
		send_batch(l);
	/* What is discarded need not leave in time. */
	if (l->link_thread_sleeps && !l->start->discard) {
		l->link_thread_sleeps = false;
		wake_link_thread(l);
	}
}

static bool window_full(const struct leader *l)
{
	return counted(&l->sent_events) - counted(&l->acked_events) >= l->start->window_events ||
	       counted(&l->sent_bytes) - counted(&l->acked_bytes) >= l->start->window_bytes;
}

static bool must_stop(const struct leader *l)
{
	return l->wish == WISH_KILL || l->wish == WISH_REPORT || l->wish == WISH_FREEZE;
}

static bool is_barrier(const struct leader *l, const struct leader_slot *slot)
{
	if (slot->barrier == BARRIER_BY_LEVEL)
		return l->start->level == LEVEL_LOCKSTEP;
	return slot->barrier == BARRIER_YES;
}

static unsigned entry_parts(const struct leader_slot *slot)
{
	return CALL_PART_ENTRY | (slot->observed ? CALL_PART_OBSERVED : 0);
}

/* Whoever announces a call that waits says so: nobody announces it again. */
static void announce_call(struct leader *l, struct leader_slot *slot)
{
	put_call(l, slot->tid, slot->call,
		 entry_parts(slot) | (is_barrier(l, slot) ? CALL_PART_AWAITED : 0));
	slot->announced = true;
	slot->matched = false;
}

/* lock held. Announces every call that a thread is inside of; patient: that it has been inside of for
 * a while, so that calls which only happen to be under way make no second record. */
static void announce_calls(struct leader *l, bool patient)
{
	for (struct leader_slot *s = l->in_call; s; s = s->next) {
		if (s->announced)
			continue;
		if (patient && !s->seen) {
			s->seen = true;
			continue;
		}
		announce_call(l, s);
	}
}

/* lock held */
static void announce_siblings(struct leader *l, const struct leader_slot *slot)
{
	for (struct leader_slot *s = l->in_call; s; s = s->next)
		if (!s->announced && s->process && s->process == slot->process)
			announce_call(l, s);
}

static void slot_link(struct leader *l, struct leader_slot *slot)
{
	slot->next = l->in_call;
	slot->prev = &l->in_call;
	slot->seen = false;
	if (slot->next)
		slot->next->prev = &slot->next;
	l->in_call = slot;
}

static void slot_unlink(struct leader_slot *slot)
{
	if (!slot->prev)
		return;
	*slot->prev = slot->next;
	if (slot->next)
		slot->next->prev = slot->prev;
	slot->prev = NULL;
	slot->next = NULL;
}

static bool may_go(const struct leader *l, const struct leader_slot *slot)
{
	return !must_stop(l) && (!is_barrier(l, slot) || l->alone || slot->matched);
}

/* lock held. Most calls are matched at once: no interrupt is needed for them. */
static void wait_match(struct leader *l, const struct leader_slot *slot)
{
	int64_t until = deadline_after_ms(MATCH_PATIENCE_MS);
	struct timespec at = { until / 1000, until % 1000 * 1000000 };

	while (!may_go(l, slot) && !must_stop(l))
		if (pthread_cond_timedwait(&l->progress, &l->lock, &at))
			return;
}

/* lock held */
static void wait_window(struct leader *l)
{
	while (window_full(l) && !must_stop(l)) {
		send_batch(l);
		if (window_full(l)) /* it is not, when events are discarded */
			pthread_cond_wait(&l->progress, &l->lock);
	}
}

bool leader_enter(struct leader *l, struct leader_slot *slot, const struct call_record *c)
{
	bool go;

	lock(l);
	slot->call = c;
	if (!slot->prev)
		slot_link(l, slot);
	wait_window(l);
	if (is_barrier(l, slot) && !l->alone && !must_stop(l)) {
		if (!slot->announced)
			announce_call(l, slot);
		send_batch(l);
		wait_match(l, slot);
	} else {
		after_event(l);
	}
	go = may_go(l, slot);
	unlock(l);
	return go;
}

bool leader_may_go(struct leader *l, const struct leader_slot *slot)
{
	bool go;

	lock(l);
	go = may_go(l, slot);
	unlock(l);
	return go;
}

bool leader_has_news(struct leader *l)
{
	return atomic_load_explicit(&l->news, memory_order_relaxed) &&
	       atomic_exchange(&l->news, false);
}

void leader_make_room(struct leader *l)
{
	/* Only we send events of calls that are over: what is seen here as room stays room. */
	if (!window_full(l))
		return;
	lock(l);
	wait_window(l);
	unlock(l);
}

void leader_block(struct leader *l, struct leader_slot *slot, const struct call_record *c)
{
	lock(l);
	slot->call = c;
	if (!slot->prev)
		slot_link(l, slot);
	if (!slot->announced)
		announce_call(l, slot);
	after_event(l);
	unlock(l);
}

void leader_pause(struct leader *l, struct leader_slot *slot)
{
	/* Slots are linked by the capturing side alone. */
	if (!slot->prev)
		return;
	lock(l);
	slot_unlink(slot);
	unlock(l);
}

void leader_resume(struct leader *l, struct leader_slot *slot, const struct call_record *c)
{
	lock(l);
	slot->call = c;
	if (!slot->prev)
		slot_link(l, slot);
	unlock(l);
}

void leader_cancel(struct leader *l, struct leader_slot *slot)
{
	lock(l);
	slot_unlink(slot);
	slot->call = NULL;
	slot->announced = false;
	unlock(l);
}

void leader_announce(struct leader *l, struct leader_slot *slot)
{
	lock(l);
	if (!slot->announced)
		put_call(l, slot->tid, slot->call, entry_parts(slot));
	slot_unlink(slot);
	slot->call = NULL;
	slot->announced = false;
	after_event(l);
	unlock(l);
}

void leader_abandon(struct leader *l, struct leader_slot *slot)
{
	lock(l);
	if (slot->prev && !slot->announced)
		put_call(l, slot->tid, slot->call, entry_parts(slot));
	slot_unlink(slot);
	slot->call = NULL;
	slot->announced = false;
	unlock(l);
}

void leader_exit(struct leader *l, struct leader_slot *slot, const struct call_record *c)
{
	lock(l);
	slot_unlink(slot);
	announce_siblings(l, slot);
	put_call(l, slot->tid, c,
		 slot->announced ? CALL_PART_EXIT : entry_parts(slot) | CALL_PART_EXIT);
	slot->call = NULL;
	slot->announced = false;
	after_event(l);
	unlock(l);
}

void leader_signal(struct leader *l, uint32_t tid, enum signal_when when, int signal,
		   const void *siginfo)
{
	size_t at;

	lock(l);
	at = begin_event(l);
	event_encode_signal(&l->batch, tid, when, signal, siginfo);
	end_event(l, at);
	after_event(l);
	unlock(l);
}

void leader_death(struct leader *l, uint32_t tid, int wait_status)
{
	size_t at;

	lock(l);
	at = begin_event(l);
	event_encode_death(&l->batch, tid, wait_status);
	end_event(l, at);
	after_event(l);
	unlock(l);
}

void leader_flush(struct leader *l)
{
	lock(l);
	announce_calls(l, false);
	send_batch(l);
	unlock(l);
}

void leader_send(struct leader *l, enum frame_type type, const void *body, size_t len)
{
	lock(l);
	send_batch(l);
	if (!l->dead && (link_send(l->link, type, body, len) < 0 || link_flush(l->link) < 0))
		l->dead = true;
	unlock(l);
	wake_link_thread(l);
}

void leader_counts(struct leader *l, uint64_t *ret_events, uint64_t *ret_bytes)
{
	lock(l);
	*ret_events = l->sent_events;
	*ret_bytes = l->sent_bytes;
	unlock(l);
}

/* ---- link thread ------------------------------------------------------------------------------ */

static int on_ack(struct leader *l, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	uint64_t events = get_u64(&r), bytes = get_u64(&r);

	if (!reader_done(&r) || events < l->acked_events || events > l->sent_events ||
	    bytes < l->acked_bytes || bytes > l->sent_bytes)
		return -EPROTO;
	l->acked_events = events;
	l->acked_bytes = bytes;
	pthread_cond_broadcast(&l->progress);
	return 0;
}

static int on_matched(struct leader *l, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	uint32_t tid = get_u32(&r);

	if (!reader_done(&r))
		return -EPROTO;
	l->alone = l->alone || tid == 0;
	/* A thread that is not there has died meanwhile. */
	for (struct leader_slot *s = l->in_call; s; s = s->next)
		if (s->tid == tid && s->announced)
			s->matched = true;
	l->news = true;
	pthread_cond_broadcast(&l->progress);
	return 0;
}

static int on_signal(struct leader *l, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);
	uint32_t signal = get_u32(&r);

	if (!reader_done(&r) || signal == 0 || signal >= NSIG)
		return -EPROTO;
	if (l->n_signals < ARRAY_SIZE(l->signals)) {
		l->signals[l->n_signals++] = (int)signal;
		if (l->wish == WISH_NONE)
			set_wish(l, WISH_SIGNAL);
	}
	return 0;
}

static int on_report(struct leader *l, const struct frame *f)
{
	struct reader r = reader_of(f->body, f->len);

	l->report_tid = get_u32(&r);
	if (!reader_done(&r))
		return -EPROTO;
	set_wish(l, WISH_REPORT);
	return 0;
}

/* The hub may send as many more: what it reads never piles up here, whether the program reads or not. */
static void credit_stdin(struct leader *l, size_t n)
{
	uint8_t body[1 + sizeof(uint32_t)] = { 0 };
	uint32_t taken = (uint32_t)n;

	memcpy(body + 1, &taken, sizeof(taken));
	if (n && !l->dead)
		link_send(l->link, FRAME_STDIO, body, sizeof(body));
}

static void end_stdin(struct leader *l)
{
	credit_stdin(l, l->stdin_len);
	l->stdin_len = 0;
	cleanup_close_fn(&l->stdio[0]);
}

/* Bytes for the program's stdin wait here until its pipe takes them. An empty frame is the end. */
static int on_stdin(struct leader *l, const struct frame *f)
{
	size_t len = f->len - 1;
	uint8_t *p;

	if (f->len < 1 || f->body[0] != 0 || l->stdin_ended || len > STDIN_MAX - l->stdin_len)
		return -EPROTO;
	l->stdin_ended = len == 0;
	if (l->stdio[0] < 0) {
		credit_stdin(l, len);
		return 0;
	}
	if (len == 0) {
		if (l->stdin_len == 0)
			end_stdin(l);
		return 0;
	}
	p = realloc(l->stdin_data, l->stdin_len + len);
	if (!p)
		return -ENOMEM;
	l->stdin_data = p;
	memcpy(p + l->stdin_len, f->body + 1, len);
	l->stdin_len += len;
	return 0;
}

static int on_frame(struct leader *l, const struct frame *f)
{
	switch (f->type) {
	case FRAME_ACK:
		return on_ack(l, f);
	case FRAME_MATCHED:
		return on_matched(l, f);
	case FRAME_SIGNAL:
		return on_signal(l, f);
	case FRAME_STDIO:
		return on_stdin(l, f);
	case FRAME_KILL:
		set_wish(l, WISH_KILL);
		return 0;
	case FRAME_REPORT:
		return on_report(l, f);
	case FRAME_GO:
		set_wish(l, WISH_RESUME);
		return 0;
	case FRAME_FREEZE:
		set_wish(l, WISH_FREEZE);
		return 0;
	case FRAME_HEARTBEAT:
		return 0;
	default:
		return -EPROTO;
	}
}

static void read_link(struct leader *l)
{
	struct frame f;
	int r;

	while ((r = link_recv(l->link, &f)) == 1) {
		l->heard_at = time_now_ms();
		r = on_frame(l, &f);
		if (r < 0)
			break;
	}
	if (r < 0 && !l->dead) {
		l->dead = true;
		set_wish(l, WISH_KILL);
	}
}

static void write_stdin(struct leader *l)
{
	ssize_t n = write(l->stdio[0], l->stdin_data, l->stdin_len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) { /* the program closed it: what is left has no reader */
		end_stdin(l);
		return;
	}
	credit_stdin(l, (size_t)n);
	l->stdin_len -= (size_t)n;
	memmove(l->stdin_data, l->stdin_data + n, l->stdin_len);
	if (l->stdin_len == 0 && l->stdin_ended)
		end_stdin(l);
}

static void read_output(struct leader *l, int which)
{
	uint8_t chunk[1 + 4096];
	ssize_t n = read(l->stdio[which], chunk + 1, sizeof(chunk) - 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	chunk[0] = (uint8_t)which;
	if (n <= 0) {
		cleanup_close_fn(&l->stdio[which]);
		n = 0;
	}
	if (!l->dead)
		link_send(l->link, FRAME_STDIO, chunk, (size_t)n + 1);
}

/* Without a reader on the hub's side the program is not read from either: it blocks, as on a pipe. */
static bool output_allowed(const struct leader *l)
{
	return link_queued(l->link) < STDIO_CHUNK;
}

enum { POLL_LINK, POLL_WAKE, POLL_STDIN, POLL_STDOUT, POLL_STDERR, _POLL_MAX };

static void fill_poll(struct leader *l, struct pollfd *p)
{
	bool out = output_allowed(l);

	p[POLL_LINK] = (struct pollfd){ link_fd(l->link), POLLIN, 0 };
	if (link_queued(l->link))
		p[POLL_LINK].events |= POLLOUT;
	p[POLL_WAKE] = (struct pollfd){ l->wake_fd, POLLIN, 0 };
	p[POLL_STDIN] = (struct pollfd){ l->stdin_len ? l->stdio[0] : -1, POLLOUT, 0 };
	p[POLL_STDOUT] = (struct pollfd){ out ? l->stdio[1] : -1, POLLIN, 0 };
	p[POLL_STDERR] = (struct pollfd){ out ? l->stdio[2] : -1, POLLIN, 0 };
	if (l->dead)
		p[POLL_LINK].fd = -1;
}

static bool has_unannounced(const struct leader *l)
{
	for (const struct leader_slot *s = l->in_call; s; s = s->next)
		if (!s->announced)
			return true;
	return false;
}

/* lock held. How long the link thread may sleep. */
static int link_timeout(struct leader *l)
{
	if (l->wish != WISH_NONE || l->news)
		return INTERRUPT_EVERY_MS;
	if (l->batch.len || has_unannounced(l)) {
		if (l->flush_at == 0)
			l->flush_at = deadline_after_ms(FLUSH_AFTER_MS);
		return deadline_left_ms(l->flush_at);
	}
	l->flush_at = 0;
	l->link_thread_sleeps = true;
	return deadline_left_ms(l->heartbeat_at);
}

/* A network that swallows everything closes no connection. */
static void check_hub(struct leader *l)
{
	int64_t now = time_now_ms();

	/* Whoever was stopped (SIGSTOP, a suspended machine) has heard nothing meanwhile. */
	if (now - l->looked_at > 2 * HEARTBEAT_INTERVAL_MS)
		l->heard_at = now;
	l->looked_at = now;
	if (l->dead || now - l->heard_at <= PEER_TIMEOUT_MS)
		return;
	log_error("the hub has been silent for %d s; ending the leader", PEER_TIMEOUT_MS / 1000);
	l->dead = true;
	set_wish(l, WISH_KILL);
}

static void on_timers(struct leader *l)
{
	check_hub(l);
	if (l->flush_at && deadline_left_ms(l->flush_at) == 0) {
		announce_calls(l, true);
		send_batch(l);
		l->flush_at = 0;
	}
	if (deadline_left_ms(l->heartbeat_at) == 0 && !l->dead) {
		link_send(l->link, FRAME_HEARTBEAT, NULL, 0);
		l->heartbeat_at = deadline_after_ms(HEARTBEAT_INTERVAL_MS);
	}
	if (l->wish != WISH_NONE || l->news)
		pthread_kill(l->capturing, SIGUSR1);
}

static void service(struct leader *l, struct pollfd *p)
{
	uint64_t drop;

	if (p[POLL_WAKE].revents)
		(void)!read(l->wake_fd, &drop, sizeof(drop));
	if (p[POLL_LINK].revents && !l->dead) {
		if (link_queued(l->link))
			link_flush(l->link);
		read_link(l);
	}
	if (p[POLL_STDIN].revents && l->stdio[0] >= 0)
		write_stdin(l);
	for (int i = 1; i < 3; i++)
		if (p[POLL_STDIN + i].revents && l->stdio[i] >= 0)
			read_output(l, i);
	on_timers(l);
	if (!l->dead)
		link_flush(l->link);
}

static void *link_main(void *arg)
{
	struct leader *l = arg;
	struct pollfd p[_POLL_MAX];

	lock(l);
	l->heartbeat_at = deadline_after_ms(HEARTBEAT_INTERVAL_MS);
	l->heard_at = l->looked_at = time_now_ms();
	while (!l->ending) {
		int timeout;

		fill_poll(l, p);
		timeout = link_timeout(l);
		unlock(l);
		if (poll(p, _POLL_MAX, timeout) < 0)
			memset(p, 0, sizeof(p));
		lock(l);
		l->link_thread_sleeps = false;
		service(l, p);
	}
	unlock(l);
	return NULL;
}

/* ---- life ------------------------------------------------------------------------------------- */

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
	memcpy(l->stdio, stdio_fds, sizeof(l->stdio));
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->progress, &monotonic);
	pthread_condattr_destroy(&monotonic);
	sigaction(SIGUSR1, &sa, NULL);
	r = l->wake_fd < 0 ? errno : pthread_create(&l->thread, NULL, link_main, l);
	if (r) {
		cleanup_close_fn(&l->wake_fd);
		free(l);
		return -r;
	}
	*ret = l;
	return 0;
}

/* lock held. What the program's pipes hold, which is not much. */
static void drain_output(struct leader *l)
{
	for (int i = 1; i < 3; i++)
		while (l->stdio[i] >= 0 && !l->dead && link_queued(l->link) < LINK_QUEUE_MAX / 2) {
			struct pollfd p = { l->stdio[i], POLLIN, 0 };

			if (poll(&p, 1, 0) <= 0)
				break;
			read_output(l, i);
		}
}

void leader_ended(struct leader *l, const struct exited *e)
{
	struct writer w = { 0 };

	exited_encode(&w, e);
	lock(l);
	drain_output(l);
	unlock(l);
	leader_send(l, FRAME_EXITED, w.data, w.len);
	writer_free(&w);
}

void leader_free(struct leader *l)
{
	lock(l);
	send_batch(l);
	drain_output(l);
	l->ending = true;
	unlock(l);
	wake_link_thread(l);
	pthread_join(l->thread, NULL);
	if (!l->dead)
		link_drain(l->link, PEER_TIMEOUT_MS);
	for (int i = 0; i < 3; i++)
		cleanup_close_fn(&l->stdio[i]);
	close(l->wake_fd);
	writer_free(&l->batch);
	free(l->stdin_data);
	pthread_cond_destroy(&l->progress);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
