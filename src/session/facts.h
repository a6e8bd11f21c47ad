/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node knows about the files that its variant begins with: the program, the interpreters of a
 * script, the dynamic loader, the shared libraries. The hub compares the leader's with each
 * follower's before anything runs: two versions of a program are two programs, and differ without
 * any attack.
 */
#ifndef CHIRAL_SESSION_FACTS_H
#define CHIRAL_SESSION_FACTS_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fact_role {
	FACT_SCRIPT,	/* begins with #!; the file after it is its interpreter */
	FACT_PROGRAM,	/* the ELF file that the kernel executes */
	FACT_LOADER,	/* PT_INTERP */
	FACT_LIBRARY,	/* of the loader's search, DT_NEEDED and those of the needed */
	_FACT_ROLE_MAX,
};

/* What tells two files with the same name apart. */
enum fact_id {
	FACT_ID_NONE,
	FACT_ID_BUILD,	/* the linker's build id */
	FACT_ID_DIGEST, /* BLAKE2b of all bytes */
	_FACT_ID_MAX,
};

#define FACTS_MAX 1024u
#define FACT_ID_SIZE_MAX 32u
#define FACT_PATH_MAX 4096u	/* bytes of name and path */
#define FACT_PACKAGE_MAX 255u	/* bytes of package and version */

struct fact {
	uint8_t role;
	uint8_t id_kind, id_size;
	uint8_t id[FACT_ID_SIZE_MAX];
	char *name;	/* as it is asked for: a path, or a library's DT_NEEDED */
	char *path;	/* where it is, links resolved; "": not on this node */
	char *package;	/* of the distribution, without its architecture; "": of none, or not known */
	char *version;	/* of the package */
};

/* Zero-initialised is empty. The first file is what was asked to be executed. */
struct facts {
	uint8_t isa;	/* enum isa of the node */
	struct fact *v;
	size_t n;
};

/* Appends a file with copies of name and path, other fields empty. NULL when out of memory or full. */
struct fact *facts_add(struct facts *f, enum fact_role role, const char *name, const char *path);
/* The strings are copied; both or none. 0 or -ENOMEM. */
int fact_set_package(struct fact *f, const char *package, const char *version);
/* A copy of from. 0 or -ENOMEM (ret is untouched). */
int facts_copy(const struct facts *from, struct facts *ret);
void facts_free(struct facts *f);

/* u8 ISA, u32 number, the files. */
void facts_encode(struct writer *w, const struct facts *f);
/* Takes what facts_encode() wrote; r fails when it is malformed, and ret is empty then. */
void facts_decode(struct reader *r, struct facts *ret);

/* One sentence about a difference; refuse: the session must not run with it. */
typedef void facts_say(void *arg, bool refuse, const char *text);

/*
 * Compares what two nodes have; a and b are the nodes' names for the sentences. Refused: other
 * scripts, other kinds of file, other packages or versions of the program, other builds on nodes of
 * one ISA, a library that one node lacks. Said only: an update to Debian's stable release (+debNuM)
 * that one node lacks, other versions of loader and libraries, a program that belongs to a package on
 * one node. Where nothing is known nothing is said. A binary rebuild (+bN) is the same version.
 */
void facts_compare(const struct facts *fa, const char *a, const struct facts *fb, const char *b,
		   facts_say *say, void *arg);

#endif
