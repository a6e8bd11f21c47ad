/* SPDX-License-Identifier: Apache-2.0 */
/* `--seeds DIR` for both builds: libFuzzer calls LLVMFuzzerInitialize() before it looks at argv. */
#include "fuzz.h"
#include "seeds.h"

static void (*seed_sink)(const void *data, size_t size);
static const char *seed_dir;
static int seed_count;

void fuzz_seed(const void *data, size_t size)
{
	seed_sink(data, size);
}

void fuzz_each_seed(void (*sink)(const void *data, size_t size))
{
	seed_sink = sink;
	fuzz_seeds();
}

static void write_seed(const void *data, size_t size)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/seed-%03d", seed_dir, seed_count++);
	f = fopen(path, "we");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f)) {
		perror(path);
		exit(1);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (*argc == 3 && !strcmp((*argv)[1], "--seeds")) {
		seed_dir = (*argv)[2];
		fuzz_each_seed(write_seed);
		exit(seed_count ? 0 : 1);
	}
	return 0;
}
