/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vulnerable twin of echod: 128 bytes are read into a buffer of 16. pwned() is called by nobody;
 * exploit.py makes the payload that returns to it. Built without the compiler's defences.
 */
#include "server.h"

#include <errno.h>
#include <unistd.h>

void pwned(void);
void pwned(void)
{
	static const char text[] = "pwned\n";

	write(server_client, text, sizeof(text) - 1);
	_exit(66);
}

/* Hides from the compiler that the buffer is smaller than what is read into it. */
static volatile unsigned long read_size = 128;

__attribute__((noinline)) int server_read_request(int fd)
{
	char buf[16];
	ssize_t n = read(fd, buf, read_size);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0)
		return -1;
	return server_send(fd, buf, (size_t)n) < 0 ? -1 : 1;
}

int main(int argc, char **argv)
{
	return server_main(argc, argv);
}
