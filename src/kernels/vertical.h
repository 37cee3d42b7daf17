/* VL rows at a time, one a lane, the loop running down the classes: no horizontal operation.
 *
 * Taken for few classes and for every layout whose classes do not lie side by side. Term j goes
 * to accumulator j mod VL and these are folded by the tree of the wide kernel, so that both give
 * the same bits. Few classes are transposed once into a buffer, which then holds their e_j; more
 * classes are read again, and their e_j wait in the output.
 */

#define VERTICAL_BUFFER 256 /* vecs of logits, then of their e_j */
#define VERTICAL_GROUPS 8

typedef struct {
    strip x, y, out, hessian;
    vec *buffer;        /* NULL: classes do not fit */
} columns;

/* The logits of n classes from k on. */
CE_INLINE vec *class_tile(const columns *c, ptrdiff_t k, int n, vec *tile)
{
    if (c->buffer)
        return c->buffer + k;
    strip_load(&c->x, k, n, -INFINITY, tile);
    return tile;
}

/* Accumulators of one block, one for each class modulo VL. */
typedef struct { esum s[VL]; dsum gap[VL], tiny[VL], others[VL], top[VL]; } columns_sums;

CE_INLINE void store_sums(blocks *p, const columns_sums *sums, ptrdiff_t classes, int op)
{
    const int n = classes < VL ? (int)classes : VL;
    esum_fold_columns(&p->s, sums->s, n);
    if (op_is_dense(op)) {
        ext a[VL];
        for (int i = 0; i < n; i++)
            a[i] = dsum_total(sums->gap[i]);
        x_fold_columns(&p->gap, a, n);
        for (int i = 0; i < n; i++)
            a[i] = dsum_total(sums->tiny[i]);
        x_fold_columns(&p->tiny, a, n);
        for (int i = 0; i < n; i++)
            a[i] = dsum_total(sums->others[i]);
        x_fold_columns(&p->others, a, n);
        for (int i = 0; i < n; i++)
            a[i] = dsum_total(sums->top[i]);
        x_fold_columns(&p->top, a, n);
    }
}

CE_INLINE vec vertical_max(const columns *c, ptrdiff_t from, ptrdiff_t to)
{
    vec tile[VL + VT], m = v_set1(-INFINITY);
    for (ptrdiff_t k = from; k < to; k += VL) {
        const int n = to - k < VL ? (int)(to - k) : VL;
        const vec *x = class_tile(c, k, n, tile);
        for (int j = 0; j < n; j++)
            m = v_max(m, x[j]);
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
        vec tile[VL + VT], y[VL + VT], waiting[VL + VT];
        const int n = to - k < VL ? (int)(to - k) : VL, odd = (k - from) / VL % 2;
        const vec *x = class_tile(c, k, n, tile);
        vec *stored = c->buffer ? c->buffer + k : waiting;
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
                stored[j] = v_as_stored(v_rounded(t.e, t.keep));
        }
        if (op_stores_exp(op) && !c->buffer && c->out.kind != OTHER)
            strip_store(&c->out, k, n, stored);
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
        vec tile[VL + VT], y[VL + VT], out[VL + VT], hessian[VL + VT];
        const int n = to - k < VL ? (int)(to - k) : VL;
        const vec *e = c->buffer ? c->buffer + k : tile;
        if (!c->buffer)
            strip_load(source, k, n, 0, tile);
        if (!c->buffer && again)
            exp_again(tile, n, block_m);
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

/* One group of rows on its way through the three steps below. */
typedef struct {
    group g;
    columns c;
    blocks *part;
    row_end z;
} vertical_work;

CE_INLINE void vertical_reduce(const ce_job *job, vertical_work *w, ptrdiff_t first, int n, int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS], size = block_size(classes);
    group_set(&w->g, job, first, n, op);
    strip_set(&w->c.x, &job->x, job->shape, first, n);
    if (op_is_dense(op))
        strip_set(&w->c.y, &job->labels, job->shape, first, n);
    if (op_stores_exp(op) || op == CE_LOG_SOFTMAX)
        strip_set(&w->c.out, &job->out, job->shape, first, n);
    if (op_has_hessian(op))
        strip_set(&w->c.hessian, &job->hessian, job->shape, first, n);
    if (w->c.buffer)
        strip_load(&w->c.x, 0, (int)classes, -INFINITY, w->c.buffer);
    for (ptrdiff_t from = 0; from < classes; from += size)
        vertical_block(&w->c, from, block_end(classes, from), w->part + from / size, op);
}

CE_INLINE void vertical_end(const ce_job *job, vertical_work *w, int op)
{
    const totals t = vertical_totals(w->part, block_count(job->shape[CE_CLASS_AXIS]), op);
    end_row(&w->z, &t, op_is_dense(op));
    if (job->value.data)
        put_values(job, &w->g, row_value(&w->z, &w->g, op));
}

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

/* Groups of short rows go through each step together: the steps of one group wait for each other,
 * those of different groups do not. */
CE_INLINE void vertical_rows(const ce_job *job, ptrdiff_t row0, ptrdiff_t row1, int op)
{
    const ptrdiff_t room = job->shape[CE_CLASS_AXIS] + VT;
    const int fit = (int)(VERTICAL_BUFFER / room);
    const int most = fit < 1 ? 1 : fit < VERTICAL_GROUPS ? fit : VERTICAL_GROUPS;
    CE_ALIGN64 vec buffer[VERTICAL_BUFFER];
    blocks part[MAX_BLOCKS];
    vertical_work work[VERTICAL_GROUPS];
    for (int i = 0; i < most; i++) {
        work[i].c.buffer = fit > 0 ? buffer + i * room : NULL;
        work[i].part = part + i;
    }
    for (ptrdiff_t row = row0; row < row1;) {
        int groups = 0;
        for (; groups < most && row < row1; groups++) {
            const int n = group_rows(job, row, row1, VL);
            vertical_reduce(job, work + groups, row, n, op);
            row += n;
        }
        for (int i = 0; i < groups; i++)
            vertical_end(job, work + i, op);
        for (int i = 0; i < groups && (op_stores_exp(op) || op == CE_LOG_SOFTMAX); i++)
            vertical_results(job, work + i, op);
    }
}
