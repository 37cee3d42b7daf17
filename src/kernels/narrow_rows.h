/* A group of VL rows, one a lane, all of whose classes fit a buffer: what narrow.h, few.h and
 * plain.h, which compute in three ways, have in common. */

/* Below this many classes rows that short.h does not take are taken VL at a time; from here on only
 * those whose classes do not adjoin. Both ways give the same bits. */
#define WIDE_CLASSES 128
#define NARROW_CLASSES 240
#define NARROW_ROOM (NARROW_CLASSES + VT) /* strips are loaded and stored by VT classes */

/* So many together of two or three classes (sorted.h); one with dense labels: their code is long. */
#define SORTED_GROUPS V_SORTED
#define NARROW_GROUPS 8    /* else at most so many, */
#define NARROW_TOGETHER 64 /* of so many classes in all, but two groups wherever they fit */

/* How the terms of a row are added up: narrow.h, plain.h, few.h and, of two or three, there too. */
typedef enum { NARROW_PAIRS, NARROW_PLAIN, NARROW_FEW, NARROW_SORTED } narrow_way;

/* Sums of classes that are equal modulo VL, side by side. */
typedef struct { esum s[VL]; dsum gap[VL], tiny[VL], others[VL], top[VL]; } narrow_sums;

typedef struct {
    group g;
    vec *x, *y, *hessian; /* the classes: logits, then e_j, then the result; labels; Hessian */
    vec label, x_label;
    vec at;               /* where the single maximum is, else -1 */
    narrow_sums sums;
    row_end z;
    vec s, inverse;       /* of plain.h: the sum without one maximum, 1/(1 + s) */
} narrow_work;

CE_INLINE vec narrow_labels(const ce_job *job, group *g)
{
    const ce_array *a = &job->labels;
    real label[VL];
    if (a->type == CE_I64 && a->stride[2] == (ptrdiff_t)sizeof(int64_t) && g->n == VL)
        return v_load_classes(row_place(job, a, g->first)); /* the common case, quickly */
    read_labels(job, g);
    for (int i = 0; i < VL; i++)
        label[i] = (real)g->label[i];
    return v_load_real(label);
}

/* Read a group of rows; their maxima. */
CE_INLINE void narrow_read(const ce_job *job, columns *a, narrow_work *w, ptrdiff_t classes,
                           narrow_way way, int op)
{
    strip_move(&a->x, w->g.first, w->g.n);
    strip_load_all(&a->x, classes, -INFINITY, w->x, way == NARROW_SORTED);
    vec m = w->x[0], found = w->x[0], class = v_set1(0);
    if (op_is_dense(op)) {
        strip_move(&a->y, w->g.first, w->g.n);
        strip_load_all(&a->y, classes, 0, w->y, way == NARROW_SORTED);
    }
    if (op_is_sparse(op))
        w->label = narrow_labels(job, &w->g);
    for (ptrdiff_t k = 1; k < classes; k++) {
        m = v_max(m, w->x[k]);
        if (op_is_sparse(op)) {
            class = v_add(class, v_set1(1));
            found = v_select(v_eq(w->label, class), w->x[k], found);
        }
    }
    w->x_label = found;
    w->z.m = m;
}

/* What memory does beside the terms of class k: a burst would wait. */
CE_INLINE void narrow_traffic(const columns *a, streams *out, ptrdiff_t ahead, ptrdiff_t k, int op)
{
    streams_step(out, op);
    strip_prefetch(&a->x, ahead, k);
    if (op_is_dense(op))
        strip_prefetch(&a->y, ahead, k);
}

/* What the results are made of, those among them included that the row's end knows exactly: at
 * sparse labels, and at a single maximum. */
typedef struct {
    finish each;
    vec m, log, log_lo;
    vec label, top, top_hessian;
} narrow_results;

/* From e_j to the results, or from the logits to log-softmax. */
CE_INLINE void narrow_write(columns *a, const narrow_work *w, const narrow_results *q,
                            ptrdiff_t classes, ptrdiff_t ahead, narrow_way way, int op)
{
    vec class = v_set1(0);
    strip_move(&a->out, w->g.first, w->g.n);
    if (op_has_hessian(op))
        strip_move(&a->hessian, w->g.first, w->g.n);
    for (ptrdiff_t k = 0; k < classes; k++) {
        const vec e = w->x[k];
        strip_prefetch(&a->out, ahead, k);
        if (op_has_hessian(op))
            strip_prefetch(&a->hessian, ahead, k);
        if (op == CE_LOG_SOFTMAX)
            w->x[k] = finish_log_softmax(q->m, q->log, q->log_lo, e);
        else if (op_is_dense(op))
            w->x[k] = v_select(v_eq(w->at, class), q->top, finish_dense(&q->each, e, w->y[k]));
        else if (op_is_sparse(op))
            w->x[k] = v_select(v_eq(w->label, class), q->label, finish_softmax(&q->each, e));
        else
            w->x[k] = finish_softmax(&q->each, e);
        if (op_has_hessian(op))
            w->hessian[k] = v_select(v_eq(w->at, class), q->top_hessian,
                                     finish_hessian(&q->each, e));
        if (op_has_gradient(op))
            class = v_add(class, v_set1(1));
    }
    strip_store_all(&a->out, classes, w->x, way == NARROW_SORTED);
    if (op_has_hessian(op))
        strip_store_all(&a->hessian, classes, w->hessian, way == NARROW_SORTED);
}
