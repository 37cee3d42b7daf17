/* What every sigmoid function is made of, from e = exp(-|x|).
 *
 *   sigmoid(-|x|) = l = e/(1 + e),  sigmoid(|x|) = 1 - l,  their product l - l^2,
 *   log1p(e) = e P(e),  P of degree 9 (float32) or 21 (float64): constants.h
 *
 * e is a pair with a relative error near 0.1 units; l and log1p(e) are rounded once, from values
 * that are off by half a unit in the last place at most. What is made of them is rounded once more.
 * "biased" values carry 2^BIAS, so that only the last multiplication may round into the subnormals.
 */

typedef struct {
    pair biased; /* e 2^BIAS */
    vec lower;   /* e/(1 + e), biased */
    pair log;    /* log1p(e), biased; lo is what rounding took */
} sigmoid_parts;

CE_INLINE vec unbiased(vec a) { return v_mul(a, v_set1(UNBIAS)); }

/* Of n vecs, at most 8, each step for all. */
CE_INLINE void biased_exps(const vec *x, pair *e, int n)
{
    vec d[8];
    product p[8];
    CE_UNROLL
    for (int i = 0; i < n; i++)
        d[i] = v_neg(v_abs(x[i]));
    v_exps(d, NULL, v_set1(MAGIC + 8 * BIAS), p, n);
    CE_UNROLL
    for (int i = 0; i < n; i++) {
        const vmask keep = v_nle(d[i], v_set1(-CLAMP));
        e[i].hi = v_rounded(p[i], keep);
        e[i].lo = v_keep_mad(keep, p[i].t, p[i].w, v_sub(p[i].t, e[i].hi));
    }
}

/* With q near e/(1 + e), e - q is exact, and so is the residual e - q (1 + e) = (e - q) - q e. */
CE_INLINE vec sigmoid_lower(pair biased)
{
    const vec one = v_set1(1), e = unbiased(biased.hi), inverse = v_div(one, v_add(one, e));
    const vec q = v_mul(biased.hi, inverse);
    const vec rest = v_nfma(q, e, v_sub(biased.hi, q));
    return v_mad(v_mad(biased.lo, inverse, rest), inverse, q);
}

/* e (c + P(e - 1/2)) with c = 3/4, which the polynomial changes by a third at most; even and odd
 * powers apart, as each waits for the one before. Of n vecs, at most 8, each step for all. */
CE_INLINE void sigmoid_logs(const pair *biased, pair *log, int n)
{
    const vec c = v_set1(LOG1P_SLOPE);
    vec t[8], y[8], even[8], odd[8], tail[8];
    CE_UNROLL
    for (int i = 0; i < n; i++)
        t[i] = v_sub(unbiased(biased[i].hi), v_set1((real)0.5));
    CE_UNROLL
    for (int i = 0; i < n; i++) {
        y[i] = v_mul(t[i], t[i]);
        even[i] = v_set1(LOG1P_TAIL[LOG1P_DEGREE - 1]);
        odd[i] = v_set1(LOG1P_TAIL[LOG1P_DEGREE]);
    }
    CE_PRAGMA(GCC unroll 10)
    for (int k = LOG1P_DEGREE - 3; k >= 0; k -= 2) {
        CE_UNROLL
        for (int i = 0; i < n; i++)
            even[i] = v_mad(even[i], y[i], v_set1(LOG1P_TAIL[k]));
        CE_UNROLL
        for (int i = 0; i < n; i++)
            odd[i] = v_mad(odd[i], y[i], v_set1(LOG1P_TAIL[k + 1]));
    }
    CE_UNROLL
    for (int i = 0; i < n; i++)
        even[i] = v_mad(odd[i], t[i], even[i]);
    CE_UNROLL
    for (int i = 0; i < n; i++)
        tail[i] = v_mad(biased[i].hi, even[i], v_mul(biased[i].lo, c));
    CE_UNROLL
    for (int i = 0; i < n; i++) {
        log[i].hi = v_fma(biased[i].hi, c, tail[i]);
        log[i].lo = v_add(v_fma(biased[i].hi, c, v_neg(log[i].hi)), tail[i]);
    }
}

/* A result rounded, and before its rounding as (hi + lo) power, for a weight to come first. power
 * is 1, or 2^-BIAS where the result may be subnormal. */
typedef struct { vec value, hi, lo, power; } result;

/* a + b, or b alone, biased as it is, where a is 0. An infinite sum stands by itself. */
CE_INLINE result result_of_sum(vec value, vec a, vec low, pair b)
{
    const vmask alone = v_eq(a, v_set1(0)), finite = v_le(v_abs(value), v_set1(REAL_MAX));
    return (result){value, v_select(alone, b.hi, value),
                    v_select(alone, b.lo, v_keep(finite, low)),
                    v_select(alone, v_set1(UNBIAS), v_set1(1))};
}

/* Times a weight w + w_lo: a weight above 1 takes the power, as neither then leaves the range. */
CE_INLINE vec result_weighted(result a, vec w, vec w_lo)
{
    const vmask large = v_le(v_set1(1), w);
    const vec one = v_set1(1), before = v_select(large, a.power, one);
    const vec hi = v_mul(w, before), lo = v_mul(w_lo, before);
    const vec low = v_mad(a.hi, lo, v_mul(a.lo, hi));
    const vec value = v_fma(a.hi, hi, low);
    const vec plain = v_mul(a.hi, hi); /* infinite: low may be NaN */
    const vmask finite = v_le(v_abs(plain), v_set1(REAL_MAX));
    return v_mul(v_select(finite, value, plain), v_select(large, one, a.power));
}

CE_INLINE vec sigmoid_of(vec x, const sigmoid_parts *p)
{
    const vec lower = unbiased(p->lower);
    return v_select(v_lt(x, v_set1(0)), lower, v_sub(v_set1(1), lower));
}

/* max(x, 0) + log1p(e). The maximum drops a NaN, which e has too: of two in a sum, which one is
 * the result would depend on the order of its terms. */
CE_INLINE vec softplus_of(vec x, const sigmoid_parts *p)
{
    return v_add(v_max(x, v_set1(0)), unbiased(p->log.hi));
}

/* How far the label is from the side that the logit takes. */
CE_INLINE vec sigmoid_miss(vec x, vec y)
{
    return v_select(v_lt(v_set1(0), x), v_sub(v_set1(1), y), y);
}

/* |x| miss + log1p(e); a miss of zero wins over an infinite |x|. */
CE_INLINE result sigmoid_loss_of(vec x, vec y, const sigmoid_parts *p)
{
    const vec miss = sigmoid_miss(x, y), size = v_keep(v_ne(miss, v_set1(0)), v_abs(x));
    const vec log = unbiased(p->log.hi), value = v_fma(size, miss, log);
    const vec a = v_mul(size, miss), a_lo = v_fma(size, miss, v_neg(a)), sum = v_add(a, log);
    const vec low = v_add(v_sub(sum, value), v_add(v_sum_error(a, log, sum),
                                                   v_add(a_lo, unbiased(p->log.lo))));
    return result_of_sum(value, a, low, p->log);
}

/* l - miss; with the other sign for x > 0 */
CE_INLINE result sigmoid_gradient_of(vec x, vec y, const sigmoid_parts *p)
{
    const vec zero = v_set1(0), miss = sigmoid_miss(x, y), lower = unbiased(p->lower);
    const vmask right = v_lt(zero, x);
    const vec sum = v_sub(lower, miss), value = v_select(right, v_neg(sum), sum);
    const vec low = v_sum_error(lower, v_neg(miss), sum);
    const pair biased = {v_select(right, v_neg(p->lower), p->lower), zero};
    return result_of_sum(value, miss, v_select(right, v_neg(low), low), biased);
}

/* l - l^2, the same for both signs of x */
CE_INLINE result sigmoid_hessian_of(const sigmoid_parts *p)
{
    const vec lower = unbiased(p->lower), hi = v_nfma(lower, p->lower, p->lower);
    const vec square = v_mul(lower, p->lower), rest = v_sub(p->lower, square);
    const vec square_lo = v_fma(lower, p->lower, v_neg(square));
    const vec low = v_sub(v_sub(v_sub(p->lower, rest), square), square_lo);
    return (result){unbiased(hi), hi, v_add(v_sub(rest, hi), low), v_set1(UNBIAS)};
}
