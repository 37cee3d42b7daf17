/* VL rows at a time, one a lane, with more classes than narrow.h keeps: for layouts whose classes
 * do not lie side by side. No horizontal operation: term j goes to accumulator j mod VL, and these
 * are folded by the tree of the wide kernel, so that both give the same bits. Logits are read once
 * for the maxima and once for the terms; the e_j wait in the output.
 */

/* Accumulators of one block, one for each class modulo VL. */
typedef struct { esum s[VL]; dsum gap[VL], tiny[VL], others[VL], top[VL]; } columns_sums;

CE_INLINE void store_sums(blocks *p, const columns_sums *sums, ptrdiff_t classes, int op)
{
    const int n = classes < VL ? (int)classes : VL;
    x_store(&p->s, esum_fold_columns(sums->s, n));
    if (op_is_dense(op)) {
        x_store(&p->gap, fold_column(sums->gap, n));
        x_store(&p->tiny, fold_column(sums->tiny, n));
        x_store(&p->others, fold_column(sums->others, n));
        x_store(&p->top, fold_column(sums->top, n));
    }
}

CE_INLINE vec vertical_max(const columns *c, ptrdiff_t from, ptrdiff_t to)
{
    vec tile[VL + VT], m = v_set1(-INFINITY);
    for (ptrdiff_t k = from; k < to; k += VL) {
        const int n = to - k < VL ? (int)(to - k) : VL;
        strip_load(&c->x, k, n, -INFINITY, tile);
        for (int j = 0; j < n; j++)
            m = v_max(m, tile[j]);
    }
    return m;
}

/* Reduce classes [from, to) of every row to p; leave their e_j behind if the results need them. */
CE_INLINE void vertical_block(const columns *c, ptrdiff_t from, ptrdiff_t to, blocks *p, int op)
{
    const vec m = vertical_max(c, from, to), top = finite_top(m);
    const reference r = reference_of(m);
    columns_sums sums;
    vec ties = v_set1(0), at = v_set1(0);
    for (int i = 0; i < (to - from < VL ? to - from : VL); i++) {
        sums.s[i] = esum_zero();
        if (op_is_dense(op))
            sums.gap[i] = sums.tiny[i] = sums.others[i] = sums.top[i] = dsum_zero();
    }
    for (ptrdiff_t k = from; k < to; k += VL) {
        vec x[VL + VT], y[VL + VT], e[VL + VT];
        const int n = to - k < VL ? (int)(to - k) : VL, odd = (k - from) / VL % 2;
        strip_load(&c->x, k, n, -INFINITY, x);
        if (op_is_dense(op))
            strip_load(&c->y, k, n, 0, y);
        for (int j = 0; j < n; j++) {
            const vmask below = v_ne(x[j], top);
            const term t = reference_exp(r, x[j], 1);
            esum_add_if(sums.s + j, odd, m_and(below, t.keep), t.e);
            if (op_marks_top(op))
                at = v_select(m_or(below, v_ne(ties, v_set1(0))), at,
                              v_set1((real)(k + j - from)));
            ties = v_add_if(m_not(below), ties, v_set1(1));
            if (op_is_dense(op)) {
                sums.gap[j] = dsum_add_product(sums.gap[j], y[j], top, x[j]);
                sums.tiny[j] = dsum_add_tiny(sums.tiny[j], y[j], top, x[j]);
                sums.others[j] = dsum_add_if(sums.others[j], below, y[j]);
                sums.top[j] = dsum_add_if(sums.top[j], m_not(below), y[j]);
            }
            if (op_stores_exp(op))
                e[j] = v_as_stored(v_rounded(t.e, t.keep));
        }
        if (op_stores_exp(op) && c->out.kind != OTHER)
            strip_store(&c->out, k, n, e);
        if (n == VL && (k - from) / VL % SETTLE == SETTLE - 1)
            for (int j = 0; j < VL; j++)
                esum_settle(sums.s + j);
    }
    v_store_real(p->m, m);
    v_store_real(p->ties, ties);
    v_store_real(p->at, at);
    store_sums(p, &sums, to - from, op);
}

CE_ONCE totals vertical_totals(const blocks *p, ptrdiff_t count, int op)
{
    const int dense = op_is_dense(op);
    if (count == 1)
        return single_block(p, dense);
    vec m = v_set1(-INFINITY);
    for (ptrdiff_t b = 0; b < count; b++)
        m = v_max(m, v_load_real(p[b].m));
    totals t = {m, v_set1(0), x_zero(), x_zero(), x_zero(), x_zero(), x_zero()};
    for (ptrdiff_t b = 0; b < count; b++)
        t = add_share(t, block_share(p + b, m, dense), dense);
    return t;
}

/* The e_j of n classes once more, where the output cannot hold them, from their logits. */
CE_ONCE void exp_again(vec *x, int n, const real *block_m)
{
    const reference r = reference_of(v_load_real(block_m));
    for (int j = 0; j < n; j++) {
        const term t = reference_exp(r, x[j], 1);
        x[j] = v_as_stored(v_rounded(t.e, t.keep));
    }
}

/* From the stored e_j (or, for log-softmax, from the logits) to the results of one block. */
CE_INLINE void vertical_finish(const columns *c, ptrdiff_t from, ptrdiff_t to, const row_end *z,
                               const finish *q, const real *block_m, int op)
{
    const int again = op_stores_exp(op) && c->out.kind == OTHER;
    const strip *source = op == CE_LOG_SOFTMAX || again ? &c->x : &c->out;
    const ext L = log1p_of(z);
    for (ptrdiff_t k = from; k < to; k += VL) {
        vec e[VL + VT], y[VL + VT], out[VL + VT], hessian[VL + VT];
        const int n = to - k < VL ? (int)(to - k) : VL;
        strip_load(source, k, n, 0, e);
        if (again)
            exp_again(e, n, block_m);
        if (op_is_dense(op))
            strip_load(&c->y, k, n, 0, y);
        for (int j = 0; j < n; j++) {
            if (op == CE_LOG_SOFTMAX)
                out[j] = finish_log_softmax(z->m, x_hi(L), x_lo(L), e[j]);
            else if (op_is_dense(op))
                out[j] = finish_dense(q, e[j], y[j]);
            else
                out[j] = finish_softmax(q, e[j]);
            if (op_has_hessian(op))
                hessian[j] = finish_hessian(q, e[j]);
        }
        strip_store(&c->out, k, n, out);
        if (op_has_hessian(op))
            strip_store(&c->hessian, k, n, hessian);
    }
}

/* One group of rows. */
typedef struct {
    group g;
    columns c;
    blocks part[MAX_BLOCKS];
    row_end z;
} vertical_work;

/* Entries known exactly: the block that holds a row's maximum knows where. */
CE_INLINE void vertical_entries(const ce_job *job, const vertical_work *w, int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS], count = block_count(classes);
    exact_entries x;
    real m[VL];
    entries_set(&x, &w->z, &w->g, op);
    if (op_is_sparse(op))
        put_label_entries(job, &w->g, &x);
    if (!op_marks_top(op))
        return;
    v_store_real(m, w->z.m);
    for (int i = 0; i < w->g.n; i++) {
        ptrdiff_t b = 0;
        while (b < count - 1 && w->part[b].m[i] != m[i])
            b++;
        put_top_entries(job, &w->g, &x, i, b * block_size(classes) + (ptrdiff_t)w->part[b].at[i],
                        op);
    }
}

CE_INLINE void vertical_results(const ce_job *job, vertical_work *w, int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS], size = block_size(classes);
    const int several = block_count(classes) > 1;
    for (ptrdiff_t from = 0; from < classes; from += size) {
        finish q;
        const real *m = w->part[from / size].m;
        finish_set(&q, &w->z, &w->g.gradient, &w->g.hessian, several ? m : NULL, op);
        vertical_finish(&w->c, from, block_end(classes, from), &w->z, &q, m, op);
    }
    if (op_has_gradient(op))
        vertical_entries(job, w, op);
}

CE_INLINE void vertical_rows(const ce_job *job, ptrdiff_t row0, ptrdiff_t row1, int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS], size = block_size(classes);
    vertical_work w;
    columns_set(&w.c, job, op);
    for (ptrdiff_t row = row0; row < row1; row += w.g.n) {
        group_set(&w.g, job, row, group_rows(job, row, row1, VL), op);
        columns_move(&w.c, row, w.g.n, op);
        for (ptrdiff_t from = 0; from < classes; from += size)
            vertical_block(&w.c, from, block_end(classes, from), w.part + from / size, op);
        const totals t = vertical_totals(w.part, block_count(classes), op);
        end_row(&w.z, &t, op_is_dense(op));
        if (job->value.data)
            put_values(job, &w.g, row_value(&w.z, &w.g.loss, label_logits(&w.g, op), op));
        if (op_has_out(op))
            vertical_results(job, &w, op);
    }
}
