/* SPDX-License-Identifier: Apache-2.0 */
#include "event/names.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>

/* Results that only a tracer sees: the kernel turns them into EINTR or makes the call again. */
static const char *const restart_names[] = {
	[0] = "ERESTARTSYS",
	[1] = "ERESTARTNOINTR",
	[2] = "ERESTARTNOHAND",
	[4] = "ERESTART_RESTARTBLOCK",
};
#define RESTART_FIRST 512
#define RESTART_LAST  516

const char *errno_name(int err)
{
	if (err >= RESTART_FIRST && err <= RESTART_LAST)
		return restart_names[err - RESTART_FIRST];
	return strerrorname_np(err);
}

const char *errno_text(int err)
{
	const char *text;

	if (err >= RESTART_FIRST && err <= RESTART_LAST)
		return "To be restarted";
	text = strerrordesc_np(err);
	return text ? text : "Unknown error";
}

const char *signal_name(int signal)
{
	return sigabbrev_np(signal);
}

const char *family_name(unsigned family)
{
	switch (family) {
#define X(name)                                                                                    \
	case name:                                                                                 \
		return #name
		X(AF_UNSPEC);
		X(AF_UNIX);
		X(AF_INET);
		X(AF_INET6);
		X(AF_NETLINK);
		X(AF_PACKET);
		X(AF_VSOCK);
#undef X
	default:
		return NULL;
	}
}
