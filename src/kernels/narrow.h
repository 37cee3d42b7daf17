/* VL rows at a time, one a lane, all of whose classes fit a buffer: no horizontal operation.
 *
 * The classes are read once, transposed where those of a row lie side by side; the buffer then
 * holds their logits, their e_j, and the results. Term j goes to sum j mod VL, and these sums are
 * folded by the tree of the wide kernel, so that both give the same bits.
 *
 * The operations on one group of rows wait for each other. So several groups go through short
 * steps together: in a step, those of one group run while those of another wait.
 */

/* Results are streamed from so many classes on, and not with dense labels: elsewhere arithmetic
 * takes longer than memory, and streaming costs 5 %. */
#define NARROW_STREAMED 32

/* What the classes of a row are compared with and counted by. */
typedef struct { reference r; vec top, ties, at, class; } narrow_count;

/* Add class k to sum j, which it begins if it is the first; leave its e_j behind if the results
 * need it. */
CE_INLINE void narrow_add(narrow_sums *a, int j, int first, int odd, narrow_count *c, vec *x,
                          const vec *y, int op)
{
    const vmask below = v_ne(*x, c->top);
    const term e = reference_exp(c->r, *x, 1);
    if (first)
        a->s[j] = esum_zero();
    esum_add_if(a->s + j, odd, m_and(below, e.keep), e.e);
    c->ties = v_add_if(m_not(below), c->ties, v_set1(1));
    if (op_marks_top(op)) {
        c->at = v_select(below, c->at, c->class);
        c->class = v_add(c->class, v_set1(1));
    }
    if (op_is_dense(op)) {
        if (first)
            a->gap[j] = a->tiny[j] = a->others[j] = a->top[j] = dsum_zero();
        a->gap[j] = dsum_add_product(a->gap[j], *y, c->top, *x);
        a->tiny[j] = dsum_add_tiny(a->tiny[j], *y, c->top, *x);
        a->others[j] = dsum_add_if(a->others[j], below, *y);
        a->top[j] = dsum_add_if(a->top[j], m_not(below), *y);
    }
    if (op_stores_exp(op))
        *x = v_as_stored(v_rounded(e.e, e.keep));
}

/* Add up the terms. Meanwhile the rows `ahead` are fetched, and earlier results go out. */
CE_INLINE void narrow_reduce(const columns *a, narrow_work *w, streams *out, ptrdiff_t classes,
                             ptrdiff_t ahead, int op)
{
    const int n = classes < VL ? (int)classes : VL;
    const vec zero = v_set1(0);
    vec *x = w->x, *y = w->y;
    narrow_count c = {reference_of(w->z.m), finite_top(w->z.m), zero, zero, zero};
    for (int j = 0; j < n; j++) {
        narrow_traffic(a, out, ahead, j, op);
        narrow_add(&w->sums, j, 1, 0, &c, x + j, y + j, op);
    }
    for (ptrdiff_t k = VL, odd = 1; k < classes; k += VL, odd = !odd) {
        const int left = classes - k < VL ? (int)(classes - k) : VL;
        if (odd)
            for (int j = 0; j < left; j++) {
                narrow_traffic(a, out, ahead, k + j, op);
                narrow_add(&w->sums, j, 0, 1, &c, x + k + j, y + k + j, op);
            }
        else
            for (int j = 0; j < left; j++) {
                narrow_traffic(a, out, ahead, k + j, op);
                narrow_add(&w->sums, j, 0, 0, &c, x + k + j, y + k + j, op);
            }
        if (left == VL && k / VL % SETTLE == SETTLE - 1)
            for (int j = 0; j < VL; j++)
                esum_settle(w->sums.s + j);
    }
    w->z.ties = c.ties;
    w->z.e = reference_top(c.r);
    if (op_marks_top(op))
        w->at = v_select(v_eq(c.ties, v_set1(1)), c.at, v_set1(-1));
}

CE_INLINE void narrow_fold(narrow_work *w, ptrdiff_t classes, int op)
{
    const int n = classes < VL ? (int)classes : VL;
    w->z.s = esum_fold_columns(w->sums.s, n);
    row_end_sums(&w->z);
    if (op_is_dense(op)) {
        w->z.gap = fold_column(w->sums.gap, n);
        w->z.tiny = fold_column(w->sums.tiny, n);
        w->z.others = fold_column(w->sums.others, n);
        w->z.Y = x_add(w->z.others, fold_column(w->sums.top, n));
    }
}

/* The value of the rows. */
CE_INLINE void narrow_value(const ce_job *job, narrow_work *w, int op)
{
    row_end_log(&w->z);
    if (job->value.data)
        put_values(job, &w->g, row_value(&w->z, &w->g.loss, w->x_label, op));
}

CE_INLINE void narrow_finish(columns *a, const narrow_work *w, ptrdiff_t classes,
                             ptrdiff_t ahead, int op)
{
    const row_end *z = &w->z;
    narrow_results q = {.m = z->m};
    if (op == CE_LOG_SOFTMAX) {
        const ext L = log1p_of(z);
        q.log = x_hi(L);
        q.log_lo = x_lo(L);
    } else {
        q.each = finish_of(z, &w->g.gradient, &w->g.hessian, NULL, op);
    }
    if (op_is_sparse(op))
        q.label = row_label_gradient(z, w->x_label, &w->g.gradient);
    if (op_is_dense(op))
        q.top = row_top_gradient(z, &w->g.gradient);
    if (op_has_hessian(op))
        q.top_hessian = row_top_hessian(z, &w->g.hessian, op_is_dense(op));
    narrow_write(a, w, &q, classes, ahead, NARROW_PAIRS, op);
}

CE_INLINE void narrow_groups(const ce_job *job, columns *a, narrow_work *w, streams *out,
                             int groups, ptrdiff_t classes, narrow_way way, int op)
{
    const int logs = op == CE_LOG_SOFTMAX || job->value.data;
    if (way == NARROW_SORTED) {
        if (SORTED_GROUPS > 1 && !op_is_dense(op) && groups == SORTED_GROUPS)
            sorted_groups(job, a, w, out, SORTED_GROUPS, classes, op);
        else
            for (int i = 0; i < groups; i++)
                sorted_groups(job, a, w + i, out, 1, classes, op);
        return;
    }
    for (int i = 0; i < groups; i++)
        narrow_read(job, a, w + i, classes, way, op);
    if (way == NARROW_FEW) {
        few_groups(job, a, w, out, groups, classes, op);
        return;
    }
    if (way == NARROW_PLAIN) {
        for (int i = 0; i < groups; i++)
            plain_reduce(a, w + i, out, classes, (i + 1) * VL, op);
        for (int i = 0; i < groups; i++)
            plain_finish(a, w + i, classes, groups * VL, op);
        return;
    }
    for (int i = 0; i < groups; i++)
        narrow_reduce(a, w + i, out, classes, (i + 1) * VL, op);
    for (int i = 0; i < groups; i++)
        narrow_fold(w + i, classes, op);
    for (int i = 0; i < groups; i++) {
        if (logs)
            row_end_ratio(&w[i].z);
        if (op_stores_exp(op))
            row_end_inverse(&w[i].z);
    }
    for (int i = 0; i < groups && logs; i++)
        narrow_value(job, w + i, op);
    streams_rest(out, op); /* where they wait comes what is finished now */
    if (op_has_out(op))
        for (int i = 0; i < groups; i++)
            narrow_finish(a, w + i, classes, groups * VL, op);
}

CE_INLINE void narrow_rows_in(const ce_job *job, ptrdiff_t row0, ptrdiff_t row1,
                              ptrdiff_t classes, narrow_way way, int op)
{
    const ptrdiff_t room = classes + VT;
    const ptrdiff_t fit = NARROW_ROOM / room, wanted = NARROW_TOGETHER / classes + 2;
    const ptrdiff_t limit = way == NARROW_SORTED ? SORTED_GROUPS : NARROW_GROUPS;
    const ptrdiff_t room_for = wanted > limit ? limit : wanted < fit ? wanted : fit;
    const ptrdiff_t needed = (row1 - row0 + VL - 1) / VL;
    const ptrdiff_t together = needed < room_for ? needed : room_for;
    const int most = (int)(together - (together > V_ABREAST ? together % V_ABREAST : 0));
    const int streamed = !op_is_dense(op) && classes >= NARROW_STREAMED && job_streams(job, op);
    ce_array out_rows, hessian_rows;
    vec x[NARROW_ROOM], y[op_is_dense(op) ? NARROW_ROOM : 1];
    vec hessian[op_has_hessian(op) ? NARROW_ROOM : 1];
    narrow_work work[NARROW_GROUPS];
    columns a;
    streams out = streamed ? streams_in(ce_scratch()) : streams_none();
    columns_set(&a, job, op);
    if (streamed) {
        a.out.array = &out_rows;
        a.hessian.array = &hessian_rows;
    }
    for (int i = 0; i < most; i++) {
        work[i].x = x + i * room;
        work[i].y = op_is_dense(op) ? y + i * room : NULL;
        work[i].hessian = op_has_hessian(op) ? hessian + i * room : NULL;
        weigh_evenly(job, &work[i].g);
        memset(work[i].g.label, 0, sizeof work[i].g.label); /* lanes without a row keep these */
    }
    for (ptrdiff_t row = row0; row < row1;) {
        const ptrdiff_t first = row;
        int groups = 0;
        for (; groups < most && row < row1; groups++) {
            group *g = &work[groups].g;
            g->first = row;
            g->n = group_rows(job, row, row1, VL);
            row += g->n;
            if (job->weight.data)
                weigh_rows(job, g);
        }
        if (streamed)
            out_rows = waiting_rows(&out.out, job, &job->out, first);
        if (streamed && op_has_hessian(op))
            hessian_rows = waiting_rows(&out.hessian, job, &job->hessian, first);
        narrow_groups(job, &a, work, &out, groups, classes, way, op);
        if (streamed)
            streams_begin(&out, job, first, row - first, op);
    }
    if (streamed)
        streams_end(&out, op);
}

/* In another way than wide.h only where all layouts come here. */
CE_INLINE void narrow_rows(const ce_job *job, ptrdiff_t row0, ptrdiff_t row1, int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS];
    if (classes < WIDE_CLASSES && job_is_plain(job, op))
        narrow_rows_in(job, row0, row1, classes, NARROW_PLAIN, op);
    else if (classes == 2) /* these two as constants */
        narrow_rows_in(job, row0, row1, 2, NARROW_SORTED, op);
    else if (classes == SORTED_CLASSES)
        narrow_rows_in(job, row0, row1, SORTED_CLASSES, NARROW_SORTED, op);
    else if (few_classes(classes, op))
        narrow_rows_in(job, row0, row1, classes, NARROW_FEW, op);
    else
        narrow_rows_in(job, row0, row1, classes, NARROW_PAIRS, op);
}
