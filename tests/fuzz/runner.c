/* SPDX-License-Identifier: Apache-2.0 */
/* main() of a target without libFuzzer: see fuzz.h. */
#include "fuzz.h"
#include "seeds.h"

static unsigned long runs;

/* Of exactly this size, so that a sanitizer or valgrind sees a read behind the end. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	runs++;
}

static void run_variations(const void *data, size_t size)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	size_t step = size / 100 + 1; /* targets may have a thousand seeds */
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	for (size_t i = 0; i < size; i += step)
		run(copy, i);
	run(copy, size);
	for (size_t i = 0; i < size; i += step) {
		uint8_t keep = copy[i];

		for (size_t v = 0; v < sizeof(values); v++) {
			copy[i] = values[v];
			run(copy, size);
			copy[i] = keep ^ (uint8_t)(1u << v);
			run(copy, size);
		}
		copy[i] = keep;
	}
	copy[size] = 0;
	run(copy, size + 1);
	free(copy);
}

static void run_file(const char *path)
{
	FILE *f = fopen(path, "re");
	uint8_t *data = NULL;
	size_t size = 0, n;

	if (!f) {
		perror(path);
		exit(1);
	}
	do {
		data = realloc(data, size + 65536);
		if (!data)
			abort();
		n = fread(data + size, 1, 65536, f);
		size += n;
	} while (n);
	fclose(f);
	run(data, size);
	free(data);
}

int main(int argc, char **argv)
{
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc == 1)
		fuzz_each_seed(run_variations);
	printf("%lu inputs\n", runs);
	return runs ? 0 : 1;
}
