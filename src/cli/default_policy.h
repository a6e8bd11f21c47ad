/* SPDX-License-Identifier: Apache-2.0 */
/* Where a session's policy is when the command line does not say. */
#ifndef CHIRAL_CLI_DEFAULT_POLICY_H
#define CHIRAL_CLI_DEFAULT_POLICY_H

/* $CHIRAL_POLICY, or /etc/chiral/policy.yaml when something of that name exists; NULL: no policy. Whether
 * it can be read is not asked: one that cannot is an error, not the absence of a policy. */
const char *default_policy_file(void);

#endif
