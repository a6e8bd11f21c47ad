/* SPDX-License-Identifier: Apache-2.0 */
/* An epoll echo server. It writes what it receives to its standard output, too. */
#include "server.h"

#include <errno.h>
#include <unistd.h>

int server_read_request(int fd)
{
	char buf[512];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0)
		return -1;
	if (write(STDOUT_FILENO, buf, (size_t)n) < 0)
		return -1;
	return server_send(fd, buf, (size_t)n) < 0 ? -1 : 1;
}

int main(int argc, char **argv)
{
	return server_main(argc, argv);
}
