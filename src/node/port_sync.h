/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the two ends of a virtio-serial port agree where a connection begins.
 *
 * A port is a pipe that never breaks: bytes of an earlier connection may still be in it, and a host
 * that left and came back at once may look to the guest as if it had never gone. So each connection
 * begins with four records that carry a nonce of the host:
 *
 *	host SYN(n), again while nothing comes; guest ACK(n); host GO(n); guest READY(n)
 *
 * Each side drops all bytes up to the record that it waits for. After GO the host sends nothing and
 * after READY the guest nothing of the old: what follows belongs to the connection.
 */
#ifndef CHIRAL_NODE_PORT_SYNC_H
#define CHIRAL_NODE_PORT_SYNC_H

/* Host: 0 when fd is ready for HELLO; -ETIMEDOUT, -EPIPE when QEMU went away, -errno. fd may be
 * blocking or not. */
int port_sync_host(int fd, int timeout_ms);

/* Guest: waits, as long as the host is connected, for it to open a connection. 0, -EPIPE when the
 * host went, -errno. fd is non-blocking. */
int port_sync_guest(int fd);

#endif
