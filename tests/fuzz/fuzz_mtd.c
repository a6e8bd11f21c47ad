/* SPDX-License-Identifier: Apache-2.0 */
/* Points files and manifests: what was accepted is inside its bounds. */
#include "fuzz.h"

#include "mtd/manifest.h"
#include "mtd/points.h"
#include "mtd/runtime/session.h"

static void try_points(const char *text, size_t n)
{
	struct mtd_points p;
	const char *what = NULL;
	unsigned line = 0;
	int r = mtd_points_parse(text, n, &p, &line, &what);

	if (r < 0) {
		fuzz_check(what && line);
		return;
	}
	fuzz_check(p.n <= MTD_POINTS_MAX);
	for (size_t i = 0; i < p.n; i++) {
		fuzz_check(p.v[i].entry || p.v[i].exit);
		fuzz_check(p.v[i].from_home <= MTD_MILLION && p.v[i].to_home <= MTD_MILLION);
		fuzz_check(*p.v[i].function && mtd_points_find(&p, p.v[i].function, true));
	}
	mtd_points_free(&p);
}

static void try_manifest(const char *text, size_t n)
{
	struct mtd_manifest m;

	if (mtd_manifest_parse(text, n, &m) < 0)
		return;
	for (size_t i = 0; i < m.n; i++)
		fuzz_check(m.points[i].id < MTD_MAX_FUNCTIONS && *m.points[i].function &&
			   (m.points[i].entry || m.points[i].exit));
	mtd_manifest_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_points((const char *)data, size);
	try_manifest((const char *)data, size);
	return 0;
}

void fuzz_seeds(void)
{
	static const char points[] = "# c\nserve entry 10% 0.5%\nflush exit\n** entry,exit 0.0001%\n";
	static const char manifest[] = "chiral-mtd 1\nbuild-id 0123456789abcdef0123456789abcdef\n"
				       "point 17 serve entry,exit\n";

	fuzz_seed(points, sizeof(points) - 1);
	fuzz_seed(manifest, sizeof(manifest) - 1);
}
