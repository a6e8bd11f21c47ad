/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What C can do with a stack, in one program: it prints the same wherever and however often it moves.
 * usage: language [ROUNDS]
 */
#include <complex.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <search.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

/* Home's kernel is an x86-64 one. */
_Static_assert(sizeof(struct epoll_event) == 12, "x86-64's structures hold on both");

static unsigned long digest = 5381;

static NOINLINE void add(const void *p, size_t n)
{
	for (const unsigned char *c = p; n--; c++)
		digest = digest * 33 + *c;
}

#define ADD(v)                                                                                     \
	do {                                                                                       \
		__typeof__(v) copy_ = (v);                                                         \
		add(&copy_, sizeof(copy_));                                                        \
	} while (0)

/* ---- recursion, pointers to locals ------------------------------------------------------------ */

struct list {
	int value;
	struct list *next;	/* in the caller's frame */
};

static NOINLINE int sum(const struct list *l)
{
	return l ? l->value + sum(l->next) : 0;
}

static NOINLINE int chain(int n, struct list *below)
{
	struct list here = { n, below };

	if (n == 0)
		return sum(&here);
	here.value *= 3;
	return chain(n - 1, &here) + here.value;
}

static NOINLINE int ackermann(int m, int n)
{
	if (!m)
		return n + 1;
	return n ? ackermann(m - 1, ackermann(m, n - 1)) : ackermann(m - 1, 1);
}

/* ---- structures by value, large results, 128 bits ---------------------------------------------- */

struct big {
	double d[3];
	int64_t i[3];
	char c[7];
};
struct hfa {
	float x, y, z;
};
struct pair {
	long a;
	double b;
};

static NOINLINE struct big make_big(int n, struct hfa h, struct pair p)
{
	struct big b = { { h.x, h.y * 2, p.b }, { n, p.a, n * p.a }, "abcdef" };

	b.c[n % 6] = 'X';
	return b;
}

static NOINLINE struct pair swap(struct pair p, struct big b)
{
	return (struct pair){ (long)p.b + b.i[2], (double)p.a + b.d[0] };
}

static NOINLINE unsigned __int128 power(unsigned __int128 x, unsigned n)
{
	return n ? x * power(x, n - 1) % ((unsigned __int128)1 << 100) : 1;
}

static NOINLINE double complex rotate(double complex z, int n)
{
	return n ? rotate(z * (0.8 + 0.6 * I), n - 1) : z;
}

typedef float v4 __attribute__((vector_size(16)));

static NOINLINE v4 scale(v4 v, int n)
{
	return n ? scale(v * 1.5f + (v4){ 1, 2, 3, 4 }, n - 1) : v;
}

static NOINLINE void values(int n)
{
	struct big b = make_big(n, (struct hfa){ 1.5f, 2.5f, 3 }, (struct pair){ n * 7L, n / 3.0 });
	struct pair p = swap((struct pair){ 5, 6.5 }, b);
	double complex z = rotate(1 + 2 * I, n % 9);
	v4 v = scale((v4){ 1, 1, 1, 1 }, n % 5);
	unsigned __int128 x = power(3 + n, 30);

	add(b.d, sizeof(b.d));
	add(b.i, sizeof(b.i));
	add(b.c, sizeof(b.c));
	ADD(p.a);
	ADD(p.b);
	ADD(creal(z));
	ADD(cimag(z));
	ADD(v);
	ADD(x);
	ADD(x / (n + 7));
	ADD((double)x);
}

/* ---- variadic functions, variable-length arrays, alloca ---------------------------------------- */

static NOINLINE double vsum(int n, va_list ap)
{
	double s = 0;

	for (int i = 0; i < n; i++) {
		switch (i % 4) {
		case 0:
			s += va_arg(ap, int);
			break;
		case 1:
			s += va_arg(ap, double);
			break;
		case 2:
			s += va_arg(ap, struct pair).b;
			break;
		default:
			s += strlen(va_arg(ap, char *));
		}
	}
	return s;
}

static NOINLINE double sum_of(int n, ...)
{
	va_list ap, copy;
	double s;

	va_start(ap, n);
	va_copy(copy, ap);
	s = vsum(n, ap) + 2 * vsum(n / 2, copy);
	va_end(copy);
	va_end(ap);
	return s;
}

static NOINLINE long vla(int n)
{
	long a[n], s = 0;
	char *parts[4];

	for (int i = 0; i < n; i++)
		a[i] = i * i + (n > 2 ? vla(n / 3) : n);
	for (int i = 0; i < 4; i++) {
		parts[i] = __builtin_alloca(16);	/* a new one each time */
		snprintf(parts[i], 16, "%d-%d", n, i);
	}
	for (int i = 0; i < 4; i++)
		add(parts[i], strlen(parts[i]));
	for (int i = 0; i < n; i++)
		s += a[i] * (i + 1);
	return s;
}

/* ---- callbacks, function pointers -------------------------------------------------------------- */

static int compared;
static __thread int visits = 3;
static __thread char label[20] = "label";

static NOINLINE int by_name(const void *a, const void *b)
{
	compared++;
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static NOINLINE int plain(const void *a, const void *b)
{
	return strcmp(a, b);
}

static NOINLINE void visit(const void *node, VISIT v, int level)
{
	if (v == leaf || v == postorder) {
		visits += level + 1;
		add(*(char *const *)node, 4);
	}
}

static NOINLINE int add2(int a, int b) { return a + b; }
static NOINLINE int mul2(int a, int b) { return a * b % 1009; }
static NOINLINE int sub2(int a, int b) { return a - b; }
static int (*const operations[])(int, int) = { add2, mul2, sub2 };

static NOINLINE void callbacks(int n)
{
	char **names = malloc(n * sizeof(*names));
	void *root = NULL;
	int x = 1;

	for (int i = 0; i < n; i++) {
		names[i] = malloc(32);
		snprintf(names[i], 32, "%03d-name-%d", i * 7919 % 1000, i);
	}
	qsort(names, n, sizeof(*names), by_name);
	for (int i = 0; i < n; i++) {
		add(names[i], 8);
		if (i % 3 == 0)
			tsearch(names[i], &root, plain);
		x = operations[(x + i) % 3](x, i + 2);
	}
	twalk(root, visit);
	while (root)
		tdelete(*(char **)root, &root, plain);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	label[visits % 5]++;
	add(label, sizeof(label));
	ADD(x);
	ADD(visits);
	ADD(compared);
}

/* ---- setjmp ------------------------------------------------------------------------------------ */

struct catcher {
	jmp_buf buffer;
	struct catcher *up;
	int code;
};
static struct catcher *catching;
static int thrown;

static NOINLINE _Noreturn void throw(int code)
{
	catching->code = code;
	thrown++;
	longjmp(catching->buffer, code);
}

static NOINLINE int risky(int n, int k)
{
	int local[4] = { n, k, n + k, n * k };

	if (n == 0) {
		if (k % 3 == 0)
			throw(k + 1);
		return k;
	}
	return risky(n - 1, k + local[0] % 2) + local[2];
}

static NOINLINE int guarded(int (*f)(int, int), int a, int b, int *ret_code)
{
	struct catcher c = { .up = catching };
	double d = a * 1.5;
	volatile int tries = 0;
	int r = -1, back;

	catching = &c;
	back = setjmp(c.buffer);
	tries++;
	if (!back)
		r = f(a, b);
	else
		r = 1000 + back;
	catching = c.up;
	*ret_code = c.code;
	return (int)(d * 2) + r + tries * 10000;
}

static NOINLINE int nested(int a, int b)
{
	int code, s = guarded(risky, a, b, &code);

	if (code > 3 && a > 4)
		throw(77);
	return s + code;
}

static NOINLINE void jumps(int n)
{
	for (int i = 0; i < n; i++) {
		int code, r = guarded(i & 1 ? nested : risky, i % 9, i % 7, &code);

		ADD(r);
		ADD(code);
	}
	ADD(thrown);
}

/* ---- the C library: floats, stdio, errno, files, memory ---------------------------------------- */

static NOINLINE void numbers(int n)
{
	char text[200];
	double d = sin(n * 0.7) * exp(n * 0.01) + pow(1.0001, n) + fma(n, 1.25, 0.5) + sqrt(n);

	snprintf(text, sizeof(text), "%-10s|%8.3e|%a|%+05d|%#x|%c|%5.1f%%|%.17g", "abc", d, d, n, n, 'z',
		 d, d / 3);
	add(text, strlen(text));
	ADD(strtod("3.25e2", NULL) + strtod("0x1.8p3", NULL) + atof("1e-5"));
	ADD(lround(d * 100));
	ADD(fmod(d, 0.37));
	ADD((float)d);
}

static NOINLINE int error_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static NOINLINE void files(int n)
{
	char path[] = "/tmp/chiral-language-XXXXXX", line[100];
	int fd = mkstemp(path), lines = 0;
	FILE *f = fdopen(fd, "w+");
	struct stat st;

	for (int i = 0; i < n; i++)
		fprintf(f, "line %d %.3f %s\n", i, i / 3.0, i % 3 ? "x" : "yy");
	fflush(f);
	rewind(f);
	while (fgets(line, sizeof(line), f)) {
		lines++;
		add(line, strlen(line));
	}
	ADD(fstat(fd, &st));
	ADD(st.st_size);
	ADD(S_ISREG(st.st_mode));
	fclose(f);
	unlink(path);
	ADD(lines);
	ADD(error_of("/nonexistent"));
	ADD(error_of("/etc/passwd"));
	ADD(error_of("/etc"));
	add(strerror(ENOENT), 10);
}

static NOINLINE void memory(int n)
{
	size_t size = 5 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	ADD(p[n] | p[size - 1]);
	memset(p, n, size);
	p = mremap(p, size, 2 * size, MREMAP_MAYMOVE);
	ADD(p[size - 1]);
	ADD(p[size]);
	munmap(p, 2 * size);
	q = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < size; i += 4096)
		ADD(q[i]);
	munmap(q, size);
	for (int i = 0; i < 50; i++) {
		void *a = malloc(i * 997), *b = realloc(malloc(i * 13), i * 5000);

		free(a);
		free(b);
	}
}

/* ---- labels as values ------------------------------------------------------------------------- */

/* An interpreter with a table of labels, and one with differences of labels. */
static NOINLINE int interpret(const char *program, int x)
{
	static void *const go[] = { &&increment, &&twice, &&call, &&end };

	goto *go[*program++ - '0'];
increment:
	x++;
	goto *go[*program++ - '0'];
twice:
	x *= 2;
	goto *go[*program++ - '0'];
call:
	x = add2(x, chain(x % 5, NULL));
	goto *go[*program++ - '0'];
end:
	return x;
}

static NOINLINE int differences(const char *program, int x)
{
	static const int at[] = { &&plus - &&plus, &&square - &&plus, &&end - &&plus };

	for (;;) {
		goto *(&&plus + at[*program++ - '0']);
plus:
		x = add2(x, 3);
		continue;
square:
		x = mul2(x, x);
		continue;
end:
		return x;
	}
}

static NOINLINE void labels(int n)
{
	ADD(interpret("0120210213", n));
	ADD(differences("01010012", n));
}

/* ---- a FILE whose functions are the program's: they switch under the C library's -------------------- */

struct cookie {
	char text[256];
	size_t n, at;
};

static NOINLINE ssize_t write_cookie(void *to, const char *text, size_t n)
{
	struct cookie *c = to;
	size_t k = 0;

	while (k < n && c->n < sizeof(c->text))
		c->text[c->n++] = (char)add2(text[k++], 1);
	return (ssize_t)k;
}

static NOINLINE ssize_t read_cookie(void *from, char *text, size_t n)
{
	struct cookie *c = from;
	size_t k = 0;

	while (k < n && c->at < c->n)
		text[k++] = (char)add2(c->text[c->at++], -1);
	return (ssize_t)k;
}

static NOINLINE void cookies(int n)
{
	struct cookie c = { .n = 0 };
	FILE *f = fopencookie(&c, "r+", (cookie_io_functions_t){ .read = read_cookie, .write = write_cookie });
	char line[100] = "";

	ADD(fprintf(f, "number %d, %s\n%.3f\n", n, "text", n / 3.0));
	ADD(fflush(f));
	ADD(fgets(line, sizeof(line), f) == line);
	add(line, strlen(line));
	ADD(getc(f));
	fclose(f);
	add(c.text, c.n);
}

static int constructed;

__attribute__((constructor)) static void construct(void)
{
	constructed = 42;
}

static NOINLINE void at_end(void)
{
	printf("at end %lx\n", digest);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 3;

	atexit(at_end);
	ADD(constructed);
	for (int i = 1; i <= rounds; i++) {
		ADD(chain(10 + i, NULL));
		ADD(ackermann(2, i % 3));
		values(i);
		ADD(sum_of(8, 1, 2.5, (struct pair){ 3, 4.5 }, "four", 5, 6.5, (struct pair){ 7, 8.5 },
			   "nine+"));
		ADD(vla(8 + i % 4));
		callbacks(20 + i);
		jumps(20);
		numbers(i);
		files(10);
		memory(i);
		labels(i);
		cookies(i);
		printf("round %d %lx\n", i, digest);
	}
	return 7;
}
