/* SPDX-License-Identifier: Apache-2.0 */
/* Names of numbers that are the same on all ISAs. Internal to src/event. */
#ifndef CHIRAL_EVENT_NAMES_H
#define CHIRAL_EVENT_NAMES_H

/* "EAGAIN", also the kernel's ERESTART*; NULL when unknown. */
const char *errno_name(int err);
/* "Resource temporarily unavailable"; never NULL. */
const char *errno_text(int err);
/* "INT" for SIGINT; NULL for real-time and unknown signals. */
const char *signal_name(int signal);
/* "AF_INET"; NULL when unknown. */
const char *family_name(unsigned family);

#endif
