/* Rows of two or three classes, a constant: few.h with the maximum told from the others by minima
 * and maxima, so that neither its own e, which is 1, is computed nor are ties counted.
 *
 * Each pair of a minimum and a maximum is a permutation of its two, a NaN included, so that a NaN
 * is never lost. SORTED_GROUPS groups go together, and no loop is left of so few turns, whose end
 * would be predicted by luck: the same code took up to 1.3 times as long.
 */

#define SORTED_CLASSES 3

/* The others are in any order. */
typedef struct { vec top, other[SORTED_CLASSES - 1]; } sorted;

CE_INLINE sorted sort_classes(const vec *x, ptrdiff_t classes)
{
    sorted a = {v_max(x[0], x[1]), {v_min(x[1], x[0])}};
    if (classes == 3) {
        a.other[1] = v_min(x[2], a.top);
        a.top = v_max(a.top, x[2]);
    }
    return a;
}

/* The others' gaps and terms, 2^BIAS e_j, those that are kept. */
typedef struct {
    sorted x;
    vec top; /* finite */
    product e[SORTED_CLASSES - 1];
    vmask keep[SORTED_CLASSES - 1];
} sorted_terms;

/* The rounded e_j of all classes take the place of the logits. */
CE_INLINE void sorted_store(narrow_work *w, const sorted_terms *a, ptrdiff_t classes)
{
    const vec one = v_set1(1 / (real)UNBIAS);
    vec e[SORTED_CLASSES - 1];
    CE_UNROLL
    for (int i = 0; i < classes - 1; i++)
        e[i] = v_rounded(a->e[i], a->keep[i]);
    CE_UNROLL
    for (int k = 0; k < classes; k++) {
        const vec x = w->x[k];
        const vec other = classes == 3 ? v_select(v_eq(x, a->x.other[0]), e[0], e[1]) : e[0];
        w->x[k] = v_as_stored(v_select(v_ne(x, a->top), other, one));
    }
}

/* What the label leaves of S: s at a maximum, else the maximum's own 1 and the third class. */
CE_INLINE pair sorted_label_rest(const few_row *r, const sorted_terms *a, const narrow_work *w,
                                 ptrdiff_t classes)
{
    const vec one = v_set1(1 / (real)UNBIAS);
    const vmask top = v_eq(w->x_label, a->top);
    pair rest = {one, v_set1(0)};
    if (classes == 3) {
        const vmask first = v_eq(w->x_label, a->x.other[0]);
        rest = fast_two_sum(one, v_select(first, v_rounded(a->e[1], a->keep[1]),
                                          v_rounded(a->e[0], a->keep[0])));
    }
    return (pair){v_select(top, r->s.hi, rest.hi), v_select(top, r->s.lo, rest.lo)};
}

/* Where the single maximum is, else -1. */
CE_INLINE vec sorted_at(const narrow_work *w, const sorted_terms *a, ptrdiff_t classes)
{
    const vec two = v_set1(2), one = v_set1(1);
    vec at = classes == 3 ? v_select(v_ne(w->x[1], a->top), two, one) : one;
    at = v_select(v_ne(w->x[0], a->top), at, v_set1(0));
    CE_UNROLL
    for (int i = 0; i < classes - 1; i++)
        at = v_select(v_eq(a->x.other[i], a->top), v_set1(-1), at);
    return at;
}

CE_INLINE void sorted_labels(few_row *r, const sorted_terms *a, const narrow_work *w,
                             ptrdiff_t classes)
{
    few_labels y = few_no_labels();
    CE_UNROLL
    for (int k = 0; k < classes; k++)
        y = few_add_label(y, w->y[k], a->top, w->x[k], v_ne(w->x[k], a->top));
    few_set_labels(r, &y);
}

/* The terms and sums of `groups`, a constant, each step for all of them. An infinite maximum leaves
 * no other one beside it. */
CE_INLINE void sorted_sums(const narrow_work *w, few_row *r, sorted_terms *a, ptrdiff_t classes,
                           int groups)
{
    const int n = (int)classes - 1;
    vec gap[8], gap_lo[8];
    product e[8];
    CE_UNROLL
    for (int g = 0; g < groups; g++) {
        a[g].x = sort_classes(w[g].x, classes);
        a[g].top = finite_top(a[g].x.top);
        r[g].m = a[g].x.top;
        CE_UNROLL
        for (int i = 0; i < n; i++) {
            const vec other = v_min(v_set1(REAL_MAX), a[g].x.other[i]);
            const pair d = two_sum(other, v_neg(a[g].top));
            gap[g * n + i] = d.hi;
            gap_lo[g * n + i] = d.lo;
            a[g].keep[i] = v_nle(d.hi, v_set1(-CLAMP));
        }
    }
    v_exps(gap, gap_lo, v_set1(MAGIC + 8 * BIAS), e, n * groups);
    CE_UNROLL
    for (int g = 0; g < groups; g++) {
        const vmask *keep = a[g].keep;
        const vec t = v_keep(keep[0], e[g * n].t);
        const vec c = v_keep_mad(keep[0], t, e[g * n].w, v_set1(0));
        a[g].e[0] = e[g * n];
        if (n == 1) {
            r[g].s = fast_two_sum(t, c);
        } else {
            const product second = e[g * n + n - 1];
            const vec t2 = v_keep(keep[1], second.t);
            const pair sum = two_sum(t, t2);
            a[g].e[1] = second;
            r[g].s = fast_two_sum(sum.hi, v_add(sum.lo, v_mad_if(keep[1], t2, second.w, c)));
        }
    }
}

/* From the logits to the sums, and to what the results need beside them. */
CE_INLINE void sorted_reduce(const columns *a, narrow_work *w, few_row *r, pair *label_rest,
                             streams *out, ptrdiff_t classes, ptrdiff_t ahead, int groups, int op)
{
    sorted_terms terms[SORTED_GROUPS];
    CE_UNROLL
    for (int g = 0; g < groups; g++) {
        CE_UNROLL
        for (int k = 0; k < classes; k++)
            narrow_traffic(a, out, ahead + g * VL, k, op);
    }
    sorted_sums(w, r, terms, classes, groups);
    CE_UNROLL
    for (int g = 0; g < groups; g++) {
        label_rest[g] = r[g].s;
        if (op_is_sparse(op) && op_has_gradient(op))
            label_rest[g] = sorted_label_rest(r + g, terms + g, w + g, classes);
        if (op_is_dense(op))
            sorted_labels(r + g, terms + g, w + g, classes);
        if (op_marks_top(op))
            w[g].at = sorted_at(w + g, terms + g, classes);
        if (op_stores_exp(op))
            sorted_store(w + g, terms + g, classes);
    }
}

/* groups is a constant. */
CE_INLINE void sorted_groups(const ce_job *job, columns *a, narrow_work *w, streams *out, int groups,
                             ptrdiff_t classes, int op)
{
    const int logs = op == CE_LOG_SOFTMAX || job->value.data;
    const int step = groups < V_PAIRED ? groups : V_PAIRED;
    const int log_step = groups < V_ABREAST ? groups : V_ABREAST;
    few_row r[SORTED_GROUPS];
    pair label_rest[SORTED_GROUPS];
    CE_UNROLL
    for (int i = 0; i < groups; i++)
        narrow_read(job, a, w + i, classes, NARROW_SORTED, op);
    CE_UNROLL
    for (int i = 0; i < groups; i += step)
        sorted_reduce(a, w + i, r + i, label_rest + i, out, classes, (groups + i) * VL, step, op);
    if (op_stores_exp(op)) {
        CE_UNROLL
        for (int i = 0; i < groups; i++)
            few_inverse(r + i, op);
    }
    if (logs) {
        CE_UNROLL
        for (int i = 0; i < groups; i += log_step)
            few_logs(r + i, log_step);
    }
    if (job->value.data) {
        CE_UNROLL
        for (int i = 0; i < groups; i++)
            put_values(job, &w[i].g, few_value(r + i, w + i, op));
    }
    if (op_has_out(op)) {
        CE_UNROLL
        for (int i = 0; i < groups; i++)
            few_finish(a, w + i, r + i, label_rest[i], classes, groups * VL, NARROW_SORTED, op);
    }
}
