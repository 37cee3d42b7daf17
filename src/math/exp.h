/* exp of a vec as an unrounded product t (1 + w), scaled by a power of two that the caller picks.
 *
 *   exp(d) = 2^(n/8) e^r,  n = rint(8 d / ln 2),  r = d - n ln2/8,  |r| <= ln2/16
 *   2^(n/8) = 2^floor(n/8) T e^tau,  T from a table of 8 entries, tau the log of its error
 *   w = e^u - 1 = u + u^2 Q(u),  u = r + tau,  Q of degree 2 (float32) or 5 (float64): constants.h
 *
 * u = r + tau is d - n LN2_8_HI, which is exact, plus tau - n LN2_8_LO, which is tiny. As
 * |w| < 0.045, the relative error of t (1 + w) has two sources only: the addition to u (2^-29 in
 * float32, 2^-58 in float64) and the last addition to w (the same): less than 0.1 units of 2^-24
 * (2^-53). Rounding it adds one unit at most. Both are checked at what the user receives.
 *
 * The power of two is chosen through `shift`: MAGIC plus 8 times the exponent to add. In the sum
 * 8 d / ln 2 + shift the low bits of the mantissa are n + 8 exponent, and serve as table index
 * and as exponent field at once. t is normal where the caller keeps it; elsewhere t and w are
 * anything.
 */

typedef struct { vec t, w; } product;
#define SETTLE 16 /* terms of a sum of products between two settlings: ext_*.h */
typedef struct { vec hi, lo; } pair;

CE_INLINE vec v_neg(vec a) { return v_sub(v_set1(0), a); }
CE_INLINE vmask v_everywhere(void) { return v_eq(v_set1(0), v_set1(0)); }

/* What a + b = s lost to rounding, by Knuth's TwoSum. */
CE_INLINE vec v_sum_error(vec a, vec b, vec s)
{
    const vec t = v_sub(s, a);
    return v_add(v_sub(a, v_sub(s, t)), v_sub(b, t));
}

/* The second half of exp of n vecs, at most 8, each step for all of them, as the steps of one wait
 * for each other: from z and u. */
CE_INLINE void exps_of(const vec *z, const vec *u, product *e, int n)
{
    vec q[8], square[8];
    CE_UNROLL
    for (int i = 0; i < n; i++)
        e[i].t = v_scale(v_lookup(z[i], EXP_TABLE), z[i]);
    CE_UNROLL
    for (int i = 0; i < n; i++) {
        square[i] = v_mul(u[i], u[i]);
        q[i] = v_set1(EXP_TAIL[EXP_DEGREE]);
    }
    CE_UNROLL
    for (int j = EXP_DEGREE - 1; j >= 0; j--) {
        CE_UNROLL
        for (int i = 0; i < n; i++)
            q[i] = v_mad(q[i], u[i], v_set1(EXP_TAIL[j]));
    }
    CE_UNROLL
    for (int i = 0; i < n; i++)
        e[i].w = v_mad(square[i], q[i], u[i]);
}

/* exp(d + d_lo), likewise; d_lo may be NULL. z = 8 d / ln 2 + shift, k = z - shift,
 * low = tau - k LN2_8_LO + d_lo. */
CE_INLINE void v_exps(const vec *d, const vec *d_lo, vec shift, product *e, int n)
{
    vec z[8], k[8], u[8], low[8];
    CE_UNROLL
    for (int i = 0; i < n; i++)
        z[i] = v_mad(d[i], v_set1(EXP_8_LN2), shift);
    CE_UNROLL
    for (int i = 0; i < n; i++)
        k[i] = v_sub(z[i], shift);
    CE_UNROLL
    for (int i = 0; i < n; i++)
        low[i] = v_nmad(k[i], v_set1(LN2_8_LO), v_lookup(z[i], EXP_TAU));
    CE_UNROLL
    for (int i = 0; i < n && d_lo; i++)
        low[i] = v_add(low[i], d_lo[i]);
    CE_UNROLL
    for (int i = 0; i < n; i++)
        u[i] = v_add(v_nmad(k[i], v_set1(LN2_8_HI), d[i]), low[i]);
    exps_of(z, u, e, n);
}
CE_INLINE product v_exp(vec d, vec shift)
{
    product e;
    v_exps(&d, NULL, shift, &e, 1);
    return e;
}
/* t (1 + w) rounded once; zero where not keep. */
CE_INLINE vec v_rounded(product e, vmask keep) { return v_keep_mad(keep, e.t, e.w, e.t); }

CE_INLINE pair v_exp_pair(vec d, vec shift, vmask keep)
{
    const product e = v_exp(d, shift);
    const vec hi = v_rounded(e, keep);
    return (pair){hi, v_keep_mad(keep, e.t, e.w, v_sub(e.t, hi))};
}
