/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages for people, on stderr. One sentence each, naming the object and what to do.
 *
 * The format is "chiral: TEXT\n"; colour is used only when stderr is a terminal. All functions are
 * thread-safe (one write(2) a message).
 */
#ifndef CHIRAL_BASE_LOG_H
#define CHIRAL_BASE_LOG_H

/* Prefix that names the process in every message, e.g. "chiral" or "chiral[leader]". Borrowed. */
void log_set_name(const char *name);

/* Prints an error; returns -err (so `return log_errno(errno, "...")` works); err may be 0 (returns 0).
 * ": strerror(err)" is appended when err > 0. */
int log_errno(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Printed only when CHIRAL_DEBUG is set in the environment. */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
