/* SPDX-License-Identifier: Apache-2.0 */
#include "link_util.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static char dir[] = P_tmpdir "/chiral-transport.XXXXXX";
static char address[64], *path = address + 5;

static int setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(address, sizeof(address), "unix:%s/s", dir);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir);
}

static void check_pair(int listener, const char *to)
{
	struct link *a, *b;
	struct frame f;
	int c = transport_connect(to, 1000), s;

	assert_true(c >= 0);
	s = transport_accept(listener, 1000);
	assert_true(s >= 0);
	assert_true(fcntl(c, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(s, F_GETFD) & FD_CLOEXEC);
	assert_false(fcntl(c, F_GETFL) & O_NONBLOCK);
	assert_int_equal(link_new(c, "a", &b), 0);
	assert_int_equal(link_new(s, "b", &a), 0);
	assert_int_equal(link_send(a, FRAME_ACK, "hello", 5), 0);
	assert_int_equal(link_flush(a), 1);
	assert_int_equal(link_recv_wait(b, 1000, &f), 1);
	assert_memory_equal(f.body, "hello", 5);
	link_free(a);
	link_free(b);
}

static void check_no_delay(int listener, const char *to)
{
	int c = transport_connect(to, 1000), s = transport_accept(listener, 1000), on = 0;
	socklen_t len = sizeof(on);

	assert_int_equal(getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_int_equal(on, 1);
	on = 0;
	assert_int_equal(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_int_equal(on, 1);
	close(c);
	close(s);
}

static void test_tcp4(void **state)
{
	char *final;
	int l = transport_listen("tcp://127.0.0.1:0", &final);

	assert_true(l >= 0);
	assert_memory_equal(final, "tcp://127.0.0.1:", 16);
	assert_string_not_equal(final, "tcp://127.0.0.1:0");
	check_pair(l, final);
	check_no_delay(l, final);
	/* taken */
	assert_int_equal(transport_listen(final, NULL), -EADDRINUSE);
	free(final);
	close(l);
}

static void test_tcp6(void **state)
{
	char *final;
	int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), l;
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (probe < 0 || bind(probe, (struct sockaddr *)&a, sizeof(a)) < 0)
		skip(); /* this machine has no IPv6 */
	close(probe);
	l = transport_listen("tcp://[::1]:0", &final);
	assert_true(l >= 0);
	assert_memory_equal(final, "tcp://[::1]:", 12);
	check_pair(l, final);
	check_no_delay(l, final);
	free(final);
	close(l);
}

static void test_unix(void **state)
{
	struct stat st;
	char *final;
	int l, again;

	umask(0);
	l = transport_listen(address, &final);
	assert_true(l >= 0);
	assert_string_equal(final, address);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	check_pair(l, address);
	/* served: stays; left over: replaced; no socket: stays */
	assert_int_equal(transport_listen(address, NULL), -EADDRINUSE);
	close(transport_accept(l, 1000)); /* the question whether it is served */
	check_pair(l, address);
	close(l);
	again = transport_listen(address, NULL);
	assert_true(again >= 0);
	close(again);
	unlink(path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(transport_listen(address, NULL), -EADDRINUSE);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	unlink(path);
	free(final);
}

static void *late_listener(void *arg)
{
	int l, s;

	usleep(150000);
	l = transport_listen(arg, NULL);
	s = transport_accept(l, 2000);
	close(l);
	return (void *)(intptr_t)s;
}

/* The side that connects may come first. */
static void test_connect_first(void **state)
{
	char *tcp, *addresses[2] = { address, NULL };

	close(transport_listen("tcp://127.0.0.1:0", &tcp)); /* a port that is free now */
	addresses[1] = tcp;
	for (int i = 0; i < 2; i++) {
		pthread_t t;
		void *s;
		int c;

		unlink(path);
		pthread_create(&t, NULL, late_listener, addresses[i]);
		c = transport_connect(addresses[i], 5000);
		assert_true(c >= 0);
		pthread_join(t, &s);
		assert_true((intptr_t)s >= 0);
		close(c);
		close((int)(intptr_t)s);
	}
	unlink(path);
	free(tcp);
}

static void test_timeouts(void **state)
{
	int64_t before = time_now_ms();
	char *final;
	int l;

	assert_int_equal(transport_connect(address, 120), -ENOENT);
	assert_true(time_now_ms() - before >= 119);
	before = time_now_ms();
	assert_int_equal(transport_connect(address, 0), -ENOENT);
	assert_true(time_now_ms() - before < 100);
	l = transport_listen("tcp://127.0.0.1:0", &final);
	assert_int_equal(transport_accept(l, 30), -ETIMEDOUT);
	assert_int_equal(transport_accept(l, 0), -ETIMEDOUT);
	close(l);
	assert_int_equal(transport_connect(final, 60), -ECONNREFUSED);
	free(final);
}

static void test_bad_addresses(void **state)
{
	static const char *const bad[] = {
		"",		   "tcp://",	      "tcp://127.0.0.1", "tcp://127.0.0.1:",
		"tcp://:80",	   "tcp://::1:80",    "tcp://[::1]80",	 "tcp://[]:80",
		"tcp://[::1:80",   "udp://x:1",	      "unix:",		 "127.0.0.1:80",
		"tcp://x:http",	   "tcp://x:65536",   "tcp://x:-1",	 "tcp://x:1 ",
	};
	char long_path[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(transport_connect(bad[i], 5000), -EINVAL);
		assert_int_equal(transport_listen(bad[i], NULL), -EINVAL);
	}
	memset(long_path, 'x', sizeof(long_path));
	memcpy(long_path, "unix:/", 6);
	long_path[sizeof(long_path) - 1] = 0;
	assert_int_equal(transport_connect(long_path, 5000), -ENAMETOOLONG);
}

/* An interface of the namespace's own, up and with this address. */
static int add_address(int fd, const char *name, const char *address)
{
	struct ifreq r = { 0 };
	struct sockaddr_in *a = (struct sockaddr_in *)&r.ifr_addr;

	strcpy(r.ifr_name, name);
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = inet_addr(address);
	if (ioctl(fd, SIOCSIFADDR, &r) < 0)
		return -1;
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &r);
}

/* In a network namespace whose loopback interface has an address that looks like another machine's.
 * 77: not allowed to make one; else the number of warnings after two connections. */
static int count_warnings(const char *host)
{
	char listen_on[64], *final, text[4096] = "";
	int log = memfd_create("log", MFD_CLOEXEC), fd, l, count = 0;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 && unshare(CLONE_NEWNET) < 0)
		return 77;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (add_address(fd, "lo", "127.0.0.1") < 0 || add_address(fd, "lo:1", "192.0.2.1") < 0)
		return 77;
	snprintf(listen_on, sizeof(listen_on), "tcp://%s:0", host);
	dup2(log, STDERR_FILENO);
	l = transport_listen(listen_on, &final);
	for (int i = 0; i < 2; i++)
		if (transport_connect(final, 1000) < 0 || transport_accept(l, 1000) < 0)
			return 99;
	if (pread(log, text, sizeof(text) - 1, 0) < 0)
		return 99;
	for (char *p = text; (p = strstr(p, "is neither encrypted nor authenticated")); p++)
		count++;
	return strstr(text, "127.0.0.1") ? 98 : count;
}

static void test_plaintext_warning(void **state)
{
	static const struct {
		const char *host;
		int warnings;
	} rows[] = { { "127.0.0.1", 0 }, { "192.0.2.1", 1 } };

	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(count_warnings(rows[i].host));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip(); /* no namespaces here */
		assert_int_equal(WEXITSTATUS(status), rows[i].warnings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp4),	      cmocka_unit_test(test_tcp6),
		cmocka_unit_test(test_unix),	      cmocka_unit_test(test_connect_first),
		cmocka_unit_test(test_timeouts),      cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_plaintext_warning),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
