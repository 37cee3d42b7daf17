/* What every sigmoid function is made of, from e = exp(-|x|).
 *
 *   sigmoid(-|x|) = e/(1 + e),  sigmoid(|x|) = 1/(1 + e),  their product e/(1 + e)^2,
 *   log1p(e) = 2 atanh(z),  z = e/(2 + e) in [0, 1/3]
 *
 * All are pairs with a relative error near 0.2 units; the result is rounded once. "biased" values
 * carry 2^BIAS, so that only the last multiplication may round into the subnormals.
 */

typedef struct {
    pair biased; /* e 2^BIAS */
    pair upper;  /* 1/(1 + e) */
    pair lower;  /* e/(1 + e), biased, |lo| <= ulp(hi)/2 */
    pair log;    /* log1p(e), biased */
} sigmoid_parts;

CE_INLINE pair fast_two_sum(vec a, vec b)
{
    const vec s = v_add(a, b);
    return (pair){s, v_add(v_sub(a, s), b)};
}

CE_INLINE pair unbiased(pair a)
{
    return (pair){v_mul(a.hi, v_set1(UNBIAS)), v_mul(a.lo, v_set1(UNBIAS))};
}

CE_INLINE pair biased_exp(vec x)
{
    const vec d = v_neg(v_abs(x));
    return v_exp_pair(d, v_set1(MAGIC + 8 * BIAS), v_nle(d, v_set1(-CLAMP)));
}

/* From p->biased to the two sigmoids. */
CE_INLINE void sigmoid_sides(sigmoid_parts *p)
{
    const vec one = v_set1(1);
    const pair b = p->biased, e = unbiased(b), sum = fast_two_sum(one, e.hi);
    const vec upper = v_div(one, sum.hi);
    const vec rest = v_nmad(upper, v_add(sum.lo, e.lo), v_nfma(upper, sum.hi, one));
    const vec upper_lo = v_mul(upper, rest), hi = v_mul(b.hi, upper);
    const vec lo = v_mad(b.hi, upper_lo, v_mad(b.lo, upper, v_fma(b.hi, upper, v_neg(hi))));
    p->upper = (pair){upper, upper_lo};
    p->lower = fast_two_sum(hi, lo);
}

/* z = e/(2 + e), biased */
CE_INLINE pair log1p_ratio(pair biased)
{
    const pair e = unbiased(biased), sum = fast_two_sum(v_set1(2), e.hi);
    const vec inverse = v_div(v_set1(1), sum.hi), z = v_mul(biased.hi, inverse);
    const vec rest = v_add(v_nfma(z, sum.hi, biased.hi),
                           v_nmad(z, v_add(sum.lo, e.lo), biased.lo));
    return (pair){z, v_mul(rest, inverse)};
}

/* log1p(e) from z, both biased */
CE_INLINE pair log1p_series(pair z)
{
    const vec root = v_mul(z.hi, v_set1(UNBIAS)), y = v_mul(root, root);
    vec q = v_set1(LOG1P_TAIL[LOG1P_DEGREE]);
    for (int i = LOG1P_DEGREE - 1; i >= 0; i--)
        q = v_mad(q, y, v_set1(LOG1P_TAIL[i]));
    const vec twice = v_add(z.hi, z.hi);
    return fast_two_sum(twice, v_mad(twice, v_mul(y, q), v_add(z.lo, z.lo)));
}

/* A result before its rounding: (hi + lo) times power, which is 1 or 2^-BIAS. Biased while it may
 * be subnormal, so that a weight comes before the only rounding. */
typedef struct { vec hi, lo, power; } unrounded;

/* a + b for a biased b: biased itself where a is 0. An infinite a stands by itself. */
CE_INLINE unrounded add_biased(vec a, vec a_lo, pair b)
{
    const vmask alone = v_eq(a, v_set1(0));
    const pair small = unbiased(b);
    const vec sum = v_add(a, small.hi);
    const vmask finite = v_le(v_abs(sum), v_set1(REAL_MAX));
    const vec low = v_add(v_sum_error(a, small.hi, sum), v_add(a_lo, small.lo));
    return (unrounded){v_select(alone, b.hi, sum), v_select(alone, b.lo, v_keep(finite, low)),
                       v_select(alone, v_set1(UNBIAS), v_set1(1))};
}

CE_INLINE vec rounded(unrounded a) { return v_mul(v_add(a.hi, a.lo), a.power); }

/* Times a weight w + w_lo: a weight above 1 takes the power, as neither then leaves the range. */
CE_INLINE vec weighted_rounded(unrounded a, vec w, vec w_lo)
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
    const vec upper = v_add(p->upper.hi, p->upper.lo);
    return v_select(v_lt(x, v_set1(0)), v_mul(p->lower.hi, v_set1(UNBIAS)), upper);
}

/* max(x, 0) + log1p(e). The maximum drops a NaN, which e has too: of two in a sum, which one is
 * the result would depend on the order of its terms. */
CE_INLINE vec softplus_of(vec x, const sigmoid_parts *p)
{
    return rounded(add_biased(v_max(x, v_set1(0)), v_set1(0), p->log));
}

/* |x| (x > 0 ? 1 - y : y) + log1p(e); a zero factor wins over an infinite |x|. */
CE_INLINE unrounded sigmoid_loss_of(vec x, vec y, const sigmoid_parts *p)
{
    const vec zero = v_set1(0), size = v_abs(x);
    const vec c = v_select(v_lt(zero, x), v_sub(v_set1(1), y), y);
    const vmask some = v_ne(c, zero);
    const vec a = v_keep(some, v_mul(size, c));
    const vec a_lo = v_keep(some, v_fma(size, c, v_neg(a)));
    return add_biased(a, a_lo, p->log);
}

/* x > 0: (1 - y) - sigmoid(-x), else sigmoid(x) - y */
CE_INLINE unrounded sigmoid_gradient_of(vec x, vec y, const sigmoid_parts *p)
{
    const vec zero = v_set1(0);
    const vmask right = v_lt(zero, x);
    const vec fixed = v_select(right, v_sub(v_set1(1), y), v_neg(y));
    const pair s = {v_select(right, v_neg(p->lower.hi), p->lower.hi),
                    v_select(right, v_neg(p->lower.lo), p->lower.lo)};
    return add_biased(fixed, zero, s);
}

/* e/(1 + e)^2, the same for both signs of x */
CE_INLINE unrounded sigmoid_hessian_of(const sigmoid_parts *p)
{
    const vec hi = v_mul(p->lower.hi, p->upper.hi);
    const vec lo = v_mad(p->lower.hi, p->upper.lo,
                         v_mad(p->lower.lo, p->upper.hi,
                               v_fma(p->lower.hi, p->upper.hi, v_neg(hi))));
    return (unrounded){hi, lo, v_set1(UNBIAS)};
}
