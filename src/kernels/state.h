/* The state of a row: what its classes are reduced to, and what the results need of it.
 *
 * With m the maximum and s the sum of exp(x_j - m) over every j but one maximum,
 *     logsumexp = m + log1p(s),   loss = (m - x_y) + log1p(s),   p_j = exp(x_j - m) / (1 + s),
 *     1 - p_max = s / (1 + s):
 * sums of terms of one sign, in which nothing cancels.
 *
 * Exact shift. Rounding x - m would cost up to 64 ULP in exp. So the reference M is 0 if |m| is
 * at most REFERENCE_LIMIT, else m: x - M is then exact for every term that matters. Terms are
 * scaled by 2^(BIAS - N) with N = rint((m - M)/ln 2), so that the largest is near 2^BIAS and none
 * that matters is subnormal. All sums below are in this scale ("biased").
 *
 * Order of summation, a function of (type, K) alone, where few.h does not take the row: class j of
 * a block belongs to lane j mod VL, the terms of even and of odd number in a lane are kept apart
 * and settled after SETTLE full vecs (ext_*.h), lanes are folded by a fixed tree, blocks are added
 * in their order. A row of one block is its block. Everything here acts lane by lane: a lane is a
 * row, or a block of one row.
 */

#define MAX_BLOCKS 128

typedef struct { vec M, span, N, shift, floor; } reference;

CE_INLINE vec finite_top(vec m) { return v_max(v_set1(-REAL_MAX), m); } /* NaN stays */

CE_INLINE reference reference_of(vec m)
{
    const vec top = finite_top(m);
    const vmask near = v_le(v_abs(top), v_set1(REFERENCE_LIMIT));
    const vec span = v_keep(near, top);
    const vec N = v_sub(v_mad(span, v_set1(LOG2_E), v_set1(MAGIC)), v_set1(MAGIC));
    return (reference){v_keep(m_not(near), top), span, N,
                       v_mad(N, v_set1(-8), v_set1(MAGIC + 8 * BIAS)),
                       v_sub(span, v_set1(CLAMP))};
}

/* exp(x) in the scale of r, and where to keep it: elsewhere exp(x - m) is 0 in every output. */
typedef struct { product e; vmask keep; } term;

CE_INLINE term reference_exp(reference r, vec x, int shifts)
{
    const vec d = shifts ? v_sub(x, r.M) : x; /* the same where M is 0 */
    return (term){v_exp(d, r.shift), v_nle(d, r.floor)};
}

/* exp(m) in the scale of r. */
CE_INLINE ext reference_top(reference r)
{
    return x_pair(v_exp_pair(r.span, r.shift, v_everywhere()));
}

/* n sums folded by the fixed tree, lane by lane. */
CE_INLINE ext fold_column(const dsum *sums, int n)
{
    ext a[VL];
    int i = 0;
    do /* n is not 0 */
        a[i] = dsum_total(sums[i]);
    while (++i < n);
    return x_fold_columns(a, n);
}

/* One block of each of VL rows, or VL blocks of one row. others and top are the sums of the
 * labels of classes below and at the block's maximum, gap that of y_j (m - x_j), those in tiny,
 * biased, excepted. */
typedef struct {
    real m[VL];
    real ties[VL]; /* classes that equal the maximum */
    real at[VL];   /* the first of them, counted within the block */
    xlanes s, gap, tiny, others, top;
} blocks;

/* Whole rows, s still without any of the maxima. */
typedef struct { vec m, ties; ext s, gap, tiny, others, top; } totals;

/* exp(m_b - m) with each maximum in its own scale: g 2^q, g = 0 where it does not matter. */
typedef struct { pair g; vec q; } factor;

CE_ONCE factor block_factor(vec block_m, vec m)
{
    const reference b = reference_of(block_m), r = reference_of(m);
    const vmask same = v_eq(block_m, m);
    const vec distance = v_sub(finite_top(block_m), finite_top(m));
    const vmask keep = m_or(same, v_nle(distance, v_set1(-CLAMP)));
    const vec d = v_keep(m_not(same), v_sub(b.M, r.M));
    const vec n = v_sub(v_mad(d, v_set1(LOG2_E), v_set1(MAGIC)), v_set1(MAGIC));
    const vec shift = v_mad(n, v_set1(-8), v_set1(MAGIC));
    return (factor){v_exp_pair(d, shift, keep),
                    v_keep(keep, v_keep(m_not(same), v_add(n, v_sub(b.N, r.N))))};
}

/* What the blocks of p, none of them alone in its row, add to rows whose maximum is m: a maximum
 * that another block surpasses becomes an ordinary term. */
CE_ONCE totals block_share(const blocks *p, vec m, int dense)
{
    const vec block_m = v_load_real(p->m), ties = v_load_real(p->ties);
    const vmask same = v_eq(block_m, m);
    const reference b = reference_of(block_m);
    const factor f = block_factor(block_m, m);
    const ext e = reference_top(b);
    const ext own = x_mul(x_vec(v_keep(m_not(same), ties)), e);
    totals t;
    t.m = m;
    t.ties = v_keep(same, ties);
    t.s = x_scale(x_mul(x_add(x_load(&p->s), own), x_pair(f.g)), f.q);
    t.gap = t.tiny = t.others = t.top = x_zero();
    if (dense) {
        const ext others = x_load(&p->others), top = x_load(&p->top), y = x_add(others, top);
        const vmask lifted = m_and(m_not(same), v_ne(x_hi(y), v_set1(0)));
        const vec half = v_set1((real)0.5); /* m - block_m may overflow, y times it not */
        const ext half_way = x_difference(v_mul(m, half), v_mul(finite_top(block_m), half));
        const ext lift = x_mul(x_add(y, y), half_way);
        const vmask tiny = m_and(lifted, x_is_tiny(lift));
        const ext biased_lift = x_mul(x_add(y, y), x_times(half_way, 1.0 / UNBIAS));
        t.gap = x_add(x_load(&p->gap), x_select(m_and(lifted, m_not(tiny)), lift, x_zero()));
        t.tiny = x_add(x_load(&p->tiny), x_select(tiny, biased_lift, x_zero()));
        t.others = x_add(others, x_select(same, x_zero(), top));
        t.top = x_select(same, top, x_zero());
    }
    return t;
}

CE_INLINE totals add_share(totals a, totals b, int dense)
{
    a.ties = v_add(a.ties, b.ties);
    a.s = x_add(a.s, b.s);
    if (dense) {
        a.gap = x_add(a.gap, b.gap);
        a.tiny = x_add(a.tiny, b.tiny);
        a.others = x_add(a.others, b.others);
        a.top = x_add(a.top, b.top);
    }
    return a;
}

CE_INLINE totals single_block(const blocks *p, int dense)
{
    totals t;
    t.m = v_load_real(p->m);
    t.ties = v_load_real(p->ties);
    t.s = x_load(&p->s);
    t.gap = dense ? x_load(&p->gap) : x_zero();
    t.tiny = dense ? x_load(&p->tiny) : x_zero();
    t.others = dense ? x_load(&p->others) : x_zero();
    t.top = dense ? x_load(&p->top) : x_zero();
    return t;
}

/* Row weights w/denominator as W 2^k with W near 1, so that no product of W leaves the range. unit:
 * all are 1, and nothing is multiplied. */
typedef struct { ext W; vec k; vmask live; int unit; } weights;

/* Everything the results of a row need. L = log1p(s), biased; inverse = 1/(1 + s). */
typedef struct {
    vec m, ties;
    ext s, e, L, inverse, Y, gap, tiny, others;
    ratio over; /* s/e */
} row_end;

/* The end of a row in steps, from m, ties, e, and s without any of the maxima. */
CE_INLINE void row_end_sums(row_end *z)
{
    z->L = z->s;
    z->s = x_add(z->s, x_mul(x_vec(v_sub(z->ties, v_set1(1))), z->e));
}
CE_INLINE void row_end_ratio(row_end *z) { z->over = x_ratio(z->s, z->e); }
CE_INLINE void row_end_inverse(row_end *z)
{
    const vmask infinite = v_eq(v_abs(z->m), v_set1(INFINITY));
    const ext S = x_times(x_add(z->s, z->e), UNBIAS);
    z->inverse = x_select(infinite, x_vec(v_set1(NAN)), x_div(x_vec(v_set1(1)), S));
}
CE_INLINE void row_end_log(row_end *z)
{
    const vmask infinite = v_eq(v_abs(z->m), v_set1(INFINITY));
    /* at an infinite m the sum is 0, or NaN where a class is: log1p of it is itself */
    z->L = x_select(infinite, z->L, x_log1p(&z->over));
}

CE_ONCE void end_row(row_end *z, const totals *t, int dense)
{
    z->m = t->m;
    z->ties = t->ties;
    z->s = t->s;
    z->e = reference_top(reference_of(z->m));
    row_end_sums(z);
    row_end_ratio(z);
    row_end_inverse(z);
    row_end_log(z);
    if (dense) {
        z->gap = t->gap;
        z->tiny = t->tiny;
        z->others = t->others;
        z->Y = x_add(t->others, t->top);
    }
}

/* L itself: in float64 its low part may be lost to the subnormals, its high part be rounded. */
CE_INLINE ext log1p_of(const row_end *z) { return x_times(z->L, UNBIAS); }

CE_INLINE vec row_logsumexp(const row_end *z) { return x_hi(x_add(x_vec(z->m), log1p_of(z))); }

CE_INLINE vec weighted(ext value, vec exponent, const weights *w)
{
    return v_keep(w->live, x_hi(x_scale(x_mul(value, w->W), v_add(exponent, w->k))));
}
CE_INLINE vec biased(void) { return v_set1(-BIAS); }

CE_INLINE vec weighted_biased(ext value, const weights *w)
{
    return w->unit ? x_hi(x_times(value, UNBIAS)) : weighted(value, biased(), w);
}

/* a + b for a biased b, which stays so where a is 0: the weight comes before any rounding. */
CE_INLINE vec weighted_sum(ext a, ext b, const weights *w)
{
    const vmask alone = v_eq(x_hi(a), v_set1(0));
    const ext small = x_times(b, UNBIAS), sum = x_add(a, small);
    if (w->unit)
        return x_hi(x_select(alone, small, sum));
    return weighted(x_select(alone, b, sum), v_keep(alone, biased()), w);
}

CE_INLINE vec row_sparse_loss(const row_end *z, vec x_label, const weights *w)
{
    return weighted_sum(x_difference(z->m, x_label), z->L, w);
}

CE_INLINE vec row_dense_loss(const row_end *z, const weights *w)
{
    const vmask empty = v_eq(z->m, v_set1(-INFINITY));
    const ext gap = x_select(empty, x_vec(v_set1(NAN)), z->gap);
    return weighted_sum(gap, x_add(x_mul(z->Y, z->L), z->tiny), w);
}

/* The gradient at the label: -s/S where it is a maximum, else -(1 - p_y). */
CE_INLINE vec row_label_gradient(const row_end *z, vec x_label, const weights *w)
{
    const reference r = reference_of(z->m);
    const vec d = v_sub(x_label, r.M);
    const ext e = x_pair(v_exp_pair(d, r.shift, v_nle(d, r.floor)));
    const ext rest = x_select(v_eq(x_label, z->m), z->s, x_sub(x_add(z->s, z->e), e));
    return v_neg(weighted_biased(x_mul(rest, z->inverse), w));
}

/* The gradient of dense labels at a single maximum: (Y - y_m) - Y s/S. */
CE_INLINE vec row_top_gradient(const row_end *z, const weights *w)
{
    const ext p = x_mul(x_mul(z->s, z->inverse), z->Y);
    return weighted_sum(z->others, x_sub(x_zero(), p), w);
}

/* The Hessian at a single maximum: Y (1/S) (s/S). */
CE_INLINE vec row_top_hessian(const row_end *z, const weights *w, int dense)
{
    const ext p = x_times(x_mul(z->e, z->inverse), UNBIAS);
    const ext h = x_mul(p, x_mul(z->s, z->inverse));
    return weighted_biased(dense ? x_mul(h, z->Y) : h, w);
}
