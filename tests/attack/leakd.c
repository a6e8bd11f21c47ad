/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends an address of its own on request: "stack", "heap", "code", each as text, and "raw" as the
 * eight bytes of a stack address. Anything else is echoed.
 */
#include "server.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int leakd_answer(int fd, const char *request, size_t len)
{
	char text[64];
	static void *heap;
	uintptr_t address;

	if (!heap)
		heap = malloc(32);
	if (!strncmp(request, "stack", 5)) {
		address = (uintptr_t)text;
	} else if (!strncmp(request, "heap", 4)) {
		address = (uintptr_t)heap;
	} else if (!strncmp(request, "code", 4)) {
		address = (uintptr_t)leakd_answer;
	} else if (!strncmp(request, "raw", 3)) {
		address = (uintptr_t)text;
		return server_send(fd, &address, sizeof(address));
	} else {
		return server_send(fd, request, len);
	}
	return server_send(fd, text, (size_t)snprintf(text, sizeof(text), "%#lx\n",
						      (unsigned long)address));
}

int server_read_request(int fd)
{
	char buf[64];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0)
		return -1;
	buf[n] = '\0';
	return leakd_answer(fd, buf, (size_t)n) < 0 ? -1 : 1;
}

int main(int argc, char **argv)
{
	return server_main(argc, argv);
}
