/* Rows of at most FEW_CLASSES classes, with dense labels of less than WIDE_CLASSES: narrow.h with
 * one sum instead of VL, and a shorter end. With more classes the gaps take longer than that saves.
 *
 * All terms are in one scale, 2^BIAS, in which the maximum's own e is 1: its exp is not needed.
 * With M as in state.h and m - M = N ln2/8 + f, and k the integer nearest to (x_j - m) 8/ln2, the
 * exponent of class j is k ln2/8 + (r - f), x_j - M = (N + k) ln2/8 + r: r and f are exact but for
 * the low part of ln2/8, which k takes in one, and r - f is rounded to 2^-29 (float32), 2^-58. The
 * sum s of all terms but one maximum is a pair, its terms added in the order of the classes.
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

/* What the row's end needs of dense labels. */
CE_INLINE void few_set_labels(few_row *r, const few_labels *y)
{
    r->z.m = r->m;
    r->z.gap = dsum_total(y->gap);
    r->z.tiny = dsum_total(y->tiny);
    r->z.others = dsum_total(y->others);
    r->z.Y = x_add(r->z.others, dsum_total(y->top));
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

typedef struct { vec top, M, N, f; } few_shift;

CE_INLINE few_shift few_shift_of(vec top)
{
    const vmask near = v_le(v_abs(top), v_set1(REFERENCE_LIMIT));
    const vec span = v_keep(near, top);
    const vec N = v_sub(v_mad(span, v_set1(EXP_8_LN2), v_set1(MAGIC)), v_set1(MAGIC));
    return (few_shift){top, v_keep(m_not(near), top), N, v_nmad(N, v_set1(LN2_8_HI), span)};
}

/* exp(x - top) of n classes, as v_exps; gap is x - top, rounded. */
CE_INLINE void few_exps(const vec *x, const vec *gap, const few_shift *a, product *e, int n)
{
    const vec zero = v_set1(MAGIC + 8 * BIAS);
    vec z[V_PAIRED], k[V_PAIRED], low[V_PAIRED], u[V_PAIRED];
    CE_UNROLL
    for (int i = 0; i < n; i++)
        z[i] = v_mad(gap[i], v_set1(EXP_8_LN2), zero);
    CE_UNROLL
    for (int i = 0; i < n; i++) {
        k[i] = v_sub(z[i], zero);
        low[i] = v_nmad(k[i], v_set1(LN2_8_LO), v_lookup(z[i], EXP_TAU));
    }
    CE_UNROLL
    for (int i = 0; i < n; i++)
        u[i] = v_nmad(v_add(k[i], a->N), v_set1(LN2_8_HI), v_sub(x[i], a->M));
    CE_UNROLL
    for (int i = 0; i < n; i++)
        u[i] = v_add(v_sub(u[i], a->f), low[i]);
    exps_of(z, u, e, n);
}

/* The sums of a row while they grow. */
typedef struct {
    pair s;
    vec below, at, class, c;
    few_labels y;
} few_sums;

/* `vecs`, a constant, of classes from k on; their e_j stay behind where the results need them. */
CE_INLINE void few_classes_of(narrow_work *w, few_row *r, few_sums *a, const few_shift *shift,
                              ptrdiff_t k, int vecs, int op)
{
    const vec one = v_set1(1), top = shift->top;
    vec x[V_PAIRED], gap[V_PAIRED];
    vmask keep[V_PAIRED], below[V_PAIRED];
    product e[V_PAIRED];
    CE_UNROLL
    for (int i = 0; i < vecs; i++) {
        x[i] = w->x[k + i];
        gap[i] = v_sub(x[i], top);
        keep[i] = v_nle(gap[i], v_set1(-CLAMP));
        below[i] = v_ne(x[i], top);
    }
    few_exps(x, gap, shift, e, vecs);
    CE_UNROLL
    for (int i = 0; i < vecs; i++) {
        const vmask term = m_and(keep[i], below[i]);
        const vec t = v_keep(term, e[i].t);
        a->s = few_add(a->s, t);
        a->c = v_mad_if(term, t, e[i].w, a->c);
        a->below = v_add_if(below[i], a->below, one);
        if (op_marks_top(op))
            a->at = v_select(below[i], a->at, a->class);
        if (op_is_dense(op))
            a->y = few_add_label(a->y, w->y[k + i], top, x[i], below[i]);
        if (op_is_sparse(op) && op_has_gradient(op)) {
            const vmask here = v_eq(w->label, a->class);
            r->label.t = v_select(here, e[i].t, r->label.t);
            r->label.w = v_select(here, e[i].w, r->label.w);
        }
        if (op_has_gradient(op) || op_marks_top(op))
            a->class = v_add(a->class, one);
        if (op_stores_exp(op))
            w->x[k + i] = v_as_stored(v_rounded(e[i], keep[i]));
    }
}

/* Add up the terms. */
CE_INLINE void few_reduce(const columns *a, narrow_work *w, few_row *r, streams *out,
                          ptrdiff_t classes, ptrdiff_t ahead, int op)
{
    const vec zero = v_set1(0), one = v_set1(1);
    const few_shift shift = few_shift_of(finite_top(w->z.m));
    few_sums sums = {{zero, zero}, zero, v_set1(-1), zero, zero, few_no_labels()};
    r->m = w->z.m;
    r->label = (product){zero, zero};
    for (ptrdiff_t start = 0; start < classes; start += SETTLE) {
        const ptrdiff_t end = classes - start < SETTLE ? classes : start + SETTLE;
        ptrdiff_t k = start;
        for (; k + V_PAIRED <= end; k += V_PAIRED) {
            CE_UNROLL
            for (int i = 0; i < V_PAIRED; i++)
                narrow_traffic(a, out, ahead, k + i, op);
            few_classes_of(w, r, &sums, &shift, k, V_PAIRED, op);
        }
        for (; k < end; k++) {
            narrow_traffic(a, out, ahead, k, op);
            few_classes_of(w, r, &sums, &shift, k, 1, op);
        }
        if (end < classes) {
            sums.s = few_add(sums.s, sums.c);
            sums.c = zero;
        }
    }
    const vec ties = v_sub(v_set1((real)classes), sums.below);
    const pair s = sums.s;
    const vec more = v_max(zero, v_sub(ties, one)); /* where all are -inf none is finite_top's */
    const pair all = two_sum(s.hi, v_mul(more, v_set1(1 / (real)UNBIAS)));
    r->s = fast_two_sum(all.hi, v_add(v_add(s.lo, sums.c), all.lo));
    if (op_marks_top(op))
        w->at = v_select(v_eq(ties, one), sums.at, v_set1(-1));
    if (op_is_sparse(op) && op_has_gradient(op))
        r->live_label = v_nle(v_sub(w->x_label, shift.top), v_set1(-CLAMP));
    if (op_is_dense(op))
        few_set_labels(r, &sums.y);
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

/* log1p(s) = k ln 2 + log1p(f), f = 2^-k (1 + s) - 1 in [0, 1], of n groups */
CE_INLINE void few_logs(few_row *r, int n)
{
    const vec bias = v_set1(1 / (real)UNBIAS), one = v_set1(1), ln2 = v_set1(8 * LN2_8_HI);
    vec k[8], sum, rest;
    pair f[8], log[8];
    CE_UNROLL
    for (int i = 0; i < n; i++)
        k[i] = v_floor_log2(v_add(one, unbiased(r[i].s.hi)));
    CE_UNROLL
    for (int i = 0; i < n; i++) {
        const vec power = v_pow2(v_neg(k[i]));
        k[i] = v_mul(k[i], bias);
        f[i].hi = v_fma(r[i].s.hi, power, v_mul(v_sub(power, one), bias));
        f[i].lo = v_mul(r[i].s.lo, power);
    }
    sigmoid_logs(f, log, n);
    CE_UNROLL
    for (int i = 0; i < n; i++) {
        sum = v_fma(k[i], ln2, log[i].hi);
        rest = v_add(v_fma(k[i], ln2, v_neg(sum)), log[i].hi);
        r[i].log = (pair){sum, v_add(rest, v_mad(k[i], v_set1(8 * LN2_8_LO), log[i].lo))};
    }
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

/* What the label leaves of S: s where it is at a maximum, else S - e. */
CE_INLINE pair few_label_rest(const few_row *r, const narrow_work *w)
{
    const vec hi = v_rounded(r->label, r->live_label);
    const vec lo = v_keep_mad(r->live_label, r->label.t, r->label.w, v_sub(r->label.t, hi));
    const vec rest = v_sub(r->S.hi, hi);
    const vec rest_lo = v_add(v_sum_error(r->S.hi, v_neg(hi), rest), v_sub(r->S.lo, lo));
    const vmask top = v_eq(w->x_label, r->m);
    return (pair){v_select(top, r->s.hi, rest), v_select(top, r->s.lo, rest_lo)};
}
CE_INLINE vec few_label_gradient(const few_row *r, pair rest, const narrow_work *w)
{
    return v_neg(few_weighted(pair_product(rest, r->inverse), &w->g.gradient));
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

CE_INLINE void few_finish(columns *a, narrow_work *w, few_row *r, pair label_rest,
                          ptrdiff_t classes, ptrdiff_t ahead, narrow_way way, int op)
{
    narrow_results q = {.m = r->m, .log = unbiased(r->log.hi), .log_lo = unbiased(r->log.lo)};
    if (op_stores_exp(op))
        q.each = few_finish_of(r, w, op);
    if (op_is_sparse(op))
        q.label = few_label_gradient(r, label_rest, w);
    if (op_is_dense(op))
        q.top = row_top_gradient(&r->z, &w->g.gradient);
    if (op_has_hessian(op))
        q.top_hessian = few_top_hessian(r, &w->g.hessian, op_is_dense(op));
    narrow_write(a, w, &q, classes, ahead, way, op);
}

CE_INLINE void few_groups(const ce_job *job, columns *a, narrow_work *w, streams *out, int groups,
                          ptrdiff_t classes, int op)
{
    const int logs = op == CE_LOG_SOFTMAX || job->value.data;
    few_row r[NARROW_GROUPS];
    for (int i = 0; i < groups; i++)
        few_reduce(a, w + i, r + i, out, classes, (i + 1) * VL, op);
    for (int i = 0; i < groups && op_stores_exp(op); i++)
        few_inverse(r + i, op);
    int done = 0;
    for (; done + V_ABREAST <= groups && logs; done += V_ABREAST)
        few_logs(r + done, V_ABREAST);
    for (; done < groups && logs; done++)
        few_logs(r + done, 1);
    for (int i = 0; i < groups && job->value.data; i++)
        put_values(job, &w[i].g, few_value(r + i, w + i, op));
    streams_rest(out, op);
    for (int i = 0; i < groups && op_has_out(op); i++) {
        const pair rest = op_is_sparse(op) ? few_label_rest(r + i, w + i) : r[i].s;
        few_finish(a, w + i, r + i, rest, classes, groups * VL, NARROW_FEW, op);
    }
}
