/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multiplication and division of complex numbers, which clang calls by name (ISO C, annex G.5.1). The
 * compiler's own library has them too, but each ISA passes a complex float in its own way; here they
 * are part of the bitcode.
 */
#include <math.h>

double _Complex __muldc3(double a, double b, double c, double d);
double _Complex __divdc3(double a, double b, double c, double d);
float _Complex __mulsc3(float a, float b, float c, float d);
float _Complex __divsc3(float a, float b, float c, float d);

static double _Complex make(double re, double im)
{
	double _Complex z;

	__real__ z = re;
	__imag__ z = im;
	return z;
}

/* An infinity becomes 1 with its sign, all else 0. */
static double box(double x)
{
	return copysign(isinf(x) ? 1 : 0, x);
}

static double zero_if_nan(double x)
{
	return isnan(x) ? copysign(0, x) : x;
}

double _Complex __muldc3(double a, double b, double c, double d)
{
	double ac = a * c, bd = b * d, ad = a * d, bc = b * c, x = ac - bd, y = ad + bc;
	int again = 0;

	if (!isnan(x) || !isnan(y))
		return make(x, y);
	if (isinf(a) || isinf(b)) {
		a = box(a);
		b = box(b);
		c = zero_if_nan(c);
		d = zero_if_nan(d);
		again = 1;
	}
	if (isinf(c) || isinf(d)) {
		c = box(c);
		d = box(d);
		a = zero_if_nan(a);
		b = zero_if_nan(b);
		again = 1;
	}
	if (!again && (isinf(ac) || isinf(bd) || isinf(ad) || isinf(bc))) {
		a = zero_if_nan(a);
		b = zero_if_nan(b);
		c = zero_if_nan(c);
		d = zero_if_nan(d);
		again = 1;
	}
	return again ? make(INFINITY * (a * c - b * d), INFINITY * (a * d + b * c)) : make(x, y);
}

double _Complex __divdc3(double a, double b, double c, double d)
{
	double largest = logb(fmax(fabs(c), fabs(d))), norm, x, y;
	int scale = 0;

	if (isfinite(largest)) {
		scale = (int)largest;
		c = scalbn(c, -scale);
		d = scalbn(d, -scale);
	}
	norm = c * c + d * d;
	x = scalbn((a * c + b * d) / norm, -scale);
	y = scalbn((b * c - a * d) / norm, -scale);
	if (!isnan(x) || !isnan(y))
		return make(x, y);
	if (norm == 0 && (!isnan(a) || !isnan(b)))
		return make(copysign(INFINITY, c) * a, copysign(INFINITY, c) * b);
	if ((isinf(a) || isinf(b)) && isfinite(c) && isfinite(d)) {
		a = box(a);
		b = box(b);
		return make(INFINITY * (a * c + b * d), INFINITY * (b * c - a * d));
	}
	if (isinf(largest) && largest > 0 && isfinite(a) && isfinite(b)) {
		c = box(c);
		d = box(d);
		return make(0 * (a * c + b * d), 0 * (b * c - a * d));
	}
	return make(x, y);
}

float _Complex __mulsc3(float a, float b, float c, float d)
{
	return (float _Complex)__muldc3(a, b, c, d);
}

float _Complex __divsc3(float a, float b, float c, float d)
{
	return (float _Complex)__divdc3(a, b, c, d);
}
