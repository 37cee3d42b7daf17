/* VL rows at a time, each along its own vecs: rows of few vecs whose classes lie side by side,
 * but for dense labels.
 *
 * wide.h spends 11 to 14 ns on a row beside its terms, which take 1.8 ns a vec (float32, AVX-512,
 * 4.2 GHz). Here what a row needs once is done for all rows together, one a lane: the maximum and
 * the reference, the last steps of the fold, the row end. What rows then need of it is loaded from
 * memory into every lane, which costs nothing; their e_j wait in whole vecs of their own. That
 * leaves 3 to 5 ns a row. The order of every sum is that of wide.h and narrow.h.
 *
 * A row end is a long chain, as are a maximum and its reference. So the next rows are read while
 * the end of these is computed: 1 ns a row in the caches, and out of them 4, as they arrive by the
 * time they are needed. They were fetched two groups ahead: one group ahead costs 20 % more.
 */

#define SHORT_CLASSES 240 /* whole vecs of any type; more need wide.h's way of keeping e_j */

/* Up to VL rows: their logits, and what terms are compared with and scaled by. */
typedef struct {
    const char *x;
    ptrdiff_t step, ahead; /* bytes to the next row, and to what is fetched meanwhile */
    int rows, shifts;      /* shifts: not every M is 0 */
    CE_ALIGN64 real m[VL], top[VL], M[VL], shift[VL], floor[VL];
    CE_ALIGN64 io copy[VL * SHORT_CLASSES]; /* logits, then results, of another type than io */
} short_group;

/* What the terms of a group are reduced to; their e_j, a row every `room`. */
typedef struct {
    ptrdiff_t classes, room;
    vec at[VL]; /* in one lane the class of the maximum, where there is one */
    esum_rows sums;
    CE_ALIGN64 real ties[VL];
    CE_ALIGN64 io e[VL * SHORT_CLASSES];
} short_work;

CE_INLINE const io *short_x(const short_group *h, int i)
{
    return (const io *)(const void *)(h->x + i * h->step);
}

/* The maxima of n classes each, one a lane. The last vec of a row ends with it, and may hold
 * classes that another has: to load a part of a vec takes 0.6 ns a row more. */
CE_ONCE vec short_maxima(const short_group *h, ptrdiff_t n)
{
    vec most[VL];
    for (int i = 0; i < h->rows; i++) {
        const io *x = short_x(h, i);
        vec even = v_load(x + n - VL), odd = even;
        ptrdiff_t j = 0;
        for (; j + 2 * VL < n; j += 2 * VL) {
            even = v_max(even, v_load(x + j));
            odd = v_max(odd, v_load(x + j + VL));
        }
        if (j + VL < n)
            even = v_max(even, v_load(x + j));
        most[i] = v_max(even, odd);
    }
    for (int i = h->rows; i < VL; i++)
        most[i] = v_set1(0);
    return v_max_rows(most);
}

/* Rows from `row` on. */
CE_ONCE void short_read(const ce_job *job, ptrdiff_t row, ptrdiff_t row1, short_group *h)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS];
    h->rows = group_rows(job, row, row1, VL);
    h->x = row_place(job, &job->x, row);
    h->step = job->x.stride[2];
    h->ahead = 2 * h->rows * h->step;
    if (!is_io(&job->x)) {
        widen_rows(job, row, h->rows, h->copy);
        h->ahead += h->x - (const char *)h->copy;
        h->x = (const char *)h->copy;
        h->step = classes * (ptrdiff_t)sizeof(io);
    }
    const vec m = short_maxima(h, classes);
    const reference r = reference_of(m);
    h->shifts = m_any(v_ne(r.M, v_set1(0)));
    v_store_real(h->m, m);
    v_store_real(h->top, finite_top(m));
    v_store_real(h->M, r.M);
    v_store_real(h->shift, r.shift);
    v_store_real(h->floor, r.floor);
}

/* One row, and what its terms are added to; below as in wide.h, class: those of the next vec. */
typedef struct { const io *x; io *e; ptrdiff_t ahead; reference r; vec top; } short_row;
typedef struct { esum s; ptrdiff_t below; vec at, class; } short_sums;

/* `vecs`, a constant, of classes from j on, of the last of which `rest` exist. odd: whether the
 * number of the first vec is. */
CE_INLINE void short_vecs(const short_row *w, short_sums *a, streams *out, ptrdiff_t j, int vecs,
                          int rest, int odd, int shifts, int streamed, int op)
{
    vec x[V_PAIRED], d[V_PAIRED];
    vmask below[V_PAIRED], keep[V_PAIRED];
    product e[V_PAIRED];
    CE_UNROLL
    for (int i = 0; i < vecs; i++) {
        const io *from = w->x + j + i * VL;
        CE_PREFETCH((const char *)from + w->ahead);
        if (streamed)
            streams_step(out, op);
        x[i] = i < vecs - 1 || rest == VL ? v_load(from) : v_load_n(from, rest, -INFINITY);
        d[i] = shifts ? v_sub(x[i], w->r.M) : x[i]; /* the same where M is 0 */
        below[i] = v_ne(x[i], w->top);
        keep[i] = v_nle(d[i], w->r.floor);
    }
    v_exps(d, NULL, w->r.shift, e, vecs);
    CE_UNROLL
    for (int i = 0; i < vecs; i++) {
        esum_add_if(&a->s, (odd + i) & 1, m_and(below[i], keep[i]), e[i]);
        a->below += m_count(below[i]);
        if (op_marks_top(op)) {
            a->at = v_select(below[i], a->at, a->class);
            a->class = v_add(a->class, v_set1(VL));
        }
        if (op_stores_exp(op))
            v_store(w->e + j + i * VL, v_rounded(e[i], keep[i]));
    }
}

CE_INLINE void short_pair(const short_row *w, short_sums *a, streams *out, ptrdiff_t j, int rest,
                          int shifts, int streamed, int op)
{
    if (V_PAIRED > 1) {
        short_vecs(w, a, out, j, V_PAIRED, rest, 0, shifts, streamed, op);
    } else {
        short_vecs(w, a, out, j, 1, VL, 0, shifts, streamed, op);
        short_vecs(w, a, out, j + VL, 1, rest, 1, shifts, streamed, op);
    }
}

CE_INLINE void short_classes(const short_row *w, short_sums *a, streams *out, ptrdiff_t n,
                             int shifts, int streamed, int op)
{
    ptrdiff_t j = 0;
    for (; j + 2 * VL <= n; j += 2 * VL) {
        short_pair(w, a, out, j, VL, shifts, streamed, op);
        if (SETTLE * VL <= SHORT_CLASSES && (j + 2 * VL) % (SETTLE * VL) == 0)
            esum_settle(&a->s);
    }
    const int left = (int)(n - j);
    if (left > VL)
        short_pair(w, a, out, j, left - VL, shifts, streamed, op);
    else if (left == VL)
        short_vecs(w, a, out, j, 1, VL, 0, shifts, streamed, op);
    else if (left > 0)
        short_vecs(w, a, out, j, 1, left, 0, shifts, streamed, op);
}

CE_INLINE void short_terms(const short_group *h, short_work *w, streams *all, int shifts,
                           int streamed, int op)
{
    streams out = streamed ? *all : streams_none(); /* in registers */
    real lane[VL];
    for (int i = 0; i < VL; i++)
        lane[i] = (real)i;
    for (int i = 0; i < h->rows; i++) {
        const short_row row = {short_x(h, i), w->e + i * w->room, h->ahead,
                               {.M = v_set1(h->M[i]), .shift = v_set1(h->shift[i]),
                                .floor = v_set1(h->floor[i])}, v_set1(h->top[i])};
        short_sums a = {esum_zero(), 0, v_set1(-1), v_load_real(lane)};
        short_classes(&row, &a, &out, w->classes, shifts, streamed, op);
        w->ties[i] = (real)(w->room - a.below);
        if (op_marks_top(op))
            w->at[i] = a.at;
        esum_put_row(&w->sums, i, a.s);
    }
    if (streamed)
        *all = out;
}

/* One of each kind for all operations: within theirs GCC 12 keeps less of it in registers. */
#define SHORT_TERMS(name, streamed, op)                                                        \
    CE_ONCE void name(const short_group *h, short_work *w, streams *out)                       \
    {                                                                                          \
        if (h->shifts)                                                                         \
            short_terms(h, w, out, 1, streamed, op);                                           \
        else                                                                                   \
            short_terms(h, w, out, 0, streamed, op);                                           \
    }
SHORT_TERMS(short_sum, 0, CE_LOGSUMEXP)
SHORT_TERMS(short_sum_streamed, 1, CE_LOG_SOFTMAX)
SHORT_TERMS(short_keep, 0, CE_SOFTMAX)
SHORT_TERMS(short_keep_streamed, 1, CE_SOFTMAX)
SHORT_TERMS(short_mark, 0, CE_SPARSE_HESSIAN)
SHORT_TERMS(short_mark_streamed, 1, CE_SPARSE_HESSIAN)

CE_INLINE void short_reduce(const short_group *h, short_work *w, streams *out, int streamed,
                            int op)
{
    if (op_marks_top(op) && streamed)
        short_mark_streamed(h, w, out);
    else if (op_marks_top(op))
        short_mark(h, w, out);
    else if (op_stores_exp(op) && streamed)
        short_keep_streamed(h, w, out);
    else if (op_stores_exp(op))
        short_keep(h, w, out);
    else if (op_has_out(op) && streamed)
        short_sum_streamed(h, w, out);
    else
        short_sum(h, w, out);
}

/* The ends of the rows, as far as their results need them, and their values. */
CE_INLINE void short_end(const ce_job *job, const short_group *h, const short_work *w,
                         const group *g, row_end *z, int op)
{
    const int logs = op == CE_LOG_SOFTMAX || job->value.data;
    z->m = v_load_real(h->m);
    z->ties = v_load_real(w->ties);
    z->s = esum_fold_rows(&w->sums);
    z->e = reference_top(reference_of(z->m));
    row_end_sums(z);
    if (logs) {
        row_end_ratio(z);
        row_end_log(z);
    }
    if (op_stores_exp(op))
        row_end_inverse(z);
    if (job->value.data)
        put_values(job, g, row_value(z, &g->loss, label_logits(g, op), op));
}

/* Results of the rows of a group, `step` bytes apart. */
typedef struct { char *p; ptrdiff_t step; } short_out;

CE_INLINE short_out short_place(const ce_job *job, const ce_array *a, ptrdiff_t first)
{
    return (short_out){row_place(job, a, first), a->stride[2]};
}
CE_INLINE io *short_to(const short_out *out, int i)
{
    return (io *)(void *)(out->p + i * out->step);
}
/* How many classes of row i are stored in whole vecs: the last may reach into the next row, which
 * is written later. */
CE_INLINE ptrdiff_t short_whole(const short_work *w, const short_out *out, int i, int rows)
{
    const int follows = i < rows - 1 && out->step == w->classes * (ptrdiff_t)sizeof(io);
    return follows ? w->room : w->classes / VL * VL;
}

CE_ONCE void short_log_softmax(const short_group *h, const row_end *z, ptrdiff_t classes,
                               short_out out)
{
    const ext L = log1p_of(z);
    real hi[VL], lo[VL];
    v_store_real(hi, x_hi(L));
    v_store_real(lo, x_lo(L));
    for (int i = 0; i < h->rows; i++)
        wide_log_softmax(short_x(h, i), v_set1(h->m[i]), v_set1(hi[i]), v_set1(lo[i]), classes,
                         short_to(&out, i));
}

/* The constants of rows, to be had in every lane. */
typedef struct { real power[VL], hi[VL], lo[VL]; } scale_lanes;

CE_INLINE scale_lanes scales_of(const scale *s)
{
    scale_lanes p;
    v_store_real(p.power, s->power);
    v_store_real(p.hi, s->hi);
    v_store_real(p.lo, s->lo);
    return p;
}
CE_INLINE scale scales_at(const scale_lanes *p, int i)
{
    return (scale){v_set1(p->power[i]), v_set1(p->hi[i]), v_set1(p->lo[i])};
}

CE_ONCE void short_softmax(const short_work *w, const finish *q, int rows, short_out out)
{
    const scale_lanes p = scales_of(&q->p);
    real live[VL];
    v_store_real(live, v_keep(q->live, v_set1(1)));
    for (int i = 0; i < rows; i++) {
        const finish f = {.p = scales_at(&p, i), .live = v_ne(v_set1(live[i]), v_set1(0))};
        const ptrdiff_t n = w->classes, whole = short_whole(w, &out, i, rows);
        const io *e = w->e + i * w->room;
        io *to = short_to(&out, i);
        ptrdiff_t j = 0;
        for (; j < whole; j += VL)
            v_store(to + j, finish_softmax(&f, v_load(e + j)));
        if (j < n)
            v_store_n(to + j, finish_softmax(&f, v_load(e + j)), (int)(n - j));
    }
}

CE_ONCE void short_hessian(const short_work *w, const finish *q, int rows, short_out out,
                           short_out second)
{
    const scale_lanes p = scales_of(&q->p), plain = scales_of(&q->plain), h = scales_of(&q->h);
    real live[VL];
    v_store_real(live, v_keep(q->live, v_set1(1)));
    for (int i = 0; i < rows; i++) {
        const finish f = {.p = scales_at(&p, i), .plain = scales_at(&plain, i),
                          .h = scales_at(&h, i), .live = v_ne(v_set1(live[i]), v_set1(0))};
        const ptrdiff_t n = w->classes;
        const io *e = w->e + i * w->room;
        io *to = short_to(&out, i), *to2 = short_to(&second, i);
        ptrdiff_t j = 0;
        for (; j + VL <= n; j += VL) {
            v_store(to + j, finish_softmax(&f, v_load(e + j)));
            v_store(to2 + j, finish_hessian(&f, v_load(e + j)));
        }
        if (j < n) {
            v_store_n(to + j, finish_softmax(&f, v_load(e + j)), (int)(n - j));
            v_store_n(to2 + j, finish_hessian(&f, v_load(e + j)), (int)(n - j));
        }
    }
}

/* Results that wait as io to where they belong. */
CE_ONCE void short_round(const io *x, ptrdiff_t classes, int rows, ce_type type, short_out to)
{
    const ptrdiff_t size = type_size(type);
    const int adjoin = to.step == classes * size;
    for (int i = 0; i < (adjoin ? 1 : rows); i++)
        unstage(x + i * classes, to.p + i * to.step, size, type, adjoin ? rows * classes : classes);
}

/* From the ends of the rows to their results. */
CE_INLINE void short_finish(const ce_job *job, short_group *h, const short_work *w, const group *g,
                            const row_end *z, int op)
{
    const short_out place = short_place(job, &job->out, g->first);
    const short_out copy = {(char *)h->copy, w->classes * (ptrdiff_t)sizeof(io)};
    const short_out out = is_io(&job->out) ? place : copy;
    finish q;
    exact_entries exact;
    if (op_stores_exp(op)) {
        finish_set(&q, z, &g->gradient, &g->hessian, NULL, op);
        entries_set(&exact, z, g, op);
    }
    if (op == CE_LOG_SOFTMAX)
        short_log_softmax(h, z, w->classes, out);
    else if (op_has_hessian(op))
        short_hessian(w, &q, h->rows, out, short_place(job, &job->hessian, g->first));
    else
        short_softmax(w, &q, h->rows, out);
    if (!is_io(&job->out))
        short_round(h->copy, w->classes, h->rows, job->out.type, place);
    if (op_marks_top(op)) {
        real at[VL];
        v_store_real(at, v_max_rows(w->at));
        for (int i = 0; i < h->rows; i++)
            put_top_entries(job, g, &exact, i, (ptrdiff_t)at[i], op);
    }
    if (op_is_sparse(op))
        put_label_entries(job, g, &exact);
}

/* The next rows are read before these end where nothing else is left to do meanwhile, with a
 * Hessian, whose results take room in the caches, last of all. */
CE_INLINE void short_group_rows(const ce_job *job, ptrdiff_t row, ptrdiff_t row1, short_group *h,
                                short_group *next, short_work *w, streams *out, int streamed,
                                int op)
{
    const int more = row + h->rows < row1, early = !op_has_out(op), late = op_has_hessian(op);
    ce_job near = *job;
    group g;
    row_end z;
    group_set(&g, job, row, h->rows, op);
    short_reduce(h, w, out, streamed, op);
    if (streamed) {
        streams_rest(out, op);
        near.out = waiting_rows(&out->out, job, &job->out, row);
    }
    if (streamed && op_has_hessian(op))
        near.hessian = waiting_rows(&out->hessian, job, &job->hessian, row);
    if (more && early)
        short_read(job, row + h->rows, row1, next);
    short_end(job, h, w, &g, &z, op);
    if (more && !early && !late)
        short_read(job, row + h->rows, row1, next);
    if (op_has_out(op))
        short_finish(&near, h, w, &g, &z, op);
    if (more && late)
        short_read(job, row + h->rows, row1, next);
    if (streamed)
        streams_begin(out, job, row, h->rows, op);
}

CE_INLINE void short_rows(const ce_job *job, ptrdiff_t row0, ptrdiff_t row1, int op)
{
    const int streamed = job_streams(job, op);
    short_group groups[2];
    short_work w;
    streams out = streamed ? streams_in(ce_scratch()) : streams_none();
    w.classes = job->shape[CE_CLASS_AXIS];
    w.room = (w.classes + VL - 1) / VL * VL;
    memset(&w.sums, 0, sizeof w.sums); /* lanes without a row end too */
    memset(w.at, 0, sizeof w.at);
    for (int i = 0; i < VL; i++)
        w.ties[i] = 1;
    short_read(job, row0, row1, groups);
    for (ptrdiff_t row = row0, turn = 0; row < row1; turn = 1 - turn) {
        short_group *h = groups + turn;
        short_group_rows(job, row, row1, h, groups + 1 - turn, &w, &out, streamed, op);
        row += h->rows;
    }
    if (streamed)
        streams_end(&out, op);
}
