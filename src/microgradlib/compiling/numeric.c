/* The numeric functions in C99, written by "python tools/translate": change them in Python.

   The comment before a function gives its name and parameters in Python, its result, the sum of the
   failures that it may set, the numbers that it works with, and those that it gives at most, for
   lists of n in all. Where two functions have one name, each is for other versions of Python. */

#include <float.h>
#include <math.h>

/* asinh(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* atan(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* cbrt(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* copysign(double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* atan2(double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* erf(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* erfc(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* tanh(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* isfinite(double) -> int; fails 0, work 0 + 0 n, size 0 + 0 n */
/* isinf(double) -> int; fails 0, work 0 + 0 n, size 0 + 0 n */
/* isnan(double) -> int; fails 0, work 0 + 0 n, size 0 + 0 n */

/* Failures: 1 for a ValueError, 2 for an OverflowError, 4 for a ZeroDivisionError. The first stays. */
static double mg_fail(int kind, int *failed)
{
    if (*failed == 0)
        *failed = kind;
    return NAN;
}

/* The result r of a function of the math module at x: no NaN from a number, and infinite only at
   infinity. */
static inline double mg_checked(double r, double x, int infinite, int *failed)
{
    if (isfinite(r) || isnan(x))
        return r;
    if (isnan(r))
        return mg_fail(1, failed);
    return isfinite(x) ? mg_fail(infinite, failed) : r;
}

/* The result r of a function of two numbers: no NaN from numbers. */
static inline double mg_defined(double r, double x, double y, int *failed)
{
    return isnan(r) && !isnan(x) && !isnan(y) ? mg_fail(1, failed) : r;
}

/* A divisor. */
static inline double mg_nonzero(double y, int *failed)
{
    return y == 0.0 ? mg_fail(4, failed) : y;
}

/* A number that becomes an int, which has no negative zero. */
static inline double mg_whole(double x, int *failed)
{
    if (!isfinite(x))
        return mg_fail(isnan(x) ? 1 : 2, failed);
    return x + 0.0;
}

/* A whole number as an integer, in a range that sums and products do not leave. */
static inline long long mg_to_int(double x, int *failed)
{
    if (fabs(x) < 2147483648.0)
        return (long long)x;
    mg_fail(2, failed);
    return 0;
}

/* float(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static inline double mg_identity(double x)
{
    return x;
}

/* fabs(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* abs(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static inline double mg_abs(double x)
{
#ifdef __GNUC__
    return __builtin_fabs(x);
#else
    return fabs(x);
#endif
}

/* sqrt(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_sqrt(double x, int *failed)
{
#ifdef __GNUC__
    return mg_checked(__builtin_sqrt(x), x, 1, failed);
#else
    return mg_checked(sqrt(x), x, 1, failed);
#endif
}

/* Python's max and min of two numbers: the first, unless the second is larger or smaller. */
static inline double mg_max(double x, double y)
{
    return y > x ? y : x;
}

static inline double mg_min(double x, double y)
{
    return y < x ? y : x;
}

static inline long long mg_max_int(long long x, long long y)
{
    return y > x ? y : x;
}

static inline long long mg_min_int(long long x, long long y)
{
    return y < x ? y : x;
}

/* The second result of frexp. */
static inline long long mg_exponent(double x)
{
    int exponent = 0;
    if (isfinite(x))
        frexp(x, &exponent);
    return exponent;
}

/* ldexp(double, long long) -> double; fails 2, work 0 + 0 n, size 0 + 0 n */
static inline double mg_ldexp(double x, long long i, int *failed)
{
    int n = i < -10000 ? -10000 : i > 10000 ? 10000 : (int)i;
    return mg_checked(ldexp(x, n), x, 2, failed);
}

/* The remainder with the sign of the divisor y, which is not 0. */
static double mg_mod(double x, double y)
{
    double r = fmod(x, y);
    if (r == 0.0)
        return copysign(0.0, y);
    return (r < 0.0) != (y < 0.0) ? r + y : r;
}

static inline long long mg_mod_int(long long x, long long y)
{
    long long r = x % y;
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

static inline long long mg_floordiv_int(long long x, long long y)
{
    return (x - mg_mod_int(x, y)) / y;
}

static inline long long mg_nonzero_int(long long y, int *failed)
{
    if (y != 0)
        return y;
    mg_fail(4, failed);
    return 1;
}

/* fmod(double, double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_fmod(double x, double y, int *failed)
{
    return mg_defined(fmod(x, y), x, y, failed);
}

/* remainder(double, double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
/* A zero has the sign of x, which glibc's may lack for a y below DBL_MIN. */
static inline double mg_remainder(double x, double y, int *failed)
{
    double r = remainder(x, y);
    return r == 0.0 ? copysign(0.0, x) : mg_defined(r, x, y, failed);
}

/* pow(double, double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg_pow(double x, double y, int *failed)
{
    double r = pow(x, y);
    if (isfinite(r) || !isfinite(x) || !isfinite(y))
        return r;
    return mg_fail(isnan(r) || x == 0.0 ? 1 : 2, failed);
}

/* x**y, which is complex, here a failure, for x < 0 and a y that is not whole. */
static double mg_pow_operator(double x, double y, int *failed)
{
    if (x == 0.0 && y < 0.0 && isfinite(y))
        return mg_fail(4, failed);
    return mg_pow(x, y, failed);
}

/* The end of a slice. */
static inline int mg_smaller(long long i, int n)
{
    return i < n ? (int)i : n;
}

/* Copy n entries; return n. */
static int mg_copy(const double *from, int n, double *to)
{
    for (int i = 0; i < n; i++)
        to[i] = from[i];
    return n;
}

static double mg_max_of(const double *xs, int n, int *failed)
{
    if (n == 0)
        return mg_fail(1, failed);
    double top = xs[0];
    for (int i = 1; i < n; i++)
        top = mg_max(top, xs[i]);
    return top;
}

static double mg_min_of(const double *xs, int n, int *failed)
{
    if (n == 0)
        return mg_fail(1, failed);
    double least = xs[0];
    for (int i = 1; i < n; i++)
        least = mg_min(least, xs[i]);
    return least;
}

/* sum(list) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* Until Python 3.11, a sum is added up from left to right. */
static double mg_sum(const double *xs, int n)
{
    double total = 0.0;
    for (int i = 0; i < n; i++)
        total += xs[i];
    return total;
}

/* sum(list) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* From Python 3.12 on, a sum collects what each addition loses (Neumaier). */
static double mg_sum(const double *xs, int n)
{
    double total = 0.0, lost = 0.0;
    for (int i = 0; i < n; i++) {
        double x = xs[i], next = total + x;
        lost += fabs(total) >= fabs(x) ? (total - next) + x : (x - next) + total;
        total = next;
    }
    return lost != 0.0 && isfinite(lost) ? total + lost : total;
}

/* Add x to a sum; what that loses goes to the rests, and its magnitude to their size. */
static inline double mg_add(double sum, double x, double *rests, double *size)
{
    double s = sum + x, of_x = s - sum;
    double rest = (sum - (s - of_x)) + (x - of_x), other = -rest;
    *rests += rest;
    *size += rest > other ? rest : other;
    return s;
}

/* fsum(list) -> double; fails 3, work 0 + 1 n, size 0 + 0 n */
/* The sum rounded once (Shewchuk): partials that do not overlap, n at most, from small to large. */
static double mg_fsum(const double *xs, int n, double *partials, int *failed)
{
    double infinite = 0.0, special = 0.0, rests = 0.0, size = 0.0, slack, rounded;
    double a = 0.0, b = 0.0, of_b = 0.0, b_size = 0.0;
    int count = 0;
    /* Most sums are decided by their first two parts: the sum of n + 1 rests has an error of at most n
       half units of their size. Two sums, as one addition would wait for the other. */
    for (int k = 0; k < n - 1; k += 2) {
        a = mg_add(a, xs[k], &rests, &size);
        b = mg_add(b, xs[k + 1], &of_b, &b_size);
    }
    if (n % 2)
        a = mg_add(a, xs[n - 1], &rests, &size);
    a = mg_add(a, b, &rests, &size);
    rests += of_b;
    slack = 0x1p-52 * (n + 2) * (size + b_size);
    rounded = a + rests;
    if (isfinite(rounded) && rounded != 0.0 && a + (rests - slack) == rounded
        && a + (rests + slack) == rounded)
        return rounded;
    for (int k = 0; k < n; k++) {
        double x = xs[k];
        int kept = 0;
        for (int i = 0; i < count; i++) {
            /* Knuth's sum of two takes no decision, but overflows beside the largest number. */
            double y = partials[i], s = x + y, of_y = s - x;
            double rest = (x - (s - of_y)) + (y - of_y);
            if (!isfinite(rest))
                rest = fabs(x) < fabs(y) ? x - (s - y) : y - (s - x);
            if (rest != 0.0)
                partials[kept++] = rest;
            x = s;
        }
        count = kept;
        if (isfinite(x)) {
            if (x != 0.0)
                partials[count++] = x;
            continue;
        }
        if (isfinite(xs[k]))
            return mg_fail(2, failed);
        if (isinf(xs[k]))
            infinite += xs[k];
        special += xs[k];
        count = 0;
    }
    if (isnan(infinite))
        return mg_fail(1, failed);
    if (special != 0.0)
        return special;
    if (count == 0)
        return 0.0;
    double sum = partials[--count], rest = 0.0;
    while (count > 0 && rest == 0.0) {
        double y = partials[--count], s = sum + y;
        rest = y - (s - sum);
        sum = s;
    }
    /* Halfway between two floats, the partials below decide. */
    if (count > 0 && ((rest < 0.0 && partials[count - 1] < 0.0) || (rest > 0.0 && partials[count - 1] > 0.0))) {
        double s = sum + 2.0 * rest;
        if (s - sum == 2.0 * rest)
            return s;
    }
    return sum;
}

/* The largest of the magnitudes; infinite if one is, else NaN if one is. */
static double mg_magnitude(const double *xs, int n)
{
    double top = 0.0;
    int undefined = 0;
    for (int i = 0; i < n; i++) {
        undefined |= isnan(xs[i]);
        top = mg_max(top, fabs(xs[i]));
    }
    return undefined && !isinf(top) ? NAN : top;
}

/* Sums of squares onto 1: the sum, and what its roundings and those of the squares lose. */
typedef struct {
    double sum, of_squares, of_sums;
} mg_Squares;

static inline void mg_add_product(mg_Squares *s, double x, double y)
{
    double p = x * y, sum = s->sum + p;
    s->of_squares += fma(x, y, -p);
    s->of_sums += (s->sum - sum) + p;
    s->sum = sum;
}

/* hypot(*list) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* From Python 3.12 on, hypot takes squares by fma, and one step of Newton's method. */
static double mg_hypot(const double *xs, int n)
{
    double top = mg_magnitude(xs, n), unit = 1.0;
    if (n < 2 || top == 0.0 || !isfinite(top))
        return top;
    int exponent;
    frexp(top, &exponent);
    if (exponent < -1023) {
        unit = DBL_MIN;
        frexp(top / unit, &exponent);
    }
    double scale = ldexp(1.0, -exponent);
    mg_Squares s = {1.0, 0.0, 0.0};
    for (int i = 0; i < n; i++) {
        double x = fabs(xs[i]) / unit * scale;
        mg_add_product(&s, x, x);
    }
    double h = sqrt(s.sum - 1.0 + (s.of_squares + s.of_sums));
    mg_add_product(&s, -h, h);
    h += (s.sum - 1.0 + (s.of_squares + s.of_sums)) / (2.0 * h);
    return unit * (h / scale);
}

/* hypot(*list) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
/* Until Python 3.11, hypot adds up the squares of the halves of numbers. */
static double mg_hypot(const double *xs, int n)
{
    double top = mg_magnitude(xs, n), sum = 1.0, lost[3] = {0.0, 0.0, 0.0};
    if (n < 2 || top == 0.0 || !isfinite(top))
        return top;
    int exponent;
    frexp(top, &exponent);
    if (exponent < -1023) {
        for (int i = 0; i < n; i++) {
            double x = fabs(xs[i]) / top, square = x * x, before = sum;
            sum += square;
            lost[0] += (before - sum) + square;
        }
        return top * sqrt(sum - 1.0 + lost[0]);
    }
    double scale = ldexp(1.0, -exponent);
    for (int i = 0; i < n; i++)
        mg_add_square(&sum, lost, fabs(xs[i]) * scale, 1.0);
    double h = sqrt(sum - 1.0 + (lost[0] + lost[1] + lost[2]));
    mg_add_square(&sum, lost, h, -1.0);
    double rest = sum - 1.0 + (lost[0] + lost[1] + lost[2]);
    return (h + rest / (2.0 * h)) / scale;
}

/* Add x*x with the sign: the squares of the halves of x, and twice their product (Dekker). */
static inline void mg_add_square(double *sum, double *lost, double x, double sign)
{
    double t = x * 134217729.0, high = t - (t - x), low = x - high;
    double parts[3] = {sign * high * high, sign * 2.0 * high * low, sign * low * low};
    for (int i = 0; i < 3; i++) {
        double before = *sum;
        *sum += parts[i];
        lost[i] += (before - *sum) + parts[i];
    }
}

/* Lanczos' approximation of the gamma function: 13 terms with g = 6.02468... (Boost, lanczos13m53),
   as a quotient of two polynomials. */
static const double mg_LANCZOS[13][2] = {
    {23531376880.410759688572007674451636754734846804940, 0.0},
    {42919803642.649098768957899047001988850926355848959, 39916800.0},
    {35711959237.355668049440185451547166705960488635843, 120543840.0},
    {17921034426.037209699919755754458931112671403265390, 150917976.0},
    {6039542586.3520280050642916443072979210699388420708, 105258076.0},
    {1439720407.3117216736632230727949123939715485786372, 45995730.0},
    {248874557.86205415651146038641322942321632125127801, 13339535.0},
    {31426415.585400194380614231628318205362874684987640, 2637558.0},
    {2876370.6289353724412254090516208496135991145378768, 357423.0},
    {186056.26539522349504029498971604569928220784236328, 32670.0},
    {8071.6720023658162106380029022722506138218516325024, 1925.0},
    {210.82427775157934587250973392071336271166969580291, 66.0},
    {2.5066282746310002701649081771338373386264310793408, 1.0},
};

static const double mg_LANCZOS_G = 6.024680040776729583740234375;

static const double mg_PI = 3.141592653589793238462643383279502884;

static double mg_lanczos_sum(double x)
{
    double p = 0.0, q = 0.0;
    if (x < 5.0) {
        for (int i = 12; i >= 0; i--) {
            p = p * x + mg_LANCZOS[i][0];
            q = q * x + mg_LANCZOS[i][1];
        }
    } else {
        for (int i = 0; i < 13; i++) {
            p = p / x + mg_LANCZOS[i][0];
            q = q / x + mg_LANCZOS[i][1];
        }
    }
    return p / q;
}

/* sin(pi x), from the distance to the nearest multiple of 1/2. */
static double mg_sin_pi(double x)
{
    double y = fmod(fabs(x), 2.0), r;
    if (y < 0.25)
        r = sin(mg_PI * y);
    else if (y < 0.75)
        r = cos(mg_PI * (y - 0.5));
    else if (y < 1.25)
        r = sin(mg_PI * (1.0 - y));
    else if (y < 1.75)
        r = -cos(mg_PI * (y - 1.5));
    else
        r = sin(mg_PI * (y - 2.0));
    return copysign(1.0, x) * r;
}

/* gamma(double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg_gamma(double x, int *failed)
{
    if (!isfinite(x))
        return x < 0.0 ? mg_fail(1, failed) : x;
    if (x == floor(x)) {
        if (x <= 0.0)
            return mg_fail(1, failed);
        if (x <= 23.0) { /* a factorial, exactly */
            double product = 1.0;
            for (double k = 2.0; k < x; k += 1.0)
                product *= k;
            return product;
        }
    }
    double size = fabs(x), r;
    if (size < 1e-20)
        return mg_checked(1.0 / x, x, 2, failed);
    if (size > 200.0)
        return x < 0.0 ? 0.0 / mg_sin_pi(x) : mg_fail(2, failed);
    /* y = size + shift, and its rounding error. */
    double shift = mg_LANCZOS_G - 0.5, y = size + shift;
    double error = size > shift ? (y - size) - shift : (y - shift) - size;
    double z = error * mg_LANCZOS_G / y;
    int halved = size >= 140.0; /* the power would overflow */
    double power = halved ? pow(y, size / 2.0 - 0.25) : pow(y, size - 0.5);
    if (x < 0.0) {
        r = -mg_PI / mg_sin_pi(size) / size * exp(y) / mg_lanczos_sum(size);
        r -= z * r;
        r /= power;
        if (halved)
            r /= power;
    } else {
        r = mg_lanczos_sum(size) / exp(y);
        r += z * r;
        r *= power;
        if (halved)
            r *= power;
    }
    return mg_checked(r, x, 2, failed);
}

/* lgamma(double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg_lgamma(double x, int *failed)
{
    if (!isfinite(x))
        return fabs(x);
    if (x == floor(x) && x <= 2.0)
        return x <= 0.0 ? mg_fail(1, failed) : 0.0;
    double size = fabs(x);
    if (size < 1e-20)
        return -log(size);
    double r = log(mg_lanczos_sum(size)) - mg_LANCZOS_G;
    r += (size - 0.5) * (log(size + mg_LANCZOS_G - 0.5) - 1.0);
    if (x < 0.0) /* log(pi) - ... */
        r = 1.144729885849400174143427351353058711647 - log(fabs(mg_sin_pi(size))) - log(size) - r;
    return mg_checked(r, x, 2, failed);
}

/* acos(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_acos(double x, int *failed)
{
    return mg_checked(acos(x), x, 1, failed);
}

/* acosh(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_acosh(double x, int *failed)
{
    return mg_checked(acosh(x), x, 1, failed);
}

/* asin(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_asin(double x, int *failed)
{
    return mg_checked(asin(x), x, 1, failed);
}

/* atanh(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_atanh(double x, int *failed)
{
    return mg_checked(atanh(x), x, 1, failed);
}

/* cos(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_cos(double x, int *failed)
{
    return mg_checked(cos(x), x, 1, failed);
}

/* sin(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_sin(double x, int *failed)
{
    return mg_checked(sin(x), x, 1, failed);
}

/* tan(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_tan(double x, int *failed)
{
    return mg_checked(tan(x), x, 1, failed);
}

/* log(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_log(double x, int *failed)
{
    return mg_checked(log(x), x, 1, failed);
}

/* log2(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_log2(double x, int *failed)
{
    return mg_checked(log2(x), x, 1, failed);
}

/* log10(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_log10(double x, int *failed)
{
    return mg_checked(log10(x), x, 1, failed);
}

/* log1p(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static inline double mg_log1p(double x, int *failed)
{
    return mg_checked(log1p(x), x, 1, failed);
}

/* exp(double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static inline double mg_exp(double x, int *failed)
{
    return mg_checked(exp(x), x, 2, failed);
}

/* exp2(double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static inline double mg_exp2(double x, int *failed)
{
    return mg_checked(exp2(x), x, 2, failed);
}

/* expm1(double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static inline double mg_expm1(double x, int *failed)
{
    return mg_checked(expm1(x), x, 2, failed);
}

/* cosh(double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static inline double mg_cosh(double x, int *failed)
{
    return mg_checked(cosh(x), x, 2, failed);
}

/* sinh(double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static inline double mg_sinh(double x, int *failed)
{
    return mg_checked(sinh(x), x, 2, failed);
}

static const double mg__DIGAMMA_TAYLOR[16] = {
    0x1.ef72bc8ee38acp-1,
    -0x1.c563b54aa1a36p-2,
    0x1.08b4294d50382p-2,
    -0x1.4fc1317257daap-3,
    0x1.b9a5b6370f3adp-4,
    -0x1.27baba261cc2ep-4,
    0x1.8fce02b239caap-5,
    -0x1.0fa7ec36a7d91p-5,
    0x1.723d6807edcc4p-6,
    -0x1.f970508e1b6a8p-7,
    0x1.5955caaa962f8p-7,
    -0x1.d828079282ebfp-8,
    0x1.42e1acf81d8e1p-8,
    -0x1.b9afc7cee8a1cp-9,
    0x1.2e23345f79ab4p-9,
    -0x1.9d626f71d1f82p-10,
};

static const double mg_BERNOULLI[9] = {
    0x1.5555555555555p-3,
    -0x1.1111111111111p-5,
    0x1.8618618618618p-6,
    -0x1.1111111111111p-5,
    0x1.364d9364d9365p-4,
    -0x1.0330330330330p-2,
    0x1.2aaaaaaaaaaabp+0,
    -0x1.c5e5e5e5e5e5ep+2,
    0x1.b7c4f8f13e3c5p+5,
};

static const double mg__MILLS_SERIES[23] = {
    -0x1.33f9b74c76488p-3,
    -0x1.861cf8f06eaa1p-7,
    0x1.6d35926a23b30p-4,
    -0x1.8e077c7824ec4p-4,
    0x1.1c5a970259ba5p-4,
    -0x1.28d5f5ec39955p-5,
    0x1.b56ef623ee42cp-7,
    -0x1.64c256b07eb99p-9,
    -0x1.10c9a61e2dad6p-12,
    0x1.84918012a34b2p-12,
    -0x1.302d54df38a7dp-14,
    -0x1.d5c3b73c63cdap-16,
    0x1.ea675ba493f1cp-17,
    0x1.9d7e5d131dcebp-20,
    -0x1.2deabf965c545p-19,
    -0x1.3512ff3c04ecfp-25,
    0x1.731dfaf3150b6p-22,
    -0x1.da5aca19a5fddp-30,
    -0x1.cde45cc33272cp-25,
    -0x1.12f7f2a5c2bbep-29,
    0x1.d460d3bb77a68p-28,
    0x1.b2cae17bdf841p-31,
    -0x1.453ac7b966df5p-32,
};

static const double mg__INVERSE_FACTORIAL[3] = {
    0x1.6827863b97d97p-53,
    0x1.eec01221a8b0bp-107,
    -0x1.568798662118bp-161,
};

/* sign(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_sign(double x)
{
    return x > 0.0 ? 1.0 : (x < 0.0 ? -1.0 : (x == 0.0 ? 0.0 : NAN));
}

/* above(double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_above(double x, double y)
{
    return x > y ? 1.0 : (x <= y ? 0.0 : NAN);
}

/* greater(double, *list) -> double; fails 4, work 2 + 2 n, size 0 + 0 n */
static double mg_greater(double x, const double *others, int others_n, double *work, int *failed)
{
    double *list2_ = work + 0 + 0 * (others_n);
    double *list1_ = work + 1 + 1 * (others_n);
    list2_[0] = x;
    int n3_ = mg_copy(others, others_n, list2_ + 1);
    mg_leading(list2_, (1 + n3_), list1_, failed);
    return list1_[0];
}

/* leading(list) -> list; fails 4, work 0 + 0 n, size 0 + 1 n */
static int mg_leading(const double *xs, int xs_n, double *out, int *failed)
{
    double top = 0;
    double count = 0;
    double x = 0;
    top = mg_maximum(xs, xs_n);
    count = 0.0;
    for (int i1_ = 0; i1_ < xs_n; i1_++) {
        x = xs[i1_];
        if (x == top) {
            count = count + 1.0;
        }
    }
    int n2_ = 0;
    for (int i3_ = 0; i3_ < xs_n; i3_++) {
        double t4_ = xs[i3_];
        out[n2_++] = t4_ == top ? 1.0 / mg_nonzero(count, failed) : (t4_ < top ? 0.0 : NAN);
    }
    return n2_;
}

/* jump(double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_jump(double x, double y)
{
    return (x < y || x > y) ? 0.0 : NAN;
}

/* match(double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_match(double x, double y)
{
    return x == y ? 1.0 : ((x < y || x > y) ? 0.0 : NAN);
}

/* gate(double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_gate(double x, double p)
{
    return p != 0.0 ? x * p : 0.0;
}

/* inside(double, double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_inside(double x, double low, double high)
{
    return (low < x && x < high) ? 1.0 : (x == x ? 0.0 : NAN);
}

/* maximum(*list) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_maximum(const double *xs, int xs_n)
{
    double top = 0;
    double x = 0;
    top = xs[0];
    for (int i1_ = 0; i1_ < xs_n; i1_++) {
        x = xs[i1_];
        if (x > top || x != x) {
            top = x;
        }
    }
    return top;
}

/* minimum(*list) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_minimum(const double *xs, int xs_n)
{
    double least = 0;
    double x = 0;
    least = xs[0];
    for (int i1_ = 0; i1_ < xs_n; i1_++) {
        x = xs[i1_];
        if (x < least || x != x) {
            least = x;
        }
    }
    return least;
}

/* where(double, double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_where(double x, double y, double c)
{
    return c != 0.0 ? x : y;
}

/* clip(double, double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_clip(double x, double low, double high)
{
    return x < low ? low : (x > high ? high : x);
}

/* relu(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_relu(double x)
{
    return (x > 0.0 || x != x) ? x : 0.0;
}

/* leaky_relu(double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_leaky_relu(double x, double negative_slope)
{
    if (x > 0.0 || x != x) {
        return x;
    }
    return negative_slope != 0.0 ? negative_slope * x : 0.0;
}

/* leaky_relu_prime(double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_leaky_relu_prime(double x, double negative_slope)
{
    if (x == 0.0) {
        return mg_min(mg_max(negative_slope, 0.0), 1.0);
    }
    return x > 0.0 ? 1.0 : (x < 0.0 ? negative_slope : NAN);
}

/* nearest(double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static double mg_nearest(double x, int *failed)
{
    return isfinite(x) ? x - mg_remainder(x, 1.0, failed) : x;
}

/* two_sum(double, double) -> list; fails 0, work 0 + 0 n, size 2 + 0 n */
static int mg_two_sum(double a, double b, double *out)
{
    double s = 0;
    double t = 0;
    s = a + b;
    t = s - a;
    out[0] = s;
    out[1] = a - (s - t) + (b - t);
    return 2;
}

/* split(double) -> list; fails 0, work 0 + 0 n, size 2 + 0 n */
static int mg_split(double a, double *out)
{
    double t = 0;
    double high = 0;
    t = 0x1.0000002000000p+27 * a;
    high = t - (t - a);
    out[0] = high;
    out[1] = a - high;
    return 2;
}

/* two_product(double, double) -> list; fails 0, work 0 + 0 n, size 2 + 0 n */
static int mg_two_product(double a, double b, double *out)
{
    double list1_[2];
    double list3_[2];
    double p = 0;
    double a_high = 0;
    double a_low = 0;
    double b_high = 0;
    double b_low = 0;
    p = a * b;
    mg_split(a, list1_);
    a_high = list1_[0];
    a_low = list1_[1];
    mg_split(b, list3_);
    b_high = list3_[0];
    b_low = list3_[1];
    out[0] = p;
    out[1] = a_high * b_high - p + a_high * b_low + a_low * b_high + a_low * b_low;
    return 2;
}

/* pair_product(double, double, double, double) -> list; fails 0, work 0 + 0 n, size 2 + 0 n */
static int mg_pair_product(double a, double a_low, double b, double b_low, double *out)
{
    double list1_[2];
    double p = 0;
    double low = 0;
    mg_two_product(a, b, list1_);
    p = list1_[0];
    low = list1_[1];
    out[0] = p;
    out[1] = low + (a_low * b + a * b_low);
    return 2;
}

/* ratio(double, double) -> double; fails 4, work 0 + 0 n, size 0 + 0 n */
static double mg_ratio(double x, double y, int *failed)
{
    if (y == 0.0) {
        return x != 0.0 ? x * copysign(INFINITY, y) : 0.0;
    }
    return x / mg_nonzero(y, failed);
}

/* reciprocal(double) -> double; fails 4, work 0 + 0 n, size 0 + 0 n */
static double mg_reciprocal(double x, int *failed)
{
    return x != 0.0 ? 1.0 / mg_nonzero(x, failed) : copysign(INFINITY, x);
}

/* rsqrt(double) -> double; fails 5, work 0 + 0 n, size 0 + 0 n */
static double mg_rsqrt(double x, int *failed)
{
    return x != 0.0 ? 1.0 / mg_nonzero(mg_sqrt(x, failed), failed) : INFINITY;
}

/* quotient_dy(double, double) -> double; fails 4, work 0 + 0 n, size 0 + 0 n */
static double mg_quotient_dy(double x, double y, int *failed)
{
    double q = 0;
    q = mg_ratio(x, y, failed);
    if (*failed) return 0;
    if (mg_abs(q) < 1e-290 && mg_abs(y) < 1.0) {
        return -mg_ratio(mg_ratio(x * 0x1.0000000000000p+600, y, failed), y, failed) * 0x1.0000000000000p-600;
    }
    return -mg_ratio(q, y, failed);
}

/* norm_scale(double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_norm_scale(double h)
{
    if (h < 1e-290) {
        return 0x1.0000000000000p+600;
    }
    if (h > 1e+300) {
        return 0x1.0000000000000p-600;
    }
    return h == h ? 1.0 : NAN;
}

/* directions(list) -> list; fails 4, work 2 + 2 n, size 0 + 1 n */
static int mg_directions(const double *xs, int xs_n, double *out, double *work, int *failed)
{
    double *list2_ = work + 0 + 0 * (xs_n);
    double *xs_own = work + 1 + 1 * (xs_n);
    double scale = 0;
    double r = 0;
    scale = mg_norm_scale(mg_hypot(xs, xs_n));
    int n3_ = 0;
    for (int i4_ = 0; i4_ < xs_n; i4_++) {
        double t5_ = xs[i4_];
        list2_[n3_++] = t5_ * scale;
    }
    xs_n = mg_copy(list2_, n3_, xs_own);
    xs = xs_own;
    r = mg_hypot(xs, xs_n);
    int n6_ = 0;
    for (int i7_ = 0; i7_ < xs_n; i7_++) {
        double t8_ = xs[i7_];
        out[n6_++] = mg_ratio(t8_, r, failed);
    }
    return n6_;
}

/* direction(*list) -> double; fails 4, work 3 + 3 n, size 0 + 0 n */
static double mg_direction(const double *xs, int xs_n, double *work, int *failed)
{
    double *list1_ = work + 0 + 0 * (xs_n);
    double *rest_ = work + 1 + 1 * (xs_n);
    mg_directions(xs, xs_n, list1_, rest_, failed);
    return list1_[0];
}

/* power(double, double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_power(double x, double y, int *failed)
{
    double result = 0;
    if (x < 0.0) {
        return mg_pow(x, y, failed);
    }
    result = mg_pow_operator(x, y, failed);
    if (*failed) return 0;
    return result;
}

/* power_dx(double, double) -> double; fails 5, work 0 + 0 n, size 0 + 0 n */
static double mg_power_dx(double x, double y, int *failed)
{
    double list7_[2];
    double p = 0;
    double sign = 0;
    double t = 0;
    double c = 0;
    double h = 0;
    if (x != x || y != y) {
        return NAN;
    }
    if (y == 0.0) {
        return 0.0;
    }
    if (y == 1.0) {
        return 1.0;
    }
    if (y == 2.0) {
        return 2.0 * x;
    }
    int failed1_ = 0;
    double t4_ = mg_abs(mg_power(x, y, &failed1_));
    if (failed1_ & 1) mg_fail(failed1_, failed);
    if (*failed) return 0;
    if (failed1_) {
        p = INFINITY;
    } else {
        p = t4_;
    }
    sign = (copysign(1.0, x) < 0.0 && mg_mod(y, 2.0) == 0.0) ? -1.0 : 1.0;
    x = mg_abs(x);
    if (1e-290 < p && p < 1e+289) {
        return sign * y * p / mg_nonzero(x, failed);
    }
    mg_two_sum(y, -1.0, list7_);
    t = list7_[0];
    c = list7_[1];
    h = mg_power_or_inf(x, 0.5 * t);
    if (h == 0.0 || h == INFINITY) {
        return copysign(h, sign * y);
    }
    return sign * y * (1.0 + c * mg_log(x, failed)) * h * h;
}

/* power_dy(double, double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static double mg_power_dy(double x, double y, int *failed)
{
    double p = 0;
    double h = 0;
    if (x != x || y != y || x < 0.0) {
        return NAN;
    }
    if (x == 0.0) {
        return y >= 0.0 ? 0.0 : -INFINITY;
    }
    p = mg_power_or_inf(x, y);
    if (1e-290 < p && p < 1e+289) {
        return p * mg_log(x, failed);
    }
    h = mg_power_or_inf(x, 0.5 * y);
    return h != 0.0 ? h * mg_log(x, failed) * h : 0.0;
}

/* power_c_slope(double, double, double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_power_c_slope(double x, double c, double k, int *failed)
{
    double list1_[2];
    double y = 0;
    double lost = 0;
    double result = 0;
    long long i = 0;
    mg_two_sum(c, 1.0 - k, list1_);
    y = list1_[0];
    lost = list1_[1];
    result = mg_power_dx(x, y, failed);
    if (*failed) return 0;
    if (lost != 0.0 && result != 0.0 && isfinite(result)) {
        result = result * (1.0 + lost * mg_log(mg_abs(x), failed));
        if (*failed) return 0;
    }
    long long t6_ = mg_to_int(mg_whole(trunc(k), failed), failed) - 1;
    if (*failed) return 0;
    for (int i7_ = 0; i7_ < t6_ - 0; i7_++) {
        i = 0 + i7_;
        result = c != (double)i ? result * (c - (double)i) : 0.0;
    }
    return result;
}

/* power_or_inf(double, double) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_power_or_inf(double x, double y)
{
    if (x != x || y != y) {
        return NAN;
    }
    int failed1_ = 0;
    double t3_ = mg_pow(x, y, &failed1_);
    if (failed1_) {
        return mg_mod(y, 2.0) == 1.0 ? copysign(INFINITY, x) : INFINITY;
    } else {
        return t3_;
    }
}

/* cbrt_prime(double) -> double; fails 4, work 0 + 0 n, size 0 + 0 n */
static double mg_cbrt_prime(double x, int *failed)
{
    double c = 0;
    if (x == 0.0) {
        return INFINITY;
    }
    if (isinf(x)) {
        return 0.0;
    }
    if (mg_abs(x) < 1e-200) {
        return mg_cbrt_prime(x * 0x1.0000000000000p+600, failed) * 0x1.0000000000000p+400;
    }
    if (mg_abs(x) > 1e+300) {
        return mg_cbrt_prime(x * 0x1.0000000000000p-600, failed) * 0x1.0000000000000p-400;
    }
    c = cbrt(x);
    return (c + c * ((x - c * c * c) / mg_nonzero(3.0 * x, failed))) / mg_nonzero(x, failed) / 3.0;
}

/* asin_prime(double) -> double; fails 5, work 0 + 0 n, size 0 + 0 n */
static double mg_asin_prime(double x, int *failed)
{
    return mg_rsqrt((1.0 - x) * (1.0 + x), failed);
}

/* asinh_prime(double) -> double; fails 4, work 0 + 0 n, size 0 + 0 n */
static double mg_asinh_prime(double x, int *failed)
{
    double list2_[2];
    list2_[0] = 1.0;
    list2_[1] = x;
    return 1.0 / mg_nonzero(mg_hypot(list2_, 2), failed);
}

/* acosh_prime(double) -> double; fails 5, work 0 + 0 n, size 0 + 0 n */
static double mg_acosh_prime(double x, int *failed)
{
    return mg_reciprocal(mg_sqrt(x - 1.0, failed) * mg_sqrt(x + 1.0, failed), failed);
}

/* atanh_prime(double) -> double; fails 4, work 0 + 0 n, size 0 + 0 n */
static double mg_atanh_prime(double x, int *failed)
{
    return mg_reciprocal((1.0 - x) * (1.0 + x), failed);
}

/* atan_prime(double) -> double; fails 4, work 0 + 0 n, size 0 + 0 n */
static double mg_atan_prime(double x, int *failed)
{
    return mg_abs(x) < 1e+150 ? 1.0 / mg_nonzero(1.0 + x * x, failed) : 1.0 / mg_nonzero(x, failed) / mg_nonzero(x, failed);
}

/* erf_prime(double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg_erf_prime(double x, int *failed)
{
    double list2_[2];
    double h = 0;
    double l = 0;
    if (mg_abs(x) > 28.0) {
        return 0.0;
    }
    mg_split(x, list2_);
    h = list2_[0];
    l = list2_[1];
    return 0x1.20dd750429b6dp+0 * mg_exp(-l * (x + h), failed) * mg_exp(-h * h, failed);
}

/* digamma(double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_digamma(double x, int *failed)
{
    double list9_[3];
    double terms_own[128];
    double list14_[2];
    double list16_[2];
    double list18_[1];
    double list19_[1];
    double rest_[128];
    double d = 0;
    double result = 0;
    double c = 0;
    double f = 0;
    const double *terms = 0;
    int terms_n = 0;
    double rest = 0;
    long long k = 0;
    double h = 0;
    double q = 0;
    mg__check_pole(x, failed);
    if (*failed) return 0;
    if (x != x || x == -INFINITY) {
        return NAN;
    }
    if (x >= 10.0) {
        return mg_log(x, failed) - mg__log_minus_digamma(x, failed);
    }
    if (x <= -20.0) {
        return mg_digamma(1.0 - x, failed) - 0x1.921fb54442d18p+1 * mg__cot_pi(x, failed);
    }
    if (mg_abs(x) < 1e-17) {
        return -1.0 / mg_nonzero(x, failed);
    }
    if (mg_abs(x - 0x1.762d86356be3fp+0) < 0.125) {
        d = x - 0x1.762d86356be3fp+0 - 0x1.b86a722197829p-54;
        result = 0.0;
        for (int i8_ = 0; i8_ < 16; i8_++) {
            c = mg__DIGAMMA_TAYLOR[(16 - 1 - i8_)];
            result = result * d + c;
        }
        return result * d;
    }
    f = x - mg_whole(floor(x), failed);
    if (*failed) return 0;
    list9_[0] = 0x1.26bb1bbb55516p+1;
    list9_[1] = mg_log1p(f / 10.0, failed);
    list9_[2] = -mg__log_minus_digamma(10.0 + f, failed);
    if (3 > 128) mg_fail(2, failed);
    if (*failed) return 0;
    terms_n = mg_copy(list9_, 3, terms_own);
    terms = terms_own;
    rest = -0x1.f48ad494ea3e9p-53;
    long long t12_ = 10 - mg_to_int(mg_whole(floor(x), failed), failed);
    if (*failed) return 0;
    for (int i13_ = 0; i13_ < t12_ - 0; i13_++) {
        k = 0 + i13_;
        mg_split(x + (double)k, list14_);
        h = list14_[0];
        (void)(list14_[1]);
        mg_split(1.0 / mg_nonzero(h, failed), list16_);
        q = list16_[0];
        (void)(list16_[1]);
        if (*failed) return 0;
        list18_[0] = -q;
        if (terms_n + 1 > 128) mg_fail(2, failed);
        if (*failed) return 0;
        terms_n += mg_copy(list18_, 1, terms_own + terms_n);
        rest = rest - (1.0 - q * h - q * (x - (h - (double)k))) / mg_nonzero(x + (double)k, failed);
        if (*failed) return 0;
    }
    list19_[0] = rest;
    if (terms_n + 1 > 128) mg_fail(2, failed);
    if (*failed) return 0;
    terms_n += mg_copy(list19_, 1, terms_own + terms_n);
    return mg_fsum(terms, terms_n, rest_, failed);
}

/* polygamma(double, double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_polygamma(double x, double order, int *failed)
{
    double list4_[2];
    double polynomial_own[128];
    double list6_[128];
    double slope_own[128];
    double padded_own[130];
    double list15_[130];
    double list13_[130];
    double others_own[128];
    long long n = 0;
    double sign = 0;
    const double *polynomial = 0;
    int polynomial_n = 0;
    const double *slope = 0;
    int slope_n = 0;
    const double *padded = 0;
    int padded_n = 0;
    double cot = 0;
    const double *others = 0;
    int others_n = 0;
    double result = 0;
    double c = 0;
    n = mg_to_int(mg_whole(trunc(order), failed), failed);
    if (*failed) return 0;
    mg__check_pole(x, failed);
    if (*failed) return 0;
    if (x != x || x == -INFINITY) {
        return NAN;
    }
    sign = mg_mod_int(n, 2) != 0 ? 1.0 : -1.0;
    if (x > 0.0) {
        return sign * mg__zeta(n + 1, x, mg_gamma((double)n + 1.0, failed), failed);
    }
    list4_[0] = 0.0;
    list4_[1] = 1.0;
    if (2 > 128) mg_fail(2, failed);
    if (*failed) return 0;
    polynomial_n = mg_copy(list4_, 2, polynomial_own);
    polynomial = polynomial_own;
    for (int i5_ = 0; i5_ < n - 0; i5_++) {
        (void)(0 + i5_);
        int n7_ = 0;
        for (int i8_ = 0; i8_ < polynomial_n; i8_++) {
            long long t9_ = 0 + i8_;
            double t10_ = polynomial[i8_];
            list6_[n7_++] = (double)t9_ * t10_;
        }
        int n11_ = mg_smaller(1, n7_);
        slope_n = mg_copy((list6_ + n11_), (n7_ - n11_), slope_own);
        slope = slope_own;
        int n12_ = mg_copy(slope, slope_n, padded_own + 0);
        padded_own[0 + n12_] = 0.0;
        padded_own[1 + n12_] = 0.0;
        padded_n = (2 + n12_);
        padded = padded_own;
        int n14_ = 0;
        list15_[0] = 0.0;
        list15_[1] = 0.0;
        int n16_ = mg_copy(slope, slope_n, list15_ + 2);
        int n17_ = padded_n;
        if (n17_ != (2 + n16_)) mg_fail(1, failed);
        if (n17_ > (2 + n16_)) n17_ = (2 + n16_);
        for (int i18_ = 0; i18_ < n17_; i18_++) {
            double t19_ = padded[i18_];
            double t20_ = list15_[i18_];
            list13_[n14_++] = -t19_ - t20_;
        }
        if (n14_ > 128) mg_fail(2, failed);
        if (*failed) return 0;
        polynomial_n = mg_copy(list13_, n14_, polynomial_own);
        polynomial = polynomial_own;
    }
    cot = mg__cot_pi(x, failed);
    if (*failed) return 0;
    if (polynomial_n - 1 < 0) mg_fail(1, failed);
    if (*failed) return 0;
    others_n = mg_copy(polynomial, (polynomial_n - 1), others_own);
    others = others_own;
    result = polynomial[polynomial_n - 1];
    for (int i21_ = 0; i21_ < others_n; i21_++) {
        c = others[(others_n - 1 - i21_)];
        result = result * cot + c;
    }
    return -sign * mg_polygamma(1.0 - x, (double)n, failed) - mg_pow_operator(0x1.921fb54442d18p+1, (double)(n + 1), failed) * result;
}

/* gamma_prime(double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_gamma_prime(double x, int *failed)
{
    double list3_[2];
    double list6_[2];
    double list8_[2];
    double list11_[2];
    double list13_[2];
    double list23_[2];
    double list25_[2];
    double list27_[2];
    long long whole = 0;
    double big = 0;
    double low = 0;
    double half = 0;
    double a = 0;
    double a_low = 0;
    double b = 0;
    double b_low = 0;
    long long k = 0;
    double h = 0;
    double h_low = 0;
    double q = 0;
    double p = 0;
    mg__check_pole(x, failed);
    if (*failed) return 0;
    if (x != x || x == -INFINITY) {
        return NAN;
    }
    if (x > 200.0) {
        return INFINITY;
    }
    if (x < -200.0) {
        return 0.0;
    }
    if (mg_abs(x) < 1e-09) {
        return -1.0 / mg_nonzero(x, failed) / mg_nonzero(x, failed);
    }
    whole = mg_to_int(mg_whole(floor(x), failed), failed);
    if (*failed) return 0;
    mg_two_sum(mg_max((double)whole, 10.0), x - (double)whole, list3_);
    big = list3_[0];
    low = list3_[1];
    half = mg_pow(big, 0.5 * big - 0.25, failed) * 0x1.0000000000000p-300;
    if (*failed) return 0;
    mg_two_product(half, half, list6_);
    a = list6_[0];
    a_low = list6_[1];
    mg_pair_product(a, a_low, mg_exp(-big, failed), 0.0, list8_);
    a = list8_[0];
    a_low = list8_[1];
    if (*failed) return 0;
    mg_pair_product(a, a_low, 0x1.40d931ff62706p+1, -0x1.a6a0d6f814637p-53, list11_);
    a = list11_[0];
    a_low = list11_[1];
    mg_pair_product(a, a_low, mg_digamma(x, failed), 0.0, list13_);
    a = list13_[0];
    a_low = list13_[1];
    if (*failed) return 0;
    a_low = a_low + a * mg_expm1(mg__stirling(big, failed) + low * mg_log(big, failed), failed);
    if (*failed) return 0;
    if (x >= 10.0) {
        return (a + a_low) * 0x1.0000000000000p+600;
    }
    double t19_ = 0x1.0000000000000p-600;
    double t20_ = 0.0;
    b = t19_;
    b_low = t20_;
    long long t21_ = 10 - whole;
    for (int i22_ = 0; i22_ < t21_ - 0; i22_++) {
        k = 0 + i22_;
        mg_two_sum(x, (double)k, list23_);
        h = list23_[0];
        h_low = list23_[1];
        mg_pair_product(b, b_low, h, h_low, list25_);
        b = list25_[0];
        b_low = list25_[1];
    }
    q = a / mg_nonzero(b, failed);
    if (*failed) return 0;
    mg_two_product(q, b, list27_);
    p = list27_[0];
    low = list27_[1];
    return q + (a - p - low + a_low - q * b_low) / mg_nonzero(b, failed);
}

/* _check_pole(double) -> void; fails 1, work 0 + 0 n, size 0 + 0 n */
static void mg__check_pole(double x, int *failed)
{
    if (x <= 0.0 && mg_mod(x, 1.0) == 0.0) {
        mg_fail(1, failed);
        return;
    }
}

/* _cot_pi(double) -> double; fails 5, work 0 + 0 n, size 0 + 0 n */
static double mg__cot_pi(double x, int *failed)
{
    double r = 0;
    r = mg_remainder(x, 1.0, failed);
    if (*failed) return 0;
    if (mg_abs(r) <= 0.25) {
        return 1.0 / mg_nonzero(mg_tan(0x1.921fb54442d18p+1 * r, failed), failed);
    }
    return copysign(mg_tan(0x1.921fb54442d18p+1 * (0.5 - mg_abs(r)), failed), r);
}

/* _log_minus_digamma(double) -> double; fails 4, work 0 + 0 n, size 0 + 0 n */
static double mg__log_minus_digamma(double x, int *failed)
{
    double z = 0;
    double result = 0;
    long long k = 0;
    z = 1.0 / mg_nonzero(x, failed);
    if (*failed) return 0;
    result = 0.0;
    for (int i1_ = 0; i1_ < 9 - 0; i1_++) {
        k = 9 - i1_;
        result = (result + mg_BERNOULLI[k - 1] / mg_nonzero((double)(2 * k), failed)) * z * z;
        if (*failed) return 0;
    }
    return 0.5 * z + result;
}

/* _stirling(double) -> double; fails 4, work 0 + 0 n, size 0 + 0 n */
static double mg__stirling(double x, int *failed)
{
    double z = 0;
    double result = 0;
    long long k = 0;
    z = 1.0 / mg_nonzero(x, failed);
    if (*failed) return 0;
    result = 0.0;
    for (int i1_ = 0; i1_ < 9 - 0; i1_++) {
        k = 9 - i1_;
        result = result * z * z + mg_BERNOULLI[k - 1] / mg_nonzero((double)(2 * k * (2 * k - 1)), failed);
        if (*failed) return 0;
    }
    return result * z;
}

/* _zeta(long long, double, double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg__zeta(long long s, double x, double factor, int *failed)
{
    double terms_own[128];
    double list2_[1];
    double list5_[1];
    double rest_[128];
    const double *terms = 0;
    int terms_n = 0;
    double z = 0;
    double weight = 0;
    double series = 0;
    long long k = 0;
    double b = 0;
    double h = 0;
    if (0 > 128) mg_fail(2, failed);
    if (*failed) return 0;
    terms_n = mg_copy(0, 0, terms_own);
    terms = terms_own;
    while (1) {
        if (!(x < 10.0 + (double)s))
            break;
        list2_[0] = factor * mg_power_or_inf(x, (double)(-s));
        if (terms_n + 1 > 128) mg_fail(2, failed);
        if (*failed) return 0;
        terms_n += mg_copy(list2_, 1, terms_own + terms_n);
        x = x + 1.0;
    }
    z = 1.0 / mg_nonzero(x, failed);
    if (*failed) return 0;
    weight = 0.5 * (double)s * z * z;
    series = 0.0;
    for (int i4_ = 0; i4_ < 9; i4_++) {
        k = 1 + i4_;
        b = mg_BERNOULLI[i4_];
        series = series + b * weight;
        weight = weight * ((double)((s + 2 * k - 1) * (s + 2 * k)) * z * z / mg_nonzero((double)((2 * k + 1) * (2 * k + 2)), failed));
        if (*failed) return 0;
    }
    h = mg_pow(x, 0.5 * (double)(1 - s), failed);
    if (*failed) return 0;
    list5_[0] = factor * (1.0 / mg_nonzero((double)(s - 1), failed) + (0.5 * z + series)) * h * h;
    if (terms_n + 1 > 128) mg_fail(2, failed);
    if (*failed) return 0;
    terms_n += mg_copy(list5_, 1, terms_own + terms_n);
    return mg_fsum(terms, terms_n, rest_, failed);
}

/* sigmoid(double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_sigmoid(double x, int *failed)
{
    double e = 0;
    if (x >= 0.0) {
        return 1.0 / mg_nonzero(1.0 + mg_exp(-x, failed), failed);
    }
    e = mg_exp(x, failed);
    if (*failed) return 0;
    return e / mg_nonzero(1.0 + e, failed);
}

/* sigmoid_prime(double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_sigmoid_prime(double x, int *failed)
{
    double e = 0;
    double q = 0;
    e = mg_exp(-mg_abs(x), failed);
    if (*failed) return 0;
    q = 1.0 + e;
    return e / mg_nonzero(q, failed) / mg_nonzero(q, failed);
}

/* sigmoid_and_partials(double) -> list; fails 7, work 0 + 0 n, size 2 + 0 n */
static int mg_sigmoid_and_partials(double x, double *out, int *failed)
{
    double list2_[1];
    double e = 0;
    double q = 0;
    double p = 0;
    e = mg_exp(-mg_abs(x), failed);
    if (*failed) return 0;
    q = 1.0 + e;
    p = e / mg_nonzero(q, failed);
    if (*failed) return 0;
    list2_[0] = p / mg_nonzero(q, failed);
    out[0] = x >= 0.0 ? 1.0 / mg_nonzero(q, failed) : p;
    int n3_ = mg_copy(list2_, 1, out + 1);
    return (1 + n3_);
}

/* logit(double) -> double; fails 5, work 0 + 0 n, size 0 + 0 n */
static double mg_logit(double p, int *failed)
{
    if (!(0.0 < p && p < 1.0)) {
        return p == 0.0 ? -INFINITY : (p == 1.0 ? INFINITY : NAN);
    }
    if (p > 0.25) {
        return mg_log1p((2.0 * p - 1.0) / mg_nonzero(1.0 - p, failed), failed);
    }
    return mg_log(p / mg_nonzero(1.0 - p, failed), failed);
}

/* bce(double, double) -> double; fails 1, work 0 + 0 n, size 0 + 0 n */
static double mg_bce(double p, double t, int *failed)
{
    double log_p = 0;
    double log_q = 0;
    if (p != p || t != t) {
        return NAN;
    }
    if (!((0.0 <= p && p <= 1.0) && (0.0 <= t && t <= 1.0))) {
        mg_fail(1, failed);
        return 0;
    }
    log_p = p != 0.0 ? mg_max(mg_log(p, failed), -100.0) : -100.0;
    if (*failed) return 0;
    log_q = p < 1.0 ? mg_log1p(-p, failed) : -100.0;
    if (*failed) return 0;
    return -(t * log_p + (1.0 - t) * log_q);
}

/* bce_scale(double) -> double; fails 4, work 0 + 0 n, size 0 + 0 n */
static double mg_bce_scale(double p, int *failed)
{
    return (0x1.a8c1f14e2af5dp-145 < p && p < 1.0) ? 1.0 / mg_nonzero(p * (1.0 - p), failed) : (p == p ? 0x1.d1a94a2000000p+39 : p);
}

/* bce_with_logits(double, double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg_bce_with_logits(double z, double t, int *failed)
{
    if (!(0.0 <= t && t <= 1.0) && t == t) {
        mg_fail(1, failed);
        return 0;
    }
    return t * mg_softplus(-z, failed) + (1.0 - t) * mg_softplus(z, failed);
}

/* log_sigmoid(double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg_log_sigmoid(double x, int *failed)
{
    return (x < 0.0 ? x : 0.0) - mg_log1p(mg_exp(-mg_abs(x), failed), failed);
}

/* softplus(double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg_softplus(double x, int *failed)
{
    return (x > 0.0 ? x : 0.0) + mg_log1p(mg_exp(-mg_abs(x), failed), failed);
}

/* tanh_prime(double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_tanh_prime(double x, int *failed)
{
    double e = 0;
    double q = 0;
    e = mg_exp(-2.0 * mg_abs(x), failed);
    if (*failed) return 0;
    q = 1.0 + e;
    return 4.0 * e / mg_nonzero(q, failed) / mg_nonzero(q, failed);
}

/* elu(double, double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg_elu(double x, double alpha, int *failed)
{
    return x > 0.0 ? x : alpha * mg_expm1(x, failed);
}

/* elu_prime(double, double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg_elu_prime(double x, double alpha, int *failed)
{
    return x > 0.0 ? 1.0 : (x == 0.0 ? mg_leaky_relu_prime(0.0, alpha) : mg__times_exp(alpha, x, 0.0, failed));
}

/* silu(double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_silu(double x, int *failed)
{
    return mg__times_sigmoid(x, x, 0.0, failed);
}

/* silu_prime(double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_silu_prime(double x, int *failed)
{
    double d = 0;
    if (x > 0.0) {
        return 1.0 - mg_silu_prime(-x, failed);
    }
    x = mg_max(x, -0x1.f400000000000p+9);
    d = x - -0x1.474973c84120bp+0 - -0x1.f8d74bc9ac154p-54;
    return mg__times_sigmoid_prime(d + 0x1.1d25cf210482ep-2 * mg_expm1(d, failed), x, 0.0, failed);
}

/* gelu_tanh(double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_gelu_tanh(double x, int *failed)
{
    double list1_[2];
    double w = 0;
    double low = 0;
    mg__gelu_tanh_exponent(mg_min(x, 30.0), list1_);
    w = list1_[0];
    low = list1_[1];
    return mg__times_sigmoid(x, w, low, failed);
}

/* gelu_tanh_prime(double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_gelu_tanh_prime(double x, int *failed)
{
    double list2_[2];
    double list4_[2];
    double list6_[2];
    double list8_[2];
    double list11_[2];
    double list13_[2];
    double list15_[2];
    double d = 0;
    double d_low = 0;
    double s = 0;
    double s_low = 0;
    double p = 0;
    double p_low = 0;
    double slope = 0;
    double slope_low = 0;
    double v = 0;
    double g = 0;
    double g_low = 0;
    double w = 0;
    double low = 0;
    if (x > 0.0) {
        return 1.0 - mg_gelu_tanh_prime(-x, failed);
    }
    x = mg_max(x, -30.0);
    mg_two_sum(x - -0x1.81429f9e97e4dp-1, -0x1.4f523ed77dbdcp-55, list2_);
    d = list2_[0];
    d_low = list2_[1];
    mg_two_sum(x * x, -0x1.81429f9e97e4dp-1 * (x + -0x1.81429f9e97e4dp-1), list4_);
    s = list4_[0];
    s_low = list4_[1];
    mg_pair_product(s, s_low, 0x1.2444f2a4d8b4bp-4, -0x1.6c843a29d1c70p-61, list6_);
    p = list6_[0];
    p_low = list6_[1];
    mg_two_sum(0x1.9884533d43651p+0, 3.0 * p, list8_);
    slope = list8_[0];
    slope_low = list8_[1];
    v = 0x1.2af64e9c485eep-2 * mg_expm1(d * (0x1.9884533d43651p+0 + p), failed);
    if (*failed) return 0;
    mg_pair_product(d, d_low, slope, slope_low + (3.0 * p_low + -0x1.cbc0d30ebfd15p-54), list11_);
    p = list11_[0];
    p_low = list11_[1];
    mg_two_sum(p, v, list13_);
    g = list13_[0];
    g_low = list13_[1];
    mg__gelu_tanh_exponent(x, list15_);
    w = list15_[0];
    low = list15_[1];
    return mg__times_sigmoid_prime(g, w, low + (g_low + p_low) / mg_nonzero(g, failed), failed);
}

/* _gelu_tanh_exponent(double) -> list; fails 0, work 0 + 0 n, size 2 + 0 n */
static int mg__gelu_tanh_exponent(double x, double *out)
{
    double list1_[2];
    double list3_[2];
    double list5_[2];
    double square = 0;
    double square_low = 0;
    double p = 0;
    double p_low = 0;
    double q = 0;
    double q_low = 0;
    x = mg_max(x, -30.0);
    mg_two_product(x, x, list1_);
    square = list1_[0];
    square_low = list1_[1];
    mg_pair_product(square, square_low, 0x1.2444f2a4d8b4bp-4, -0x1.6c843a29d1c70p-61, list3_);
    p = list3_[0];
    p_low = list3_[1];
    mg_two_sum(0x1.9884533d43651p+0, p, list5_);
    q = list5_[0];
    q_low = list5_[1];
    int n7_ = mg_pair_product(x, 0.0, q, q_low + (p_low + -0x1.cbc0d30ebfd15p-54), out);
    return n7_;
}

/* _times_sigmoid(double, double, double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg__times_sigmoid(double x, double w, double low, int *failed)
{
    if (w >= 0.0) {
        return x / mg_nonzero(1.0 + mg_exp(-w, failed), failed);
    }
    w = mg_max(w, -0x1.f400000000000p+9);
    return mg__times_exp(mg_max(x, -0x1.f400000000000p+9), w, low, failed) / mg_nonzero(1.0 + mg_exp(w, failed), failed);
}

/* _times_sigmoid_prime(double, double, double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg__times_sigmoid_prime(double c, double w, double low, int *failed)
{
    double e = 0;
    double z = 0;
    double q = 0;
    e = mg_exp(w, failed);
    if (*failed) return 0;
    z = e * (2.0 + e);
    q = 1.0 + z;
    low = low - (1.0 - q + z) / mg_nonzero(q, failed);
    if (*failed) return 0;
    return mg__times_exp(c, w, low, failed) / mg_nonzero(q, failed);
}

/* _times_exp(double, double, double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg__times_exp(double c, double x, double low, int *failed)
{
    double h = 0;
    c = c + c * low;
    if (x > -700.0) {
        return c * mg_exp(x, failed);
    }
    h = mg_exp(0.5 * x, failed);
    if (*failed) return 0;
    return c * h * h;
}

/* gelu(double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_gelu(double x, int *failed)
{
    double t = 0;
    double mills = 0;
    if (x > -1.0) {
        return x * (0.5 * erfc(-0x1.6a09e667f3bcdp-1 * x));
    }
    t = mg_min(-x, 50.0);
    mills = 0x1.0d0134399e55ep-1 + (t + -0x1.80ead197f00b4p-1) * mg__mills_slope(t, failed);
    if (*failed) return 0;
    return -mg__times_bell(mills - mills / mg_nonzero(1.0 + t, failed), t, failed);
}

/* gelu_prime(double) -> double; fails 7, work 0 + 0 n, size 0 + 0 n */
static double mg_gelu_prime(double x, int *failed)
{
    double t = 0;
    double d = 0;
    if (x > 0.0) {
        return 1.0 - mg_gelu_prime(-x, failed);
    }
    t = mg_min(-x, 50.0);
    d = t + -0x1.80ead197f00b4p-1 + 0x1.13e74c58cada8p-56;
    return -mg__times_bell(d * (0x1.9884533d43651p-2 + (0x1.331e9a233c13ap-2 - mg__mills_slope(t, failed)) / mg_nonzero(1.0 + t, failed)), t, failed);
}

/* normal_pdf(double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg_normal_pdf(double x, int *failed)
{
    return mg__times_bell(0x1.9884533d43651p-2, mg_min(mg_abs(x), 50.0), failed);
}

/* _times_bell(double, double) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg__times_bell(double c, double t, int *failed)
{
    double list1_[2];
    double high = 0;
    double low = 0;
    double square = 0;
    double square_low = 0;
    mg_split(t, list1_);
    high = list1_[0];
    low = list1_[1];
    square = t * t;
    square_low = high * high - square + 2.0 * high * low + low * low;
    return mg__times_exp(c, -0.5 * square, -0.5 * square_low, failed);
}

/* _mills_slope(double) -> double; fails 4, work 0 + 0 n, size 0 + 0 n */
static double mg__mills_slope(double t, int *failed)
{
    double u = 0;
    double result = 0;
    double c = 0;
    u = (t - 5.0) / mg_nonzero(t + 5.0, failed);
    if (*failed) return 0;
    result = 0.0;
    for (int i1_ = 0; i1_ < 23; i1_++) {
        c = mg__MILLS_SERIES[(23 - 1 - i1_)];
        result = result * u + c;
    }
    return result / mg_nonzero(t + 5.0, failed);
}

/* total(*list) -> double; fails 3, work 11 + 7 n, size 0 + 0 n */
static double mg_total(const double *xs, int xs_n, double *work, int *failed)
{
    double *list7_ = work + 0 + 0 * (xs_n);
    double *rest_ = work + 1 + 1 * (xs_n);
    int failed1_ = 0;
    double t3_ = mg_fsum(xs, xs_n, rest_, &failed1_);
    if (failed1_) {
        double t12_;
        if (mg__finite(xs, xs_n)) {
            t12_ = mg__scaled_total(xs, xs_n, rest_, failed);
        } else {
            int n8_ = 0;
            for (int i9_ = 0; i9_ < xs_n; i9_++) {
                double t10_ = xs[i9_];
                if (!(!isfinite(t10_))) continue;
                list7_[n8_++] = t10_;
            }
            t12_ = mg_sum(list7_, n8_);
        }
        return t12_;
    } else {
        return t3_;
    }
}

/* mean(*list) -> double; fails 7, work 12 + 8 n, size 0 + 0 n */
static double mg_mean(const double *xs, int xs_n, double *work, int *failed)
{
    double *list5_ = work + 0 + 0 * (xs_n);
    double *rest_ = work + 1 + 1 * (xs_n);
    long long n = 0;
    double result = 0;
    n = xs_n;
    result = mg_total(xs, xs_n, rest_, failed) / mg_nonzero((double)n, failed);
    if (*failed) return 0;
    if (isinf(result) && mg__finite(xs, xs_n)) {
        int n6_ = 0;
        for (int i7_ = 0; i7_ < xs_n; i7_++) {
            double t8_ = xs[i7_];
            list5_[n6_++] = t8_ * 0x1.0000000000000p-64;
        }
        return mg_fsum(list5_, n6_, rest_, failed) / mg_nonzero((double)n, failed) * 0x1.0000000000000p+64;
    }
    return result;
}

/* _finite(list) -> int; fails 0, work 0 + 0 n, size 0 + 0 n */
static int mg__finite(const double *xs, int xs_n)
{
    int t1_ = 1;
    for (int i2_ = 0; i2_ < xs_n; i2_++) {
        double t3_ = xs[i2_];
        if (!isfinite(t3_)) { t1_ = 0; break; }
    }
    return t1_;
}

/* _scaled_total(list) -> double; fails 3, work 10 + 6 n, size 0 + 0 n */
static double mg__scaled_total(const double *xs, int xs_n, double *work, int *failed)
{
    double *scaled_own = work + 0 + 0 * (xs_n);
    double *lost_own = work + 1 + 1 * (xs_n);
    double list12_[3];
    double list10_[3];
    double *list16_ = work + 2 + 2 * (xs_n);
    double *rest_ = work + 5 + 3 * (xs_n);
    const double *scaled = 0;
    int scaled_n = 0;
    const double *lost = 0;
    int lost_n = 0;
    int n1_ = 0;
    for (int i2_ = 0; i2_ < xs_n; i2_++) {
        double t3_ = xs[i2_];
        scaled_own[n1_++] = t3_ * 0x1.0000000000000p-64;
    }
    scaled_n = n1_;
    scaled = scaled_own;
    int n4_ = 0;
    int n5_ = xs_n;
    if (n5_ != scaled_n) mg_fail(1, failed);
    if (n5_ > scaled_n) n5_ = scaled_n;
    for (int i6_ = 0; i6_ < n5_; i6_++) {
        double t7_ = xs[i6_];
        double t8_ = scaled[i6_];
        lost_own[n4_++] = t7_ - t8_ * 0x1.0000000000000p+64;
    }
    lost_n = n4_;
    lost = lost_own;
    if (*failed) return 0;
    int n11_ = 0;
    int n13_ = mg__three(scaled, scaled_n, list12_, rest_, failed);
    for (int i14_ = 0; i14_ < n13_; i14_++) {
        double t15_ = list12_[i14_];
        list10_[n11_++] = t15_ * 0x1.0000000000000p+64;
    }
    int n17_ = mg_copy(list10_, n11_, list16_ + 0);
    int n18_ = mg_copy(lost, lost_n, list16_ + 0 + n17_);
    return mg_fsum(list16_, (0 + n17_ + n18_), rest_, failed);
}

/* _three(list) -> list; fails 3, work 5 + 3 n, size 3 + 0 n */
static int mg__three(const double *terms, int terms_n, double *out, double *work, int *failed)
{
    double *list1_ = work + 0 + 0 * (terms_n);
    double *list4_ = work + 1 + 1 * (terms_n);
    double *rest_ = work + 3 + 2 * (terms_n);
    double a = 0;
    double b = 0;
    a = mg_fsum(terms, terms_n, rest_, failed);
    if (*failed) return 0;
    list1_[0] = -a;
    int n2_ = mg_copy(terms, terms_n, list1_ + 1);
    b = mg_fsum(list1_, (1 + n2_), rest_, failed);
    if (*failed) return 0;
    list4_[0] = -a;
    list4_[1] = -b;
    int n5_ = mg_copy(terms, terms_n, list4_ + 2);
    out[0] = a;
    out[1] = b;
    out[2] = mg_fsum(list4_, (2 + n5_), rest_, failed);
    return 3;
}

/* dot(double, *list) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_dot(double bias, const double *factors, int factors_n)
{
    double w = 0;
    double x = 0;
    int n1_ = mg_smaller(mg_floordiv_int(factors_n, 2), factors_n);
    int n2_ = factors_n;
    if (n2_ > (factors_n - n1_)) n2_ = (factors_n - n1_);
    for (int i3_ = 0; i3_ < n2_; i3_++) {
        w = factors[i3_];
        x = (factors + n1_)[i3_];
        bias = bias + w * x;
    }
    return bias;
}

/* dot_and_partials(double, *list) -> list; fails 0, work 2 + 3 n, size 2 + 2 n */
static int mg_dot_and_partials(double bias, const double *factors, int factors_n, double *out, double *work)
{
    double *xs_own = work + 0 + 0 * (factors_n);
    double *list4_ = work + 1 + 1 * (factors_n);
    long long n = 0;
    const double *xs = 0;
    int xs_n = 0;
    double w = 0;
    double x = 0;
    n = mg_floordiv_int(factors_n, 2);
    int n1_ = mg_smaller(n, factors_n);
    xs_n = mg_copy((factors + n1_), (factors_n - n1_), xs_own);
    xs = xs_own;
    int n2_ = factors_n;
    if (n2_ > xs_n) n2_ = xs_n;
    for (int i3_ = 0; i3_ < n2_; i3_++) {
        w = factors[i3_];
        x = xs[i3_];
        bias = bias + w * x;
    }
    int n5_ = mg_smaller(n, factors_n);
    list4_[0] = 1.0;
    int n6_ = mg_copy(xs, xs_n, list4_ + 1);
    int n7_ = mg_copy(factors, n5_, list4_ + 1 + n6_);
    out[0] = bias;
    int n8_ = mg_copy(list4_, (1 + n6_ + n7_), out + 1);
    return (1 + n8_);
}

/* product(*list) -> double; fails 0, work 0 + 0 n, size 0 + 0 n */
static double mg_product(const double *xs, int xs_n)
{
    double result = 0;
    double x = 0;
    result = 1.0;
    for (int i1_ = 0; i1_ < xs_n; i1_++) {
        x = xs[i1_];
        result = result * x;
    }
    return result;
}

/* select(*list) -> double; fails 3, work 0 + 0 n, size 0 + 0 n */
static double mg_select(const double *values, int values_n, int *failed)
{
    double index = 0;
    index = values[values_n - 1];
    if (!(0.0 <= index && index < (double)(values_n - 1)) || mg_mod(index, 1.0) != 0.0) {
        mg_fail(1, failed);
        return 0;
    }
    return values[mg_to_int(mg_whole(trunc(index), failed), failed)];
}

/* mse(*list) -> double; fails 4, work 3 + 3 n, size 0 + 0 n */
static double mg_mse(const double *values, int values_n, double *work, int *failed)
{
    double *list1_ = work + 0 + 0 * (values_n);
    double *rest_ = work + 1 + 1 * (values_n);
    mg_mse_and_partials(values, values_n, list1_, rest_, failed);
    return list1_[0];
}

/* mse_and_partials(*list) -> list; fails 4, work 2 + 2 n, size 1 + 1 n */
static int mg_mse_and_partials(const double *values, int values_n, double *out, double *work, int *failed)
{
    double *partials_own = work + 0 + 0 * (values_n);
    double *list7_ = work + 1 + 1 * (values_n);
    long long n = 0;
    double total = 0;
    double scale = 0;
    const double *partials = 0;
    int partials_n = 0;
    long long i = 0;
    double difference = 0;
    double partial = 0;
    n = mg_floordiv_int(values_n, 2);
    double t1_ = 0.0;
    double t2_ = 2.0 / mg_nonzero((double)n, failed);
    total = t1_;
    scale = t2_;
    if (*failed) return 0;
    int n3_ = mg_copy(values, values_n, partials_own + 0);
    partials_n = (0 + n3_);
    partials = partials_own;
    for (int i4_ = 0; i4_ < n - 0; i4_++) {
        i = 0 + i4_;
        difference = values[i] - values[n + i];
        total = total + difference * difference;
        double t5_ = scale * difference;
        double t6_ = scale * difference;
        partial = t5_;
        partials_own[i] = t6_;
        partials_own[n + i] = -partial;
    }
    int n8_ = mg_copy(partials, partials_n, list7_ + 0);
    out[0] = total / mg_nonzero((double)n, failed);
    int n9_ = mg_copy(list7_, (0 + n8_), out + 1);
    return (1 + n9_);
}

/* logsumexp(list) -> double; fails 3, work 8 + 10 n, size 0 + 0 n */
static double mg_logsumexp(const double *xs, int xs_n, double *work, int *failed)
{
    double *list3_ = work + 0 + 0 * (xs_n);
    double *list2_ = work + 1 + 1 * (xs_n);
    double *rest_ = work + 2 + 2 * (xs_n);
    double top = 0;
    double log_rest = 0;
    double result = 0;
    top = mg_max_of(xs, xs_n, failed);
    if (*failed) return 0;
    int n4_ = mg__weights(xs, xs_n, top, list3_, rest_, failed);
    list2_[0] = -1.0;
    int n5_ = mg_copy(list3_, n4_, list2_ + 1);
    log_rest = mg_log1p(mg_fsum(list2_, (1 + n5_), rest_, failed), failed);
    if (*failed) return 0;
    result = top + log_rest;
    if (mg_abs(result) < 0.5 * log_rest) {
        return mg__log_of_sum(xs, xs_n, rest_, failed);
    }
    return result;
}

/* softmax(list) -> list; fails 7, work 4 + 4 n, size 0 + 1 n */
static int mg_softmax(const double *xs, int xs_n, double *out, double *work, int *failed)
{
    double *rest_ = work + 0 + 0 * (xs_n);
    mg__check_limit(xs, xs_n, rest_, failed);
    if (*failed) return 0;
    int n2_ = mg_shares(xs, xs_n, out, rest_, failed);
    return n2_;
}

/* shares(list) -> list; fails 7, work 4 + 4 n, size 0 + 1 n */
static int mg_shares(const double *xs, int xs_n, double *out, double *work, int *failed)
{
    double *weights_own = work + 0 + 0 * (xs_n);
    double *list3_ = work + 1 + 1 * (xs_n);
    double *result_own = work + 2 + 2 * (xs_n);
    double list6_[1];
    double *rest_ = work + 3 + 3 * (xs_n);
    const double *weights = 0;
    int weights_n = 0;
    double total = 0;
    double lost = 0;
    const double *result = 0;
    int result_n = 0;
    double w = 0;
    double p = 0;
    int n1_ = mg__weights(xs, xs_n, mg_max_of(xs, xs_n, failed), weights_own, rest_, failed);
    weights_n = n1_;
    weights = weights_own;
    if (*failed) return 0;
    total = mg_fsum(weights, weights_n, rest_, failed);
    if (*failed) return 0;
    list3_[0] = -total;
    int n4_ = mg_copy(weights, weights_n, list3_ + 1);
    lost = mg_fsum(list3_, (1 + n4_), rest_, failed) / mg_nonzero(total, failed);
    if (*failed) return 0;
    result_n = mg_copy(0, 0, result_own);
    result = result_own;
    for (int i5_ = 0; i5_ < weights_n; i5_++) {
        w = weights[i5_];
        p = w / mg_nonzero(total, failed);
        if (*failed) return 0;
        list6_[0] = p - p * lost;
        result_n += mg_copy(list6_, 1, result_own + result_n);
    }
    return mg_copy(result, result_n, out);
}

/* log_softmax(list) -> list; fails 3, work 3 + 3 n, size 0 + 1 n */
static int mg_log_softmax(const double *xs, int xs_n, double *out, double *work, int *failed)
{
    double *list4_ = work + 0 + 0 * (xs_n);
    double *list3_ = work + 1 + 1 * (xs_n);
    double *rest_ = work + 2 + 2 * (xs_n);
    double top = 0;
    double log_total = 0;
    mg__check_limit(xs, xs_n, rest_, failed);
    if (*failed) return 0;
    top = mg_max_of(xs, xs_n, failed);
    if (*failed) return 0;
    int n5_ = mg__weights(xs, xs_n, top, list4_, rest_, failed);
    list3_[0] = -1.0;
    int n6_ = mg_copy(list4_, n5_, list3_ + 1);
    log_total = mg_log1p(mg_fsum(list3_, (1 + n6_), rest_, failed), failed);
    if (*failed) return 0;
    int n7_ = 0;
    for (int i8_ = 0; i8_ < xs_n; i8_++) {
        double t9_ = xs[i8_];
        out[n7_++] = (t9_ == top ? 0.0 : t9_ - top) - log_total;
    }
    return n7_;
}

/* logsumexp_of(*list) -> double; fails 3, work 8 + 10 n, size 0 + 0 n */
static double mg_logsumexp_of(const double *xs, int xs_n, double *work, int *failed)
{
    double *rest_ = work + 0 + 0 * (xs_n);
    return mg_logsumexp(xs, xs_n, rest_, failed);
}

/* first_of_softmax(*list) -> double; fails 7, work 5 + 5 n, size 0 + 0 n */
static double mg_first_of_softmax(const double *xs, int xs_n, double *work, int *failed)
{
    double *list1_ = work + 0 + 0 * (xs_n);
    double *rest_ = work + 1 + 1 * (xs_n);
    mg_softmax(xs, xs_n, list1_, rest_, failed);
    return list1_[0];
}

/* first_of_shares(*list) -> double; fails 7, work 5 + 5 n, size 0 + 0 n */
static double mg_first_of_shares(const double *xs, int xs_n, double *work, int *failed)
{
    double *list1_ = work + 0 + 0 * (xs_n);
    double *rest_ = work + 1 + 1 * (xs_n);
    mg_shares(xs, xs_n, list1_, rest_, failed);
    return list1_[0];
}

/* first_of_log_softmax(*list) -> double; fails 3, work 4 + 4 n, size 0 + 0 n */
static double mg_first_of_log_softmax(const double *xs, int xs_n, double *work, int *failed)
{
    double *list1_ = work + 0 + 0 * (xs_n);
    double *rest_ = work + 1 + 1 * (xs_n);
    mg_log_softmax(xs, xs_n, list1_, rest_, failed);
    return list1_[0];
}

/* complement(*list) -> double; fails 3, work 11 + 7 n, size 0 + 0 n */
static double mg_complement(const double *ps, int ps_n, double *work, int *failed)
{
    double *rest_ = work + 0 + 0 * (ps_n);
    double t3_;
    if (ps[0] > 0.5) {
        int n2_ = mg_smaller(1, ps_n);
        t3_ = mg_total((ps + n2_), (ps_n - n2_), rest_, failed);
    } else {
        t3_ = 1.0 - ps[0];
    }
    return t3_;
}

/* _check_limit(list) -> void; fails 1, work 1 + 1 n, size 0 + 0 n */
static void mg__check_limit(const double *xs, int xs_n, double *work, int *failed)
{
    double *list3_ = work + 0 + 0 * (xs_n);
    double top = 0;
    top = mg_max_of(xs, xs_n, failed);
    if (*failed) return;
    int t10_ = isinf(top);
    if (t10_) {
        int n4_ = 0;
        for (int i5_ = 0; i5_ < xs_n; i5_++) {
            double t6_ = xs[i5_];
            list3_[n4_++] = (double)(t6_ == top);
        }
        t10_ = mg_sum(list3_, n4_) > (double)(top > 0.0);
    }
    if (t10_) {
        int t7_ = 1;
        for (int i8_ = 0; i8_ < xs_n; i8_++) {
            double t9_ = xs[i8_];
            if (!(t9_ == t9_)) { t7_ = 0; break; }
        }
        t10_ = t7_;
    }
    if (t10_) {
        mg_fail(1, failed);
        return;
    }
}

/* _weights(list, double) -> list; fails 3, work 1 + 1 n, size 0 + 1 n */
static int mg__weights(const double *xs, int xs_n, double top, double *out, double *work, int *failed)
{
    double *weights_own = work + 0 + 0 * (xs_n);
    double list2_[1];
    double list3_[1];
    double list4_[1];
    const double *weights = 0;
    int weights_n = 0;
    double x = 0;
    double d = 0;
    double b = 0;
    double low = 0;
    double e = 0;
    weights_n = mg_copy(0, 0, weights_own);
    weights = weights_own;
    for (int i1_ = 0; i1_ < xs_n; i1_++) {
        x = xs[i1_];
        d = x - top;
        if (x == top) {
            list2_[0] = 1.0;
            weights_n += mg_copy(list2_, 1, weights_own + weights_n);
        } else {
            if (d < -800.0) {
                list3_[0] = 0.0;
                weights_n += mg_copy(list3_, 1, weights_own + weights_n);
            } else {
                b = d - x;
                low = x - (d - b) - (top + b);
                e = mg_exp(d, failed);
                if (*failed) return 0;
                list4_[0] = e + e * low;
                weights_n += mg_copy(list4_, 1, weights_own + weights_n);
            }
        }
    }
    return mg_copy(weights, weights_n, out);
}

/* _log_of_sum(list) -> double; fails 3, work 6 + 8 n, size 0 + 0 n */
static double mg__log_of_sum(const double *xs, int xs_n, double *work, int *failed)
{
    double *terms_own = work + 0 + 0 * (xs_n);
    double list2_[4];
    double *rest_ = work + 5 + 4 * (xs_n);
    const double *terms = 0;
    int terms_n = 0;
    double x = 0;
    terms_own[0] = -0x1.0000000000000p+900;
    terms_n = 1;
    terms = terms_own;
    for (int i1_ = 0; i1_ < xs_n; i1_++) {
        x = xs[i1_];
        if (x > -800.0) {
            int n3_ = mg__scaled_exp(x, list2_, failed);
            terms_n += mg_copy(list2_, n3_, terms_own + terms_n);
            if (*failed) return 0;
        }
    }
    return mg_log1p(mg_fsum(terms, terms_n, rest_, failed) * 0x1.0000000000000p-900, failed);
}

/* _scaled_exp(double) -> list; fails 3, work 0 + 0 n, size 4 + 0 n */
static int mg__scaled_exp(double x, double *out, int *failed)
{
    double result_own[3];
    double list6_[3];
    double list5_[3];
    double list9_[3];
    double list11_[3];
    double list8_[3];
    double list13_[3];
    double list19_[4];
    double list18_[3];
    double list24_[3];
    double list26_[3];
    double rest_[17];
    long long halvings = 0;
    double z = 0;
    double tail = 0;
    double c = 0;
    long long k = 0;
    const double *result = 0;
    int result_n = 0;
    halvings = mg_max_int(mg_exponent(x) + 6, 0);
    z = mg_ldexp(x, -halvings, failed);
    if (*failed) return 0;
    double t1_ = 1.0;
    double t2_ = 1.0;
    tail = t1_;
    c = t2_;
    for (int i3_ = 0; i3_ < 18 - 13; i3_++) {
        k = 18 - i3_;
        c = c * (double)k;
        tail = tail * z + c;
    }
    result_own[0] = tail;
    result_own[1] = 0.0;
    result_own[2] = 0.0;
    result_n = 3;
    result = result_own;
    for (int i4_ = 0; i4_ < 13 - 1; i4_++) {
        k = 13 - i4_;
        c = c * (double)k;
        list6_[0] = z;
        list6_[1] = 0.0;
        list6_[2] = 0.0;
        int n7_ = mg__times(result, result_n, list6_, 3, c, list5_, failed);
        result_n = mg_copy(list5_, n7_, result_own);
        result = result_own;
        if (*failed) return 0;
    }
    int n10_ = mg__times(result, result_n, mg__INVERSE_FACTORIAL, 3, 0.0, list9_, failed);
    list11_[0] = z;
    list11_[1] = 0.0;
    list11_[2] = 0.0;
    int n12_ = mg__times(list9_, n10_, list11_, 3, 0.0, list8_, failed);
    result_n = mg_copy(list8_, n12_, result_own);
    result = result_own;
    if (*failed) return 0;
    if (halvings == 0) {
        int n14_ = 0;
        for (int i15_ = 0; i15_ < result_n; i15_++) {
            double t16_ = result[i15_];
            list13_[n14_++] = t16_ * 0x1.0000000000000p+900;
        }
        out[0] = 0x1.0000000000000p+900;
        int n17_ = mg_copy(list13_, n14_, out + 1);
        return (1 + n17_);
    }
    list19_[0] = 1.0;
    int n20_ = mg_copy(result, result_n, list19_ + 1);
    int n21_ = mg__three(list19_, (1 + n20_), list18_, rest_, failed);
    result_n = mg_copy(list18_, n21_, result_own);
    result = result_own;
    if (*failed) return 0;
    long long t22_ = halvings - 1;
    for (int i23_ = 0; i23_ < t22_ - 0; i23_++) {
        (void)(0 + i23_);
        int n25_ = mg__times(result, result_n, result, result_n, 0.0, list24_, failed);
        result_n = mg_copy(list24_, n25_, result_own);
        result = result_own;
        if (*failed) return 0;
    }
    int n27_ = 0;
    for (int i28_ = 0; i28_ < result_n; i28_++) {
        double t29_ = result[i28_];
        list26_[n27_++] = t29_ * 0x1.0000000000000p+450;
    }
    result_n = mg_copy(list26_, n27_, result_own);
    result = result_own;
    int n30_ = mg__times(result, result_n, result, result_n, 0.0, out, failed);
    return n30_;
}

/* _times(list, list, double) -> list; fails 3, work 0 + 0 n, size 3 + 0 n */
static int mg__times(const double *xs, int xs_n, const double *ys, int ys_n, double plus, double *out, int *failed)
{
    (void)xs_n;
    (void)ys_n;
    double list1_[2];
    double list3_[2];
    double list5_[2];
    double list7_[8];
    double rest_[29];
    double p = 0;
    double p_low = 0;
    double q = 0;
    double q_low = 0;
    double r = 0;
    double r_low = 0;
    double rest = 0;
    mg_two_product(xs[0], ys[0], list1_);
    p = list1_[0];
    p_low = list1_[1];
    mg_two_product(xs[0], ys[1], list3_);
    q = list3_[0];
    q_low = list3_[1];
    mg_two_product(xs[1], ys[0], list5_);
    r = list5_[0];
    r_low = list5_[1];
    rest = xs[0] * ys[2] + xs[1] * ys[1] + xs[2] * ys[0];
    list7_[0] = plus;
    list7_[1] = p;
    list7_[2] = p_low;
    list7_[3] = q;
    list7_[4] = q_low;
    list7_[5] = r;
    list7_[6] = r_low;
    list7_[7] = rest;
    int n8_ = mg__three(list7_, 8, out, rest_, failed);
    return n8_;
}
