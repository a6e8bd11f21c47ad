/* SPDX-License-Identifier: Apache-2.0 */
/* From the kernel's first instruction to the program's first function. */
#include "mtd/runtime/runtime.h"

#include "calls.h"

enum { PROT_READ = 1, PROT_WRITE = 2, MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_FIXED = 0x10,
       MAP_ANONYMOUS = 0x20, MAP_NORESERVE = 0x4000 };

struct node mtd_node = { .role = ROLE_ALONE, .memory = -1, .config_fd = -1, .link = -1, .pages = -1 };

/* Thread-local variables of the runtime only; x86-64 puts them below the pointer, aarch64 above. */
static char tls_area[1024] __attribute__((aligned(64)));

struct mtd_tls_entry {
	uint64_t offset, size;
	const void *initial;
};
extern const struct mtd_tls_entry __mtd_tls_table[];
extern const uint64_t __mtd_tls_count;
extern char __mtd_data_start[], __mtd_data_end[];

static void *map(uint64_t at, uint64_t size, int prot, int flags, int fd, uint64_t offset)
{
	long r = isa_call(OWN_mmap, (long)at, (long)size, prot, flags, fd, (long)offset);

	if (r < 0 && r > -4096)
		die_number("the kernel gives no memory; error ", (uint64_t)-r);
	return (void *)r;
}

/* ---- what the launcher gives ----------------------------------------------------------------- */

static const char *value_of(const char *variable, const char *name)
{
	while (*name)
		if (*name++ != *variable++)
			return NULL;
	return *variable == '=' ? variable + 1 : NULL;
}

static int parse_descriptor(const char **p)
{
	int n = 0, digits = 0;

	if (**p != ':')
		die("the variable CHIRAL_MTD is not Chiral's; unset it");
	for ((*p)++; **p >= '0' && **p <= '9' && digits < 9; (*p)++, digits++)
		n = n * 10 + (**p - '0');
	if (!digits)
		die("the variable CHIRAL_MTD is not Chiral's; unset it");
	return n;
}

static void take_role(const char *text)
{
	const char *p = text;

	while (*p && *p != ':')
		p++;
	if (p - text == 4 && !__builtin_memcmp(text, "home", 4))
		mtd_node.role = ROLE_HOME;
	else if (p - text == 5 && !__builtin_memcmp(text, "other", 5))
		mtd_node.role = ROLE_OTHER;
	else
		die("the variable CHIRAL_MTD is not Chiral's; unset it");
	mtd_node.memory = parse_descriptor(&p);
	mtd_node.config_fd = parse_descriptor(&p);
	mtd_node.link = parse_descriptor(&p);
	if (*p) {
		mtd_node.pages = parse_descriptor(&p);
		mtd_node.how = (enum mtd_how)parse_descriptor(&p);
	}
	if (*p || mtd_node.how >= _MTD_HOW_MAX)
		die("the variable CHIRAL_MTD is not Chiral's; unset it");
}

static void map_config(void)
{
	const struct mtd_config *c = map(0, MTD_PAGE, PROT_READ, MAP_SHARED, mtd_node.config_fd, 0);
	uint64_t size = sizeof(*c) + c->n_functions * sizeof(c->rate[0]);

	if (c->magic != MTD_CONFIG_MAGIC || c->n_functions > MTD_MAX_FUNCTIONS)
		die("the configuration is not of this version of Chiral");
	mtd_node.config = map(0, size, PROT_READ, MAP_SHARED, mtd_node.config_fd, 0);
}

/* ---- memory ---------------------------------------------------------------------------------- */

uint64_t memory_offset(uint64_t at)
{
	return at >= MTD_HEAP ? at - MTD_HEAP + MTD_HEAP_OFFSET : at - MTD_SHARED;
}

static void map_region(uint64_t at, uint64_t size)
{
	int alone = mtd_node.role == ROLE_ALONE;

	map(at, size, PROT_READ | PROT_WRITE,
	    MAP_FIXED | (alone ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED),
	    alone ? -1 : mtd_node.memory, alone ? 0 : memory_offset(at));
}

static uint64_t stack_of(enum role role)
{
	return MTD_STACKS + (role == ROLE_OTHER ? MTD_STACK_STEP : 0);
}

void *home_stack_top(void)
{
	return (void *)(stack_of(ROLE_HOME) + MTD_STACK_SIZE);
}

uint64_t data_size(void)
{
	return (uint64_t)(__mtd_data_end - __mtd_data_start);
}

/* Home's initialised data becomes the shared memory's; the other node just looks at it. */
static void share_data(void)
{
	char *copy;

	if (mtd_node.role == ROLE_HOME && data_size()) {
		copy = map(0, data_size(), PROT_READ | PROT_WRITE, MAP_SHARED, mtd_node.memory, 0);
		__builtin_memcpy(copy, __mtd_data_start, data_size());
	}
}

static void map_all(void)
{
	/* The other node's stack as well: home's kernel reads and writes buffers there. */
#define MAP_REGION(at, size) map_region(at, size);
	MTD_REGIONS(MAP_REGION)
	if (mtd_node.role != ROLE_OTHER)
		map_region(stack_of(ROLE_HOME), MTD_STACK_SIZE);
	if (mtd_node.role != ROLE_ALONE && data_size())
		map_region(MTD_DATA, data_size());
}

void memory_map_regions(void)
{
	share_data();
	map_all();
}

void memory_map_copy(void)
{
	map_all();
}

static void init_thread_block(void)
{
	for (uint64_t i = 0; i < __mtd_tls_count; i++)
		__builtin_memcpy((char *)MTD_THREAD + __mtd_tls_table[i].offset,
				 __mtd_tls_table[i].initial, __mtd_tls_table[i].size);
}

/* ---- arguments ------------------------------------------------------------------------------- */

/* Writes to the heap's begin: argc, argv, NULL, environment, NULL, an empty auxiliary vector, strings.
 * The strings of the kernel's stack are this node's only. */
struct copier {
	uint64_t *slot;
	char *text;
	const char *end;
};

static void copy_string(struct copier *c, const char *s)
{
	*c->slot++ = (uint64_t)c->text;
	do {
		if (c->text >= c->end)
			die("the arguments and the environment are too long");
		*c->text++ = *s;
	} while (*s++);
}

#define ARGUMENTS_MAX (4ul << 20)

static void share_arguments(int argc, char **argv, char **env)
{
	struct copier c = { .slot = (uint64_t *)MTD_HEAP };
	uint64_t n = (uint64_t)argc + 8, used;

	for (char **e = env; *e; e++)
		n++;
	c.text = (char *)MTD_HEAP + n * sizeof(uint64_t);
	c.end = (char *)MTD_HEAP + ARGUMENTS_MAX;
	if (c.text >= c.end)
		die("the arguments and the environment are too long");
	*c.slot++ = (uint64_t)argc;
	for (int i = 0; i < argc; i++)
		copy_string(&c, argv[i]);
	*c.slot++ = 0;
	for (char **e = env; *e; e++)
		if (!value_of(*e, MTD_ENVIRONMENT))
			copy_string(&c, *e);
	*c.slot++ = 0;
	used = (uint64_t)c.text - MTD_HEAP;
	memory_init(used);
}

/* ---- start ----------------------------------------------------------------------------------- */

void mtd_start(uint64_t *sp)
{
	int argc = (int)sp[0];
	char **argv = (char **)(sp + 1), **env = argv + argc + 1;

	isa_set_thread_pointer(tls_area + sizeof(tls_area) / 2);
	for (char **e = env; *e; e++)
		if (value_of(*e, MTD_ENVIRONMENT))
			take_role(value_of(*e, MTD_ENVIRONMENT));
	if (mtd_node.role != ROLE_ALONE)
		map_config();
	memory_map_regions();
	if (mtd_node.role != ROLE_OTHER) {
		init_thread_block();
		share_arguments(argc, argv, env);
	}
	if (mtd_node.role == ROLE_OTHER) {
		handlers_begin();
		look_begin();
	}
	if (mtd_node.pages >= 0)
		pages_begin(data_size());
	if (mtd_node.role != ROLE_ALONE)
		link_greet();
	isa_run_on_stack((void *)(stack_of(mtd_node.role) + MTD_STACK_SIZE), run_thread);
}
