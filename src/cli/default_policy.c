/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/default_policy.h"

#include "policy/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

const char *default_policy_file(void)
{
	const char *named = getenv("CHIRAL_POLICY");
	struct stat st;

	if (named && *named)
		return named;
	if (stat(POLICY_DEFAULT_FILE, &st) == 0 || (errno != ENOENT && errno != ENOTDIR))
		return POLICY_DEFAULT_FILE;
	return NULL;
}
