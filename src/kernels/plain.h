/* Derivatives of float64 logits that are wanted as float32: in plain double, rounded once.
 *
 * What narrow.h does with pairs of doubles, for results with 29 bits less. A gap x_j - m is exact
 * to 2^-53 and exp of it is 1 at the maximum, so that there is no shift and no bias. Terms are added
 * in the order of the classes, fewer than 128: K roundings, 2^-46 at most. Log-sum-exp and losses,
 * which are float64, never come here.
 */

#define PLAIN_CLAMP 700 /* exp(-700) = 2^-1009.9, a normal double, is 0 in every float32 */

CE_INLINE int job_is_plain(const ce_job *job, int op)
{
    const int wanted = op_has_gradient(op) || op == CE_SIGMOID_GRADIENT || op == CE_SIGMOID_HESSIAN;
    const int second = op_has_hessian(op) || op == CE_SIGMOID_HESSIAN;
    return sizeof(io) == sizeof(double) && wanted && !job->value.data &&
           job->out.type == CE_F32 && (!second || job->hessian.type == CE_F32);
}

/* exp(d) for d <= 0; 0 where narrow.h has it, so that what is rounded to 0 has the same sign. */
CE_INLINE vec plain_exp(vec d)
{
    const vec near = v_max(v_set1(-PLAIN_CLAMP), d);
    return v_rounded(v_exp(near, v_set1(MAGIC)), v_nle(d, v_set1(-CLAMP)));
}

CE_INLINE vec plain_weight(const weights *w)
{
    return w->unit ? v_set1(1) : x_hi(x_scale(w->W, w->k));
}

/* Add up the terms and leave them behind. */
CE_INLINE void plain_reduce(const columns *a, narrow_work *w, streams *out, ptrdiff_t classes,
                            ptrdiff_t ahead, int op)
{
    const vec zero = v_set1(0), one = v_set1(1), top = finite_top(w->z.m);
    vec s = zero, ties = zero, others = zero, Y = zero, at = zero, class = zero;
    for (ptrdiff_t k = 0; k < classes; k++) {
        const vec x = w->x[k], e = plain_exp(v_sub(x, top));
        const vmask below = v_ne(x, top);
        narrow_traffic(a, out, ahead, k, op);
        s = v_add_if(below, s, e);
        ties = v_add_if(m_not(below), ties, one);
        if (op_is_dense(op)) {
            at = v_select(below, at, class);
            class = v_add(class, one);
            others = v_add_if(below, others, w->y[k]);
            Y = v_add(Y, w->y[k]);
        }
        w->x[k] = e;
    }
    const vmask infinite = v_eq(v_abs(w->z.m), v_set1(INFINITY));
    w->s = v_add(s, v_sub(ties, one));
    w->inverse = v_select(infinite, v_set1(NAN), v_div(one, v_add(one, w->s)));
    w->at = v_select(v_eq(ties, one), at, v_set1(-1));
    w->z.others = x_vec(others);
    w->z.Y = x_vec(Y);
}

/* p_j, or -(1 - p_j) at the label; Y p_j - y_j with dense labels. Y p_j (1 - p_j). */
CE_INLINE void plain_finish(columns *a, const narrow_work *w, ptrdiff_t classes, ptrdiff_t ahead,
                            int op)
{
    const weights *g = &w->g.gradient;
    const vec one = v_set1(1), S = v_add(one, w->s), weight = plain_weight(g);
    const vec Y = op_is_dense(op) ? x_hi(w->z.Y) : one;
    const vec scale = v_mul(w->inverse, weight), p_scale = v_mul(scale, Y);
    const vec h_scale = v_mul(v_mul(w->inverse, w->inverse),
                              v_mul(plain_weight(&w->g.hessian), Y));
    vec class = v_set1(0), exact;
    if (op_is_sparse(op)) {
        const vec top = finite_top(w->z.m), e = plain_exp(v_sub(w->x_label, top));
        const vec rest = v_select(v_eq(w->x_label, top), w->s, v_sub(S, e));
        exact = v_neg(v_keep(g->live, v_mul(rest, scale)));
    } else {
        const vec p = v_mul(v_mul(w->s, w->inverse), Y);
        exact = v_keep(g->live, v_mul(v_sub(x_hi(w->z.others), p), weight));
    }
    strip_move(&a->out, w->g.first, w->g.n);
    if (op_has_hessian(op))
        strip_move(&a->hessian, w->g.first, w->g.n);
    for (ptrdiff_t k = 0; k < classes; k++) {
        const vec e = w->x[k], p = v_mul(e, p_scale);
        strip_prefetch(&a->out, ahead, k);
        if (op_has_hessian(op)) {
            const vec rest = v_select(v_eq(e, one), w->s, v_sub(S, e));
            strip_prefetch(&a->hessian, ahead, k);
            w->hessian[k] = v_keep(g->live, v_mul(v_mul(e, rest), h_scale));
        }
        if (op_is_sparse(op))
            w->x[k] = v_select(v_eq(w->label, class), exact, v_keep(g->live, p));
        else
            w->x[k] = v_select(v_eq(w->at, class), exact,
                               v_keep(g->live, v_sub(p, v_mul(w->y[k], weight))));
        class = v_add(class, one);
    }
    strip_store(&a->out, 0, (int)classes, w->x);
    if (op_has_hessian(op))
        strip_store(&a->hessian, 0, (int)classes, w->hessian);
}

/* One vec of element operations: (x > 0 ? (1 - y) - p : p - y) with p = sigmoid(-|x|), and
 * p (1 - p), both times the weight. */
typedef struct { vec gradient, hessian; } plain_pair;

CE_INLINE plain_pair plain_sigmoid(vec x, vec y, vec weight)
{
    const vec one = v_set1(1), e = plain_exp(v_neg(v_abs(x)));
    const vec upper = v_div(one, v_add(one, e)), lower = v_mul(e, upper);
    const vmask right = v_lt(v_set1(0), x);
    const vec c = v_select(right, v_sub(one, y), y);
    const vec g = v_select(right, v_sub(c, lower), v_sub(lower, c));
    const vmask live = v_ne(weight, v_set1(0));
    return (plain_pair){v_keep(live, v_mul(g, weight)),
                        v_keep(live, v_mul(v_mul(lower, upper), weight))};
}
