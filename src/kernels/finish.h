/* From a stored e_j to softmax, gradient and Hessian: one element at a time, rounded once.
 *
 * e_j is in the scale of its block, so p_j = e_j (hi + lo) 2^a, where hi + lo is 1/S with the
 * block's factor and, for a gradient, the row's weight. a takes most of a negative exponent, so
 * that products round into the subnormals once, with the last multiplication. (With 2^a in hi and
 * lo, e_j lo would vanish where p_j is close to the subnormals: up to half a unit.)
 */

typedef struct { vec power, hi, lo; } scale;

typedef struct {
    scale p;       /* softmax or gradient: weight and, for dense labels, Y included */
    scale plain;   /* softmax itself, biased, for the Hessian */
    vec w_hi, w_lo;/* weight of the labels */
    scale h;       /* weight of the Hessian, Y included, from the biased scale */
    vmask live;    /* weight 0 gives 0 whatever the logits */
} finish;

/* x 2^exponent, the power apart as far as it may be. */
CE_INLINE scale split_scale(ext x, vec exponent)
{
    const vec a = v_max(v_set1(POW_MIN), v_min(v_set1(0), exponent));
    const ext rest = x_scale(x, v_sub(exponent, a));
    return (scale){v_pow2(a), x_hi(rest), x_lo(rest)};
}

CE_INLINE scale block_scale(ext x, vec exponent, const factor *f)
{
    return f ? split_scale(x_mul(x, x_pair(f->g)), v_add(exponent, f->q))
             : split_scale(x, exponent);
}

/* x, unbiased, the power apart. */
CE_INLINE scale unit_scale(ext x) { return (scale){v_set1(UNBIAS), x_hi(x), x_lo(x)}; }

/* For the block with this factor; NULL where the block is the row. w weighs the gradient, w2 the
 * Hessian. */
CE_INLINE finish finish_of(const row_end *z, const weights *w, const weights *w2, const factor *f,
                           int op)
{
    const int dense = op_is_dense(op);
    finish q;
    q.live = w->live;
    if (w->unit && !f)
        q.p = unit_scale(dense ? x_mul(z->inverse, z->Y) : z->inverse);
    else
        q.p = block_scale(x_mul(z->inverse, dense ? x_mul(z->Y, w->W) : w->W),
                          v_add(w->k, biased()), f);
    if (op_has_hessian(op)) {
        q.plain = block_scale(z->inverse, v_set1(0), f);
        if (w2->unit)
            q.h = unit_scale(dense ? z->Y : x_double(1.0));
        else
            q.h = split_scale(dense ? x_mul(z->Y, w2->W) : w2->W, v_add(w2->k, biased()));
    }
    if (dense) {
        const ext weight = w->unit ? x_double(1.0) : x_scale(w->W, w->k);
        q.w_hi = x_hi(weight);
        q.w_lo = x_lo(weight);
    }
    return q;
}

/* For blocks whose maxima are block_m; NULL where the block is the row. */
CE_ONCE void finish_set(finish *q, const row_end *z, const weights *w, const weights *w2,
                        const real *block_m, int op)
{
    if (block_m) {
        const factor f = block_factor(v_load_real(block_m), z->m);
        *q = finish_of(z, w, w2, &f, op);
    } else {
        *q = finish_of(z, w, w2, NULL, op);
    }
}

CE_INLINE vec finish_softmax(const finish *q, vec e)
{
    const vec p = v_fma(e, q->p.hi, v_mul(e, q->p.lo));
    return v_keep(q->live, v_mul(p, q->p.power));
}

/* Y p - y with both products exact: the larger of the two terms sets the error. */
CE_INLINE vec finish_dense(const finish *q, vec e, vec y)
{
    const vec v = v_mul(e, q->p.hi);
    const vec v_low = v_mad(e, q->p.lo, v_fma(e, q->p.hi, v_neg(v)));
    const vec p = v_mul(v, q->p.power), p_low = v_mul(v_low, q->p.power);
    const vec t = v_mul(q->w_hi, y);
    const vec t_low = v_mad(q->w_lo, y, v_fma(q->w_hi, y, v_neg(t)));
    const vec g = v_sub(p, t);
    const vec g_low = v_sum_error(p, v_neg(t), g);
    return v_keep(q->live, v_add(g, v_add(g_low, v_sub(p_low, t_low))));
}

/* p (1 - p) + r (1 - 2p) with p + r the unrounded softmax and both products exact; p and r are
 * biased, u is p unbiased, so that weight and Y come before any rounding into the subnormals. */
CE_INLINE vec finish_hessian(const finish *q, vec e)
{
    const vec v = v_mul(e, q->plain.power);
    const vec e_low = v_mul(v, q->plain.lo);
    const vec p = v_fma(v, q->plain.hi, e_low);
    const vec r = v_add(v_fma(v, q->plain.hi, v_neg(p)), e_low);
    const vec u = v_mul(p, v_set1(UNBIAS));
    const vec c = v_nfma(p, u, p);
    const vec low = v_add(v_nfma(p, u, v_sub(p, c)), v_nmad(v_add(u, u), r, r));
    const vec h = v_fma(q->h.hi, c, v_fma(q->h.hi, low, v_mul(q->h.lo, c)));
    return v_keep(q->live, v_mul(h, q->h.power));
}

/* -((m - x) + L), the smaller of the two terms added by FastTwoSum. */
CE_INLINE vec finish_log_softmax(vec m, vec l_hi, vec l_lo, vec x)
{
    const vec gap = v_sub(m, x);
    const vec sum = v_add(gap, l_hi);
    const vec error = v_sub(v_min(l_hi, gap), v_sub(sum, v_max(l_hi, gap)));
    const vmask finite = v_le(sum, v_set1(REAL_MAX));
    return v_neg(v_add(sum, v_keep(finite, v_add(error, l_lo))));
}
