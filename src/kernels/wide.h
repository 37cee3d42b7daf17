/* One row at a time, VL classes a step: rows whose classes lie side by side.
 *
 * A row of one block shares its row end with the VL - 1 rows after it, one a lane. Rows of more
 * blocks: blocked.h.
 */

/* e_j of this many bytes stay in a cache of the core until their row's end is known. */
#define WIDE_GROUP_BYTES 131072
/* The same where the outputs are not of io, and e_j wait on the stack. */
#define WIDE_KEPT_BYTES 65536
/* And where results wait to be streamed. */
#define WIDE_STREAM_BYTES 65536
/* Logits of this many bytes stay in the first-level cache from their maximum to their terms. */
#define WIDE_NEAR_BYTES 16384
/* So many come from memory faster, as the maxima read them in longer runs: logsumexp of 20000 x 1000
 * in float32 takes 141 ns a row for 150, but in the caches 133 for 126. */
#define WIDE_FAR_BYTES 131072

/* The labels of dense rows, converted to io where they are something else. */
typedef struct { const char *p; ptrdiff_t stride; ce_type type; } label_run;

CE_INLINE label_run labels_at(const ce_job *job, ptrdiff_t row, ptrdiff_t class)
{
    const ptrdiff_t stride = job->labels.stride[CE_CLASS_AXIS];
    const ptrdiff_t offset = row_offset(&job->labels, job->shape, row) + class * stride;
    return (label_run){job->labels.data + offset, stride, job->labels.type};
}

/* Four independent maxima, as one would wait for itself. */
CE_INLINE real wide_max(const io *x, ptrdiff_t n)
{
    const vec low = v_set1(-INFINITY);
    vec m0 = low, m1 = low, m2 = low, m3 = low;
    ptrdiff_t j = 0;
    for (; j + 4 * VL <= n; j += 4 * VL) {
        m0 = v_max(m0, v_load(x + j));
        m1 = v_max(m1, v_load(x + j + VL));
        m2 = v_max(m2, v_load(x + j + 2 * VL));
        m3 = v_max(m3, v_load(x + j + 3 * VL));
    }
    for (; j + VL <= n; j += VL)
        m0 = v_max(m0, v_load(x + j));
    if (j < n)
        m1 = v_max(m1, v_load_n(x + j, (int)(n - j), -INFINITY));
    return v_reduce_max(v_max(v_max(m0, m1), v_max(m2, m3)));
}

/* How many rows or blocks of so many classes have their maxima taken before their terms, as the
 * terms of one would wait for its maximum, but not for those of others. */
CE_INLINE int wide_together(const ce_job *job, ptrdiff_t classes)
{
    const ptrdiff_t *n = job->shape, row = n[CE_CLASS_AXIS] * (ptrdiff_t)sizeof(io);
    const int far = is_io(&job->x) && n[0] * n[1] * n[2] * row >= STREAM_BYTES;
    const ptrdiff_t bytes = far ? WIDE_FAR_BYTES : WIDE_NEAR_BYTES;
    const ptrdiff_t fit = bytes / (classes * (ptrdiff_t)sizeof(io));
    return fit < 1 ? 1 : fit < VL ? (int)fit : VL;
}

/* n adjoining logits of any type. */
typedef struct { const char *p; ce_type type; ptrdiff_t n; } logit_run;

/* Logits [from, to) as io: themselves, or a copy. */
CE_INLINE const io *logits_in(const logit_run *x, ptrdiff_t from, ptrdiff_t to, io *copy)
{
    if (x->type == IO_TYPE)
        return (const io *)x->p + from;
    widen_run(x->p + from * type_size(x->type), x->type, to - from, copy);
    return copy;
}

/* Their maximum. Up to CE_BLOCK of another type are left in the copy, and are that from then on. */
CE_INLINE real wide_max_of(logit_run *x, io *copy)
{
    if (x->type == IO_TYPE)
        return wide_max((const io *)x->p, x->n);
    vec m = v_set1(-INFINITY);
    for (ptrdiff_t from = 0; from < x->n; from += CE_BLOCK) {
        const ptrdiff_t to = x->n - from < CE_BLOCK ? x->n : from + CE_BLOCK;
        m = v_max(m, v_set1(wide_max(logits_in(x, from, to, copy), to - from)));
    }
    if (x->n <= CE_BLOCK)
        *x = (logit_run){(const char *)copy, IO_TYPE, x->n};
    return v_reduce_max(m);
}

/* below counts the lanes, filled ones included, that do not hold the maximum. */
typedef struct { esum s; dsum gap, tiny, others, top; ptrdiff_t below, at; } wide_sums;

/* What wide_block is given: classes, their maximum, where their e_j go if they can wait somewhere,
 * how many bytes later lies what is fetched meanwhile, and what goes out. */
typedef struct {
    logit_run x;
    label_run y;
    ptrdiff_t ahead, y_ahead;
    real m;
    io *store;
    streams *out;
} wide_part;

/* Its logits, labels and e_j as io, from class 0 on, of which a run is there. */
typedef struct { const io *x, *label; io *store; } wide_run;

/* `vecs`, a constant, of classes from j on, of the last of which `rest` exist. odd: whether the
 * number of the first vec is. */
CE_INLINE void wide_vecs(const wide_part *w, const wide_run *at, wide_sums *a, streams *out,
                         reference r, ptrdiff_t j, int vecs, int rest, int odd, int shifts, int op)
{
    const vec top = finite_top(v_set1(w->m));
    vec x[V_PAIRED], y[V_PAIRED], d[V_PAIRED];
    vmask below[V_PAIRED], keep[V_PAIRED];
    product e[V_PAIRED];
    CE_UNROLL
    for (int i = 0; i < vecs; i++) {
        const ptrdiff_t k = j + i * VL;
        CE_PREFETCH((const char *)(at->x + k) + w->ahead);
        if (op_is_dense(op))
            CE_PREFETCH((const char *)(w->y.p + k * w->y.stride) + w->y_ahead);
        streams_step(out, op);
        x[i] = rest == VL ? v_load(at->x + k) : v_load_n(at->x + k, rest, -INFINITY);
        y[i] = rest == VL ? v_load(at->label + k) : v_load_n(at->label + k, rest, 0);
        d[i] = shifts ? v_sub(x[i], r.M) : x[i]; /* the same where M is 0 */
        below[i] = v_ne(x[i], top);
        keep[i] = v_nle(d[i], r.floor);
    }
    v_exps(d, NULL, r.shift, e, vecs);
    CE_UNROLL
    for (int i = 0; i < vecs; i++) {
        esum_add_if(&a->s, (odd + i) & 1, m_and(below[i], keep[i]), e[i]);
        a->below += m_count(below[i]);
        if (op_is_dense(op)) {
            a->gap = dsum_add_product(a->gap, y[i], top, x[i]);
            a->tiny = dsum_add_tiny(a->tiny, y[i], top, x[i]);
            a->others = dsum_add_if(a->others, below[i], y[i]);
            a->top = dsum_add_if(a->top, m_not(below[i]), y[i]);
        }
        if (op_marks_top(op) && a->at < 0 && m_any(m_not(below[i])))
            a->at = j + i * VL + m_index(m_not(below[i]));
        if (op_stores_exp(op) && rest == VL)
            v_store(at->store + j + i * VL, v_rounded(e[i], keep[i]));
        else if (op_stores_exp(op))
            v_store_n(at->store + j + i * VL, v_rounded(e[i], keep[i]), rest);
    }
}

/* Classes [j, end), at most SETTLE vecs of them. */
CE_INLINE void wide_classes(const wide_part *w, const wide_run *at, wide_sums *a, streams *out,
                            reference r, ptrdiff_t j, ptrdiff_t end, int shifts, int op)
{
    for (; j + 2 * VL <= end; j += 2 * VL) {
        wide_vecs(w, at, a, out, r, j, V_PAIRED, VL, 0, shifts, op);
        if (V_PAIRED == 1)
            wide_vecs(w, at, a, out, r, j + VL, 1, VL, 1, shifts, op);
    }
    const int odd = j + VL <= end;
    if (odd)
        wide_vecs(w, at, a, out, r, j, 1, VL, 0, shifts, op);
    j += odd * VL;
    if (j < end && odd)
        wide_vecs(w, at, a, out, r, j, 1, (int)(end - j), 1, shifts, op);
    else if (j < end)
        wide_vecs(w, at, a, out, r, j, 1, (int)(end - j), 0, shifts, op);
}

CE_INLINE wide_sums wide_terms(const wide_part *w, reference r, int shifts, int op)
{
    wide_sums a = {esum_zero(), dsum_zero(), dsum_zero(), dsum_zero(), dsum_zero(), 0, -1};
    const ptrdiff_t settle = SETTLE * VL;
    streams out = op_has_out(op) ? *w->out : streams_none(); /* in registers */
    for (ptrdiff_t start = 0; start < w->x.n; start += settle) {
        CE_ALIGN64 io x[SETTLE * VL], label[SETTLE * VL], lost[SETTLE * VL];
        const ptrdiff_t end = w->x.n - start < settle ? w->x.n : start + settle;
        const label_run *y = &w->y;
        wide_run at = {logits_in(&w->x, start, end, x) - start, NULL,
                       w->store ? w->store : lost - start};
        at.label = op_is_dense(op) ? stage(y->p + start * y->stride, y->stride, y->type,
                                           end - start, label) - start
                                   : at.x;
        wide_classes(w, &at, &a, &out, r, start, end, shifts, op);
        if (end - start == settle)
            esum_settle(&a.s);
    }
    if (op_has_out(op) &&
        (out.out.at != w->out->out.at || out.hessian.at != w->out->hessian.at))
        *w->out = out;
    return a;
}

/* Reduce a part to lane i of p. */
CE_INLINE void wide_block(const wide_part *w, blocks *p, int i, int op)
{
    const reference r = reference_of(v_set1(w->m));
    const int shifts = m_any(v_ne(r.M, v_set1(0)));
    const wide_sums a = shifts ? wide_terms(w, r, 1, op) : wide_terms(w, r, 0, op);
    p->m[i] = w->m;
    p->ties[i] = (real)((w->x.n + VL - 1) / VL * VL - a.below);
    p->at[i] = (real)a.at;
    esum_fold_to(&p->s, i, a.s);
    if (op_is_dense(op)) {
        x_fold_to(&p->gap, i, dsum_total(a.gap));
        x_fold_to(&p->tiny, i, dsum_total(a.tiny));
        x_fold_to(&p->others, i, dsum_total(a.others));
        x_fold_to(&p->top, i, dsum_total(a.top));
    }
}

CE_INLINE scale scale_lane(const scale *lanes, int i)
{
    real power[VL], hi[VL], lo[VL];
    v_store_real(power, lanes->power);
    v_store_real(hi, lanes->hi);
    v_store_real(lo, lanes->lo);
    return (scale){v_set1(power[i]), v_set1(hi[i]), v_set1(lo[i])};
}
CE_INLINE vec vec_lane(vec lanes, int i)
{
    real x[VL];
    v_store_real(x, lanes);
    return v_set1(x[i]);
}

/* The constants of lane i in every lane. */
CE_INLINE finish finish_lane(const finish *q, int i, int op)
{
    finish r;
    r.p = scale_lane(&q->p, i);
    r.plain = op_has_hessian(op) ? scale_lane(&q->plain, i) : r.p;
    r.w_hi = op_is_dense(op) ? vec_lane(q->w_hi, i) : v_set1(0);
    r.w_lo = op_is_dense(op) ? vec_lane(q->w_lo, i) : v_set1(0);
    r.h = op_has_hessian(op) ? scale_lane(&q->h, i) : r.p;
    r.live = v_ne(vec_lane(v_keep(q->live, v_set1(1)), i), v_set1(0));
    return r;
}

/* Softmax and sparse gradients. A step is a cache line of out: stores across two take twice as
 * long. */
CE_ONCE void wide_softmax(const finish *q, ptrdiff_t n, io *out)
{
    const finish r = *q; /* out may be anywhere, but not here */
    const ptrdiff_t head = (ptrdiff_t)(-(uintptr_t)out % (VL * sizeof(io)) / sizeof(io));
    ptrdiff_t j = head < n ? head : n;
    if (j > 0)
        v_store_n(out, finish_softmax(&r, v_load_n(out, (int)j, 0)), (int)j);
    for (; j + VL <= n; j += VL)
        v_store(out + j, finish_softmax(&r, v_load(out + j)));
    if (j < n)
        v_store_n(out + j, finish_softmax(&r, v_load_n(out + j, (int)(n - j), 0)), (int)(n - j));
}

/* From the e_j in out to the results of n classes. */
CE_INLINE void wide_finish(const finish *q, label_run y, ptrdiff_t n, io *out, io *hessian, int op)
{
    if (!op_is_dense(op) && !op_has_hessian(op)) {
        wide_softmax(q, n, out);
        return;
    }
    const ptrdiff_t run = op_is_dense(op) ? CE_STAGE : n;
    for (ptrdiff_t start = 0; start < n; start += run) {
        CE_ALIGN64 io copy[CE_STAGE];
        const ptrdiff_t end = n - start < run ? n : start + run;
        const io *label = op_is_dense(op) ? stage(y.p + start * y.stride, y.stride, y.type,
                                                  end - start, copy) - start
                                          : out;
        for (ptrdiff_t j = start; j < end; j += VL) {
            const int rest = end - j < VL ? (int)(end - j) : VL;
            const vec e = rest == VL ? v_load(out + j) : v_load_n(out + j, rest, 0);
            vec g = e;
            if (op_is_dense(op))
                g = finish_dense(q, e, rest == VL ? v_load(label + j)
                                                  : v_load_n(label + j, rest, 0));
            else
                g = finish_softmax(q, e);
            if (rest == VL)
                v_store(out + j, g);
            else
                v_store_n(out + j, g, rest);
            if (op_has_hessian(op) && rest == VL)
                v_store(hessian + j, finish_hessian(q, e));
            else if (op_has_hessian(op))
                v_store_n(hessian + j, finish_hessian(q, e), rest);
        }
    }
}

/* n adjoining results of any type; NULL without them. */
typedef struct { char *p; ce_type type; } result_run;

/* Results [from, to): where they are io their place, else `copy`, until put_results. */
CE_INLINE io *results_in(const result_run *r, ptrdiff_t from, io *copy)
{
    return r->type == IO_TYPE && r->p ? (io *)r->p + from : copy;
}
CE_INLINE void put_results(const result_run *r, ptrdiff_t from, ptrdiff_t to, const io *x)
{
    if (r->p && (r->type != IO_TYPE || x != (const io *)r->p + from)) {
        const ptrdiff_t size = type_size(r->type);
        unstage(x, r->p + from * size, size, r->type, to - from);
    }
}

/* The e_j of logits [from, to) once more, where no array holds them. */
CE_ONCE void wide_exp(const logit_run *x, ptrdiff_t from, ptrdiff_t to, real m, io *e)
{
    io copy[CE_STAGE];
    const io *logit = logits_in(x, from, to, copy);
    const reference r = reference_of(v_set1(m));
    for (ptrdiff_t j = 0; j < to - from; j += VL) {
        const int rest = to - from - j < VL ? (int)(to - from - j) : VL;
        const term t = reference_exp(r, v_load_n(logit + j, rest, 0), 1);
        v_store_n(e + j, v_rounded(t.e, t.keep), rest);
    }
}

/* m, hi and lo are the row's in every lane. */
CE_INLINE void wide_log_softmax(const io *x, vec m, vec hi, vec lo, ptrdiff_t n, io *out)
{
    ptrdiff_t j = 0;
    for (; j + VL <= n; j += VL)
        v_store(out + j, finish_log_softmax(m, hi, lo, v_load(x + j)));
    if (j < n)
        v_store_n(out + j, finish_log_softmax(m, hi, lo, v_load_n(x + j, (int)(n - j), 0)),
                  (int)(n - j));
}

CE_INLINE void wide_log_softmax_of(const logit_run *x, vec m, vec hi, vec lo, result_run out)
{
    const ptrdiff_t run = x->type == IO_TYPE && out.type == IO_TYPE ? x->n : CE_STAGE;
    for (ptrdiff_t start = 0; start < x->n; start += run) {
        CE_ALIGN64 io copy[CE_STAGE], result[CE_STAGE];
        const ptrdiff_t end = x->n - start < run ? x->n : start + run;
        io *to = results_in(&out, start, result);
        wide_log_softmax(logits_in(x, start, end, copy), m, hi, lo, end - start, to);
        put_results(&out, start, end, to);
    }
}

/* n classes of a row from class `from` on. */
CE_INLINE logit_run row_x(const ce_job *job, ptrdiff_t row, ptrdiff_t from, ptrdiff_t n)
{
    const char *p = row_place(job, &job->x, row);
    return (logit_run){p + from * job->x.stride[CE_CLASS_AXIS], job->x.type, n};
}
CE_INLINE result_run row_out(const ce_job *job, const ce_array *a, ptrdiff_t row, ptrdiff_t from)
{
    if (!a->data)
        return (result_run){NULL, a->type};
    char *p = row_place(job, a, row);
    return (result_run){p + from * a->stride[CE_CLASS_AXIS], a->type};
}

/* Where e_j wait: in an output of io, else in `kept`; if that is NULL they are computed twice. */
CE_INLINE io *row_store(const ce_job *job, ptrdiff_t row, ptrdiff_t from, io *kept)
{
    const result_run out = row_out(job, &job->out, row, from);
    return is_io(&job->out) ? (io *)out.p : kept;
}

/* From the e_j of n classes of a row, with the maximum m, to their results: run by run unless all
 * of it is io. */
CE_INLINE void wide_results(const ce_job *job, ptrdiff_t row, ptrdiff_t from, ptrdiff_t n,
                            io *stored, real m, const finish *q, int op)
{
    const int hessian_is_io = !op_has_hessian(op) || is_io(&job->hessian);
    const int all_io = is_io(&job->out) && hessian_is_io;
    const ptrdiff_t run = all_io ? n : CE_STAGE;
    const result_run out = row_out(job, &job->out, row, from);
    const result_run hessian = row_out(job, &job->hessian, row, from);
    if (all_io && !op_is_dense(op) && !op_has_hessian(op)) { /* rows may be short */
        wide_softmax(q, n, (io *)out.p);
        return;
    }
    for (ptrdiff_t start = 0; start < n; start += run) {
        CE_ALIGN64 io copy[CE_STAGE], second[CE_STAGE];
        const ptrdiff_t end = n - start < run ? n : start + run;
        io *e = stored ? stored + start : copy, *h = results_in(&hessian, start, second);
        if (!stored) {
            const logit_run x = row_x(job, row, from, n);
            wide_exp(&x, start, end, m, e);
        }
        wide_finish(q, labels_at(job, row, from + start), end - start, e, h, op);
        put_results(&out, start, end, e);
        if (op_has_hessian(op))
            put_results(&hessian, start, end, h);
    }
}

/* The logits of n rows of one block as io. */
CE_ONCE void widen_rows(const ce_job *job, ptrdiff_t first, int n, io *copy)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS];
    const int adjoin = job->x.stride[2] == classes * type_size(job->x.type);
    for (int i = 0; i < (adjoin ? 1 : n); i++)
        widen_run(row_x(job, first + i, 0, classes).p, job->x.type, adjoin ? n * classes : classes,
                  copy + i * classes);
}

/* Rows of one block. */
CE_INLINE void wide_reduce_rows(const ce_job *job, ptrdiff_t first, int n, blocks *p, io *kept,
                                streams *out, int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS];
    const int together = wide_together(job, classes);
    for (int done = 0; done < n; done += together) {
        const int end = n - done < together ? n : done + together;
        CE_ALIGN64 io copy[CE_BLOCK];
        const int copies = !is_io(&job->x);
        const char *x[VL];
        real m[VL];
        if (copies)
            widen_rows(job, first + done, end - done, copy);
        for (int i = done; i < end; i++) {
            x[i] = copies ? (const char *)(copy + (i - done) * classes)
                          : row_x(job, first + i, 0, classes).p;
            m[i] = wide_max((const io *)x[i], classes);
        }
        for (int i = done; i < end; i++) {
            const ptrdiff_t row = first + i;
            const ptrdiff_t back = copies ? row_x(job, row, 0, classes).p - x[i] : 0;
            const wide_part w = {{x[i], IO_TYPE, classes}, labels_at(job, row, 0),
                                 back + together * job->x.stride[2],
                                 together * job->labels.stride[2], m[i],
                                 row_store(job, row, 0, kept + i * classes), out};
            wide_block(&w, p, i, op);
        }
    }
}

/* Rows of one block: n of them, at most VL, one row end for all. */
CE_INLINE void wide_group(const ce_job *job, ptrdiff_t first, int n, io *kept,
                          streams *out, int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS];
    group g;
    blocks p;
    row_end z;
    group_set(&g, job, first, n, op);
    memset(&p, 0, sizeof p);
    wide_reduce_rows(job, first, n, &p, kept, out, op);
    streams_rest(out, op);
    const totals t = single_block(&p, op_is_dense(op));
    end_row(&z, &t, op_is_dense(op));
    if (job->value.data)
        put_values(job, &g, row_value(&z, &g.loss, label_logits(&g, op), op));
    if (op == CE_LOG_SOFTMAX) {
        const ext L = log1p_of(&z);
        for (int i = 0; i < n; i++) {
            const logit_run x = row_x(job, first + i, 0, classes);
            wide_log_softmax_of(&x, vec_lane(z.m, i), vec_lane(x_hi(L), i), vec_lane(x_lo(L), i),
                                row_out(job, &job->out, first + i, 0));
        }
    }
    if (!op_stores_exp(op))
        return;
    finish lanes;
    exact_entries x;
    finish_set(&lanes, &z, &g.gradient, &g.hessian, NULL, op);
    entries_set(&x, &z, &g, op);
    for (int i = 0; i < n; i++) {
        const finish q = finish_lane(&lanes, i, op);
        const ptrdiff_t row = first + i;
        wide_results(job, row, 0, classes, row_store(job, row, 0, kept + i * classes), p.m[i], &q,
                     op);
        if (op_marks_top(op))
            put_top_entries(job, &g, &x, i, (ptrdiff_t)p.at[i], op);
    }
    if (op_is_sparse(op))
        put_label_entries(job, &g, &x);
}

/* Rows of one block whose results are streamed. */
CE_INLINE void wide_rows_streamed(const ce_job *job, ptrdiff_t row0, ptrdiff_t row1, int op)
{
    const ptrdiff_t row_bytes = job->shape[CE_CLASS_AXIS] * (ptrdiff_t)sizeof(io);
    const ptrdiff_t fit = WIDE_STREAM_BYTES / row_bytes, most = fit < VL ? fit : VL;
    streams out = streams_in(ce_scratch());
    ce_job near = *job;
    for (ptrdiff_t row = row0, n; row < row1; row += n) {
        n = group_rows(job, row, row1, most);
        near.out = waiting_rows(&out.out, job, &job->out, row);
        if (op_has_hessian(op))
            near.hessian = waiting_rows(&out.hessian, job, &job->hessian, row);
        wide_group(&near, row, (int)n, NULL, &out, op);
        streams_begin(&out, job, row, n, op);
    }
    streams_end(&out, op);
}

/* Rows of one block, VL at a time while their e_j fit. */
CE_INLINE void wide_rows(const ce_job *job, ptrdiff_t row0, ptrdiff_t row1, int op)
{
    if (job_streams(job, op)) {
        wide_rows_streamed(job, row0, row1, op);
        return;
    }
    CE_ALIGN64 io kept[WIDE_KEPT_BYTES / sizeof(io)];
    streams none = streams_none();
    const ptrdiff_t bytes = is_io(&job->out) ? WIDE_GROUP_BYTES : WIDE_KEPT_BYTES;
    const ptrdiff_t fit = bytes / (job->shape[CE_CLASS_AXIS] * (ptrdiff_t)sizeof(io));
    const ptrdiff_t most = fit < 1 ? 1 : fit < VL ? fit : VL;
    for (ptrdiff_t row = row0, n; row < row1; row += n) {
        n = group_rows(job, row, row1, most);
        wide_group(job, row, (int)n, kept, &none, op);
    }
}
