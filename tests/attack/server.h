/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop that the servers under attack share: accept, non-blocking, edge-triggered epoll with
 * pointers as cookies (so that Chiral has to translate them).
 */
#ifndef TESTS_ATTACK_SERVER_H
#define TESTS_ATTACK_SERVER_H

/* The client that is being served: where pwned() writes. -1: none. */
extern int server_client;

/*
 * Called when client fd (non-blocking) is readable, until it says that nothing is left.
 * 1: call again, 0: nothing to read now, -1: the client is gone.
 */
int server_read_request(int fd);

/* Listens on argv[1] (IPv4 address) port argv[2] and serves until SIGTERM. Exit status. */
int server_main(int argc, char **argv);

/* All of buf to a client, waiting where its socket is full. 0 or -1. */
int server_send(int fd, const void *buf, unsigned long len);

#endif
