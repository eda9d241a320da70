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

static inline double mg_identity(double x)
{
    return x;
}

static inline double mg_abs(double x)
{
#ifdef __GNUC__
    return __builtin_fabs(x);
#else
    return fabs(x);
#endif
}

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

static inline double mg_fmod(double x, double y, int *failed)
{
    return mg_defined(fmod(x, y), x, y, failed);
}

/* A zero has the sign of x, which glibc's may lack for a y below DBL_MIN. */
static inline double mg_remainder(double x, double y, int *failed)
{
    double r = remainder(x, y);
    return r == 0.0 ? copysign(0.0, x) : mg_defined(r, x, y, failed);
}

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

/* Until Python 3.11, a sum is added up from left to right. */
static double mg_sum(const double *xs, int n)
{
    double total = 0.0;
    for (int i = 0; i < n; i++)
        total += xs[i];
    return total;
}

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
