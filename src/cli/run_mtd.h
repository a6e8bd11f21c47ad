/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIRAL_CLI_RUN_MTD_H
#define CHIRAL_CLI_RUN_MTD_H

/* The value of --mode when it is the first option of `chiral run`, otherwise NULL. Borrowed. */
const char *run_mode(int argc, char **argv);
/* `chiral run --mode mtd ...`. Returns the exit status. */
int cmd_run_mtd(int argc, char **argv);

#endif
