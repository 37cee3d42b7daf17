/* True values and errors in bulk, written once: IN is the type of the results that are judged,
 * REAL the wider type that computes the truth, NAME(f) gives f the suffix of IN.
 *
 * Every formula is one of ../truth.py: sums, products and quotients of terms of one sign, so each
 * operation adds at most one rounding of REAL, of relative size u, to the relative error.
 *
 *     gap_j = m - x_j as a pair by two_sum, so that exp amplifies no rounding
 *     e_j = exp(-gap_j): libm's error, at most 2 u, and two roundings
 *     s by two_sum: as exact as its terms, whatever K
 *
 * S - e_j >= S / 2 doubles the error of S. The longest chain, a Hessian p_j (S - e_j) / S, ends
 * below 32 u: 2^-24 ULP of a float from doubles, 2^-6 ULP of a double from long doubles, and in
 * practice an eighth of that. What is close to a bound is computed again with 400 bits.
 */

typedef struct {
    ptrdiff_t n, k;
    const IN *x;
    REAL *gap, *e;         /* n * k */
    REAL *m, *s, *log_S;   /* n */
    ptrdiff_t *top;        /* n: the first maximum */
    uint8_t *single;       /* n: no tie with it */
} NAME(rows);

/* High part and rest: high + rest = a + b exactly. Knuth, TAOCP vol. 2, 4.2.2 */
static REAL NAME(two_sum)(REAL a, REAL b, REAL *rest)
{
    REAL sum = a + b, v = sum - a;
    *rest = (a - (sum - v)) + (b - v);
    return sum;
}

static void NAME(prepare_row)(const NAME(rows) *r, ptrdiff_t i)
{
    const IN *x = r->x + i * r->k;
    REAL *gap = r->gap + i * r->k, *e = r->e + i * r->k, high = 0, low = 0, rest;
    ptrdiff_t top = 0, ties = 0;
    for (ptrdiff_t j = 1; j < r->k; j++)
        if (x[j] > x[top])
            top = j;
    for (ptrdiff_t j = 0; j < r->k; j++) {
        ties += x[j] == x[top];
        if (isinf(x[j])) {
            gap[j] = INFINITY;
            e[j] = 0;
            continue;
        }
        gap[j] = NAME(two_sum)(x[top], -(REAL)x[j], &rest);
        e[j] = EXP(-gap[j]);
        e[j] -= e[j] * rest;
        if (j != top) {
            high = NAME(two_sum)(high, e[j], &rest);
            low += rest;
        }
    }
    r->m[i] = x[top];
    r->s[i] = high + low;
    r->log_S[i] = LOG1P(r->s[i]);
    r->top[i] = top;
    r->single[i] = ties == 1;
}

/* Rows of logits, finite or -inf, each with a finite maximum. */
void NAME(prepare_rows)(const NAME(rows) *r)
{
    for (ptrdiff_t i = 0; i < r->n; i++)
        NAME(prepare_row)(r, i);
}

static REAL NAME(probability)(const NAME(rows) *r, ptrdiff_t i, ptrdiff_t j)
{
    return r->e[i * r->k + j] / (1 + r->s[i]);
}

static REAL NAME(complement)(const NAME(rows) *r, ptrdiff_t i, ptrdiff_t j)
{
    REAL S = 1 + r->s[i];
    return (j == r->top[i] ? r->s[i] : S - r->e[i * r->k + j]) / S;
}

void NAME(logsumexp)(const NAME(rows) *r, REAL *value, REAL *size)
{
    for (ptrdiff_t i = 0; i < r->n; i++) {
        value[i] = r->m[i] + r->log_S[i];
        size[i] = ABS(r->m[i]) > r->log_S[i] ? ABS(r->m[i]) : r->log_S[i];
    }
}

void NAME(softmax)(const NAME(rows) *r, REAL *value)
{
    for (ptrdiff_t i = 0; i < r->n; i++)
        for (ptrdiff_t j = 0; j < r->k; j++)
            value[i * r->k + j] = NAME(probability)(r, i, j);
}

void NAME(log_softmax)(const NAME(rows) *r, REAL *value)
{
    for (ptrdiff_t i = 0; i < r->n; i++)
        for (ptrdiff_t j = 0; j < r->k; j++)
            value[i * r->k + j] = -(r->gap[i * r->k + j] + r->log_S[i]);
}

void NAME(loss)(const NAME(rows) *r, const int64_t *label, REAL *value)
{
    for (ptrdiff_t i = 0; i < r->n; i++)
        value[i] = r->gap[i * r->k + label[i]] + r->log_S[i];
}

void NAME(gradient)(const NAME(rows) *r, const int64_t *label, REAL *value)
{
    for (ptrdiff_t i = 0; i < r->n; i++)
        for (ptrdiff_t j = 0; j < r->k; j++)
            value[i * r->k + j] =
                j == label[i] ? -NAME(complement)(r, i, j) : NAME(probability)(r, i, j);
}

void NAME(hessian)(const NAME(rows) *r, REAL *value)
{
    for (ptrdiff_t i = 0; i < r->n; i++)
        for (ptrdiff_t j = 0; j < r->k; j++)
            value[i * r->k + j] = NAME(probability)(r, i, j) * NAME(complement)(r, i, j);
}

/* Sum of the labels of row i but that of class `but`, to a rounding. */
static REAL NAME(mass)(const NAME(rows) *r, const IN *y, ptrdiff_t i, ptrdiff_t but)
{
    REAL high = 0, low = 0, rest;
    for (ptrdiff_t j = 0; j < r->k; j++)
        if (j != but) {
            high = NAME(two_sum)(high, y[i * r->k + j], &rest);
            low += rest;
        }
    return high + low;
}

void NAME(dense_loss)(const NAME(rows) *r, const IN *y, REAL *value)
{
    for (ptrdiff_t i = 0; i < r->n; i++) {
        REAL high = NAME(mass)(r, y, i, -1) * r->log_S[i], low = 0, rest;
        for (ptrdiff_t j = 0; j < r->k; j++)
            if (y[i * r->k + j] != 0) {
                high = NAME(two_sum)(high, y[i * r->k + j] * r->gap[i * r->k + j], &rest);
                low += rest;
            }
        value[i] = isinf(high) ? high : high + low;
    }
}

void NAME(dense_gradient)(const NAME(rows) *r, const IN *y, REAL *value, REAL *size)
{
    for (ptrdiff_t i = 0; i < r->n; i++) {
        REAL mass = NAME(mass)(r, y, i, -1);
        for (ptrdiff_t j = 0; j < r->k; j++) {
            int apart = j == r->top[i] && r->single[i];
            REAL plus = apart ? NAME(mass)(r, y, i, j) : mass * NAME(probability)(r, i, j);
            REAL minus = apart ? mass * NAME(complement)(r, i, j) : y[i * r->k + j];
            value[i * r->k + j] = plus - minus;
            size[i * r->k + j] = plus > minus ? plus : minus;
        }
    }
}

void NAME(dense_hessian)(const NAME(rows) *r, const IN *y, REAL *value)
{
    for (ptrdiff_t i = 0; i < r->n; i++) {
        REAL mass = NAME(mass)(r, y, i, -1);
        for (ptrdiff_t j = 0; j < r->k; j++)
            value[i * r->k + j] = mass * NAME(probability)(r, i, j) * NAME(complement)(r, i, j);
    }
}

/* ---- Elements: any logit, infinities and NaN too ---- */

typedef struct {
    ptrdiff_t n;
    const IN *x;
    REAL *e, *log1p_e;     /* exp(-|x|), log1p of it */
} NAME(elements);

void NAME(prepare_elements)(const NAME(elements) *v)
{
    for (ptrdiff_t i = 0; i < v->n; i++) {
        v->e[i] = EXP(-ABS((REAL)v->x[i]));
        v->log1p_e[i] = LOG1P(v->e[i]);
    }
}

void NAME(sigmoid)(const NAME(elements) *v, REAL *value)
{
    for (ptrdiff_t i = 0; i < v->n; i++)
        value[i] = (v->x[i] > 0 ? 1 : v->e[i]) / (1 + v->e[i]);
}

void NAME(softplus)(const NAME(elements) *v, REAL *value)
{
    for (ptrdiff_t i = 0; i < v->n; i++)
        value[i] = (v->x[i] > 0 ? (REAL)v->x[i] : 0) + v->log1p_e[i];
}

void NAME(log_sigmoid)(const NAME(elements) *v, REAL *value)
{
    for (ptrdiff_t i = 0; i < v->n; i++)
        value[i] = (v->x[i] < 0 ? (REAL)v->x[i] : 0) - v->log1p_e[i];
}

/* An infinite logit with the label that it predicts has the loss 0: 0 * inf is left out. */
void NAME(sigmoid_loss)(const NAME(elements) *v, const IN *y, REAL *value)
{
    for (ptrdiff_t i = 0; i < v->n; i++) {
        REAL part = v->x[i] > 0 ? 1 - (REAL)y[i] : (REAL)y[i];
        value[i] = (part == 0 ? 0 : part * ABS((REAL)v->x[i])) + v->log1p_e[i];
    }
}

/* A hard label leaves one sign, and is judged by the gradient's own ULP. */
void NAME(sigmoid_gradient)(const NAME(elements) *v, const IN *y, REAL *value, REAL *size)
{
    for (ptrdiff_t i = 0; i < v->n; i++) {
        REAL small = v->e[i] / (1 + v->e[i]);
        REAL plus = v->x[i] > 0 ? 1 - (REAL)y[i] : small;
        REAL minus = v->x[i] > 0 ? small : (REAL)y[i];
        value[i] = plus - minus;
        size[i] = y[i] == 0 || y[i] == 1 ? ABS(value[i]) : plus > minus ? plus : minus;
    }
}

void NAME(sigmoid_hessian)(const NAME(elements) *v, REAL *value)
{
    for (ptrdiff_t i = 0; i < v->n; i++)
        value[i] = v->e[i] / ((1 + v->e[i]) * (1 + v->e[i]));
}

/* ---- Errors, as ../ulp.py defines them; a true NaN wants NaN ---- */

static double NAME(error)(IN got, REAL value, REAL size)
{
    IN rounded = (IN)value;
    double error = (double)(ABS(got - value) / NAME(ulp)(size));
    error = error < INFINITY && ABS((REAL)got) < INFINITY ? error : INFINITY;
    int infinite = ABS((REAL)rounded) == INFINITY && got == rounded;
    int nan = value != value && got != got;
    return infinite || nan ? 0 : error;
}

/* The largest error of every row, and the sum of all, in which each counts at most `most`. */
double NAME(errors)(ptrdiff_t n, ptrdiff_t width, const IN *got, const REAL *value,
                    const REAL *size, double most, float *worst)
{
    double sum = 0;
    size = size ? size : value;
    for (ptrdiff_t i = 0; i < n; i++) {
        double largest = 0;
        for (ptrdiff_t j = i * width; j < (i + 1) * width; j++) {
            double error = NAME(error)(got[j], value[j], size[j]);
            largest = error > largest ? error : largest;
            sum += error < most ? error : most;
        }
        worst[i] = (float)largest;
    }
    return sum;
}
