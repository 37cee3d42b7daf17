/* Rows of at most FEW_CLASSES classes, with dense labels of less than WIDE_CLASSES: narrow.h with
 * one sum instead of VL, and a shorter end. With more classes the gaps take longer than that saves.
 *
 * Each gap x_j - m is a pair, exact, so that the maximum's own e is 1: neither a reference nor an
 * exp of the maximum is needed. All terms are in one scale, 2^BIAS. The sum s of all terms but one
 * maximum is a pair, its terms added in the order of the classes.
 */

CE_INLINE int few_classes(ptrdiff_t classes, int op)
{
    return op_is_dense(op) ? classes < WIDE_CLASSES : classes <= FEW_CLASSES;
}

typedef struct {
    vec m;
    pair s, S, inverse; /* S = 1 + s, both biased; 1/S */
    pair log;           /* log1p(s), biased */
    product label;      /* e at the label */
    vmask live_label;   /* where that is not 0 */
    row_end z;          /* the same and the sums of the labels, with dense labels */
} few_row;

typedef struct { dsum gap, tiny, others, top; } few_labels;

CE_INLINE few_labels few_no_labels(void)
{
    const dsum zero = dsum_zero();
    return (few_labels){zero, zero, zero, zero};
}
CE_INLINE few_labels few_add_label(few_labels a, vec y, vec top, vec x, vmask below)
{
    return (few_labels){dsum_add_product(a.gap, y, top, x), dsum_add_tiny(a.tiny, y, top, x),
                        dsum_add_if(a.others, below, y), dsum_add_if(a.top, m_not(below), y)};
}

CE_INLINE pair two_sum(vec a, vec b)
{
    const vec s = v_add(a, b);
    return (pair){s, v_sum_error(a, b, s)};
}
CE_INLINE pair fast_two_sum(vec a, vec b)
{
    const vec s = v_add(a, b);
    return (pair){s, v_add(v_sub(a, s), b)};
}
CE_INLINE pair pair_product(pair a, pair b)
{
    const vec p = v_mul(a.hi, b.hi), e = v_fma(a.hi, b.hi, v_neg(p));
    return fast_two_sum(p, v_mad(a.hi, b.lo, v_mad(a.lo, b.hi, e)));
}

CE_INLINE pair few_add(pair s, vec t)
{
    const pair sum = two_sum(s.hi, t);
    return (pair){sum.hi, v_add(s.lo, sum.lo)};
}

/* Add up the terms; leave e_j behind where the results need it. */
CE_INLINE void few_reduce(const columns *a, narrow_work *w, few_row *r, streams *out,
                          ptrdiff_t classes, ptrdiff_t ahead, int op)
{
    const vec top = finite_top(w->z.m), minus_top = v_neg(top), one = v_set1(1);
    const vec shift = v_set1(MAGIC + 8 * BIAS), floor = v_set1(-CLAMP);
    pair s = {v_set1(0), v_set1(0)};
    vec ties = v_set1(0), class = v_set1(0), at = v_set1(-1), c = v_set1(0);
    few_labels y = few_no_labels();
    r->m = w->z.m;
    for (ptrdiff_t k = 0; k < classes; k++) {
        const vec x = w->x[k];
        const pair gap = two_sum(x, minus_top);
        const product e = v_exp_sum(gap.hi, gap.lo, shift);
        const vmask keep = v_nle(gap.hi, floor), below = v_ne(x, top), term = m_and(keep, below);
        const vec t = v_keep(term, e.t);
        narrow_traffic(a, out, ahead, k, op);
        s = few_add(s, t);
        c = v_mad_if(term, t, e.w, c);
        if (k % SETTLE == SETTLE - 1) {
            s = few_add(s, c);
            c = v_set1(0);
        }
        if (op_marks_top(op))
            at = v_select(below, at, class);
        ties = v_add_if(m_not(below), ties, one);
        if (op_is_dense(op))
            y = few_add_label(y, w->y[k], top, x, below);
        if (op_is_sparse(op) && op_has_gradient(op)) {
            const vmask here = v_eq(w->label, class);
            r->label.t = k ? v_select(here, e.t, r->label.t) : e.t;
            r->label.w = k ? v_select(here, e.w, r->label.w) : e.w;
        }
        if (op_has_gradient(op) || op_marks_top(op))
            class = v_add(class, one);
        if (op_stores_exp(op))
            w->x[k] = v_as_stored(v_rounded(e, keep));
    }
    const pair all = two_sum(s.hi, v_mul(v_sub(ties, one), v_set1(1 / (real)UNBIAS)));
    r->s = fast_two_sum(all.hi, v_add(v_add(s.lo, c), all.lo));
    if (op_marks_top(op))
        w->at = v_select(v_eq(ties, one), at, v_set1(-1));
    if (op_is_sparse(op) && op_has_gradient(op))
        r->live_label = v_nle(v_add(w->x_label, minus_top), floor);
    if (op_is_dense(op)) {
        r->z.m = r->m;
        r->z.gap = dsum_total(y.gap);
        r->z.tiny = dsum_total(y.tiny);
        r->z.others = dsum_total(y.others);
        r->z.Y = x_add(r->z.others, dsum_total(y.top));
    }
}

/* S and 1/S; NaN where the maximum is infinite. */
CE_INLINE void few_inverse(few_row *r, int op)
{
    const vec one = v_set1(1 / (real)UNBIAS);
    const vmask infinite = v_eq(v_abs(r->m), v_set1(INFINITY));
    const vec S = v_add(one, r->s.hi);
    r->S = (pair){S, v_add(v_sub(r->s.hi, v_sub(S, one)), r->s.lo)};
    const vec hi = unbiased(r->S.hi), lo = unbiased(r->S.lo), inverse = v_div(v_set1(1), hi);
    const vec rest = v_nmad(inverse, lo, v_nfma(inverse, hi, v_set1(1)));
    r->inverse = (pair){v_select(infinite, v_set1(NAN), inverse), v_mul(inverse, rest)};
    if (op_is_dense(op)) {
        r->z.e = x_vec(one);
        r->z.s = x_pair(r->s);
    }
}

/* log1p(s) = k ln 2 + log1p(f), f = 2^-k (1 + s) - 1 in [0, 1] */
CE_INLINE void few_log(few_row *r, ptrdiff_t classes)
{
    const vec u = v_add(v_set1(1), unbiased(r->s.hi)), bias = v_set1(1 / (real)UNBIAS);
    vec k = v_set1(0);
    for (real power = 2; power <= (real)classes; power += power)
        k = v_add_if(v_le(v_set1(power), u), k, v_set1(1));
    const vec power = v_pow2(v_neg(k)), n = v_mul(k, bias);
    const vec f = v_fma(r->s.hi, power, v_mul(v_sub(power, v_set1(1)), bias));
    const pair log = sigmoid_log((pair){f, v_mul(r->s.lo, power)});
    const vec ln2 = v_set1(8 * LN2_8_HI), sum = v_fma(n, ln2, log.hi);
    const vec rest = v_add(v_fma(n, ln2, v_neg(sum)), log.hi);
    r->log = (pair){sum, v_add(rest, v_mad(n, v_set1(8 * LN2_8_LO), log.lo))};
}

/* a in the scale 2^BIAS, weighted and rounded */
CE_INLINE vec few_weighted(pair a, const weights *w)
{
    return w->unit ? unbiased(v_add(a.hi, a.lo)) : weighted_biased(x_pair(a), w);
}

/* (m - x) + log1p(s), or m + log1p(s); an infinite sum stands by itself. */
CE_INLINE vec few_value(few_row *r, const narrow_work *w, int op)
{
    const vec log = unbiased(r->log.hi), log_lo = unbiased(r->log.lo);
    if (op_is_dense(op)) {
        r->z.L = x_pair(r->log);
        return row_dense_loss(&r->z, &w->g.loss);
    }
    pair a = {r->m, v_set1(0)};
    if (op_is_sparse(op)) {
        a = two_sum(r->m, v_neg(w->x_label));
        a.lo = v_keep(v_le(v_abs(a.hi), v_set1(REAL_MAX)), a.lo);
        if (!w->g.loss.unit)
            return weighted_sum(x_pair(a), x_pair(r->log), &w->g.loss);
    }
    const vec sum = v_add(a.hi, log);
    const vec low = v_add(v_sum_error(a.hi, log, sum), v_add(a.lo, log_lo));
    return v_add(sum, v_keep(v_le(v_abs(sum), v_set1(REAL_MAX)), low));
}

/* -s/S where the label is at a maximum, else -(S - e)/S */
CE_INLINE vec few_label_gradient(const few_row *r, const narrow_work *w)
{
    const vec hi = v_rounded(r->label, r->live_label);
    const vec lo = v_keep_mad(r->live_label, r->label.t, r->label.w, v_sub(r->label.t, hi));
    const vec rest = v_sub(r->S.hi, hi);
    const vec rest_lo = v_add(v_sum_error(r->S.hi, v_neg(hi), rest), v_sub(r->S.lo, lo));
    const vmask top = v_eq(w->x_label, r->m);
    const pair part = {v_select(top, r->s.hi, rest), v_select(top, r->s.lo, rest_lo)};
    return v_neg(few_weighted(pair_product(part, r->inverse), &w->g.gradient));
}

/* The Hessian at a single maximum: Y (1/S) (s/S). */
CE_INLINE vec few_top_hessian(const few_row *r, const weights *w, int dense)
{
    if (dense)
        return row_top_hessian(&r->z, w, 1);
    return few_weighted(pair_product(r->inverse, pair_product(r->s, r->inverse)), w);
}

CE_INLINE finish few_finish_of(few_row *r, const narrow_work *w, int op)
{
    const weights *g = &w->g.gradient, *h = &w->g.hessian;
    finish q;
    if (!op_is_dense(op) && g->unit && (!op_has_hessian(op) || h->unit)) {
        q.live = g->live;
        q.p = (scale){v_set1(UNBIAS), r->inverse.hi, r->inverse.lo};
        q.plain = (scale){v_set1(1), r->inverse.hi, r->inverse.lo};
        q.h = (scale){v_set1(UNBIAS), v_set1(1), v_set1(0)};
        return q;
    }
    r->z.inverse = x_pair(r->inverse);
    return finish_of(&r->z, g, h, NULL, op);
}

CE_INLINE void few_finish(columns *a, narrow_work *w, few_row *r, ptrdiff_t classes,
                          ptrdiff_t ahead, int op)
{
    narrow_results q = {.m = r->m, .log = unbiased(r->log.hi), .log_lo = unbiased(r->log.lo)};
    if (op_stores_exp(op))
        q.each = few_finish_of(r, w, op);
    if (op_is_sparse(op))
        q.label = few_label_gradient(r, w);
    if (op_is_dense(op))
        q.top = row_top_gradient(&r->z, &w->g.gradient);
    if (op_has_hessian(op))
        q.top_hessian = few_top_hessian(r, &w->g.hessian, op_is_dense(op));
    narrow_write(a, w, &q, classes, ahead, op);
}

CE_INLINE void few_groups(const ce_job *job, columns *a, narrow_work *w, streams *out, int groups,
                          int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS];
    const int logs = op == CE_LOG_SOFTMAX || job->value.data;
    few_row r[NARROW_GROUPS];
    for (int i = 0; i < groups; i++)
        few_reduce(a, w + i, r + i, out, classes, (i + 1) * VL, op);
    for (int i = 0; i < groups && op_stores_exp(op); i++)
        few_inverse(r + i, op);
    for (int i = 0; i < groups && logs; i++)
        few_log(r + i, classes);
    for (int i = 0; i < groups && job->value.data; i++)
        put_values(job, &w[i].g, few_value(r + i, w + i, op));
    streams_rest(out, op);
    for (int i = 0; i < groups && op_has_out(op); i++)
        few_finish(a, w + i, r + i, classes, groups * VL, op);
}
