/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numeric kernels in the manner of the NAS benchmarks, small: conjugate gradients (CG), Fourier
 * transform (FT), integer sort (IS), random pairs (EP), multigrid relaxation (MG). No function of
 * libm but sqrt: the output equals that of any other compiler without contraction.
 * usage: kernels [ROUNDS]
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

static uint64_t seed = 88172645463325252ull;

static NOINLINE double uniform(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (double)(seed >> 11) / 9007199254740992.0;
}

/* ---- CG --------------------------------------------------------------------------------------- */

#define N 120

static NOINLINE double dot(const double *a, const double *b, int n)
{
	double s = 0;

	for (int i = 0; i < n; i++)
		s += a[i] * b[i];
	return s;
}

static NOINLINE void multiply(double (*m)[N], const double *x, double *y)
{
	for (int i = 0; i < N; i++)
		y[i] = dot(m[i], x, N);
}

static NOINLINE void axpy(double a, const double *x, const double *y, double *to)
{
	for (int i = 0; i < N; i++)
		to[i] = a * x[i] + y[i];
}

static NOINLINE double conjugate_gradients(void)
{
	double (*m)[N] = malloc(sizeof(*m) * N), x[N] = { 0 }, r[N], p[N], q[N], rho;

	for (int i = 0; i < N; i++)
		for (int j = 0; j <= i; j++)
			m[i][j] = m[j][i] = i == j ? N + uniform() : uniform() - 0.5;
	for (int i = 0; i < N; i++)
		p[i] = r[i] = 1;
	rho = dot(r, r, N);
	for (int k = 0; k < 15; k++) {
		double alpha, before = rho;

		multiply(m, p, q);
		alpha = rho / dot(p, q, N);
		axpy(alpha, p, x, x);
		axpy(-alpha, q, r, r);
		rho = dot(r, r, N);
		axpy(rho / before, p, r, p);
	}
	free(m);
	return dot(x, x, N) + sqrt(rho);
}

/* ---- FT --------------------------------------------------------------------------------------- */

struct complex_number {
	double re, im;
};

static NOINLINE struct complex_number times(struct complex_number a, struct complex_number b)
{
	return (struct complex_number){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

/* root: a primitive n-th root of unity. */
static NOINLINE void fourier(struct complex_number *v, int n, struct complex_number root)
{
	struct complex_number half[n], w = { 1, 0 };

	if (n == 1)
		return;
	for (int i = 0; i < n / 2; i++) {
		half[i] = v[2 * i];
		half[n / 2 + i] = v[2 * i + 1];
	}
	fourier(half, n / 2, times(root, root));
	fourier(half + n / 2, n / 2, times(root, root));
	for (int i = 0; i < n / 2; i++) {
		struct complex_number t = times(w, half[n / 2 + i]);

		v[i] = (struct complex_number){ half[i].re + t.re, half[i].im + t.im };
		v[n / 2 + i] = (struct complex_number){ half[i].re - t.re, half[i].im - t.im };
		w = times(w, root);
	}
}

static NOINLINE double transform(int bits)
{
	int n = 1 << bits;
	struct complex_number *v = malloc(n * sizeof(*v)), root = { -1, 0 };
	double s = 0;

	/* Half angles, from -1: the root of order 2^bits. */
	for (int i = 1; i < bits; i++) {
		double re = sqrt((1 + root.re) / 2);

		root = (struct complex_number){ re, re == 0 ? 1 : root.im / (2 * re) };
	}
	for (int i = 0; i < n; i++)
		v[i] = (struct complex_number){ uniform(), uniform() };
	fourier(v, n, root);
	for (int i = 0; i < n; i++)
		s += v[i].re * (i % 7) - v[i].im * (i % 5);
	free(v);
	return s;
}

/* ---- IS, EP, MG ------------------------------------------------------------------------------- */

static NOINLINE int by_key(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static NOINLINE void merge_sort(uint32_t *v, uint32_t *spare, int n,
				int (*compare)(const void *, const void *))
{
	int h = n / 2, i = 0, j = h, k = 0;

	if (n < 2)
		return;
	merge_sort(v, spare, h, compare);
	merge_sort(v + h, spare, n - h, compare);
	while (i < h && j < n)
		spare[k++] = compare(&v[i], &v[j]) <= 0 ? v[i++] : v[j++];
	while (i < h)
		spare[k++] = v[i++];
	memcpy(v, spare, k * sizeof(*v));
}

static NOINLINE uint64_t integer_sort(int n)
{
	uint32_t *v = malloc(2 * n * sizeof(*v));
	uint64_t s = 0;

	for (int i = 0; i < n; i++)
		v[i] = (uint32_t)(uniform() * 65536);
	merge_sort(v, v + n, n, by_key);
	for (int i = 0; i < n; i++)
		s = s * 31 + v[i];
	free(v);
	return s;
}

static NOINLINE int random_pairs(int n)
{
	int inside = 0;

	while (n--) {
		double x = 2 * uniform() - 1, y = 2 * uniform() - 1;

		inside += x * x + y * y <= 1;
	}
	return inside;
}

static NOINLINE void relax(double *u, const double *f, int n)
{
	double *r, *e;

	for (int k = 0; k < 3; k++)
		for (int i = 1; i < n; i++)
			u[i] = 0.5 * (u[i - 1] + u[i + 1] + f[i]);
	if (n <= 4)
		return;
	r = calloc(n + 2, sizeof(*r));
	e = calloc(n + 2, sizeof(*e));
	for (int i = 1; i < n / 2; i++)
		r[i] = 2 * (f[2 * i] - 2 * u[2 * i] + u[2 * i - 1] + u[2 * i + 1]);
	relax(e, r, n / 2);
	for (int i = 1; i < n / 2; i++) {
		u[2 * i] += e[i];
		u[2 * i + 1] += 0.5 * (e[i] + e[i + 1]);
	}
	free(r);
	free(e);
}

static NOINLINE double multigrid(int n)
{
	double *u = calloc(n + 2, sizeof(*u)), *f = calloc(n + 2, sizeof(*f)), s = 0;

	for (int i = 1; i < n; i++)
		f[i] = uniform() / n;
	for (int k = 0; k < 4; k++)
		relax(u, f, n);
	for (int i = 1; i < n; i++)
		s += u[i] * i;
	free(u);
	free(f);
	return s;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 2;

	for (int i = 0; i < rounds; i++) {
		printf("CG %.17g\n", conjugate_gradients());
		printf("FT %.17g\n", transform(6 + i % 3));
		printf("IS %llu\n", (unsigned long long)integer_sort(700 + i));
		printf("EP %d\n", random_pairs(500));
		printf("MG %.17g\n", multigrid(256));
		fflush(stdout);
	}
	return 0;
}
