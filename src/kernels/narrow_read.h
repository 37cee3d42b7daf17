/* A group of VL rows, one a lane, all of whose classes fit a buffer: what narrow.h and plain.h, which
 * compute in two precisions, have in common. */

/* Below this many classes rows are taken VL at a time, where that and wide.h are equally fast; from
 * here on only those whose classes do not adjoin. Both ways give the same bits. */
#define WIDE_CLASSES 128
#define NARROW_CLASSES 240
#define NARROW_ROOM (NARROW_CLASSES + VT) /* strips are loaded and stored by VT classes */

#define NARROW_GROUPS 8    /* at most so many together, */
#define NARROW_TOGETHER 32 /* of so many classes in all, but two groups wherever they fit */

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

/* Read a group of rows; their maxima. */
CE_INLINE void narrow_read(const ce_job *job, columns *a, narrow_work *w, int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS];
    strip_move(&a->x, w->g.first, w->g.n);
    strip_load(&a->x, 0, (int)classes, -INFINITY, w->x);
    vec m = w->x[0], found = w->x[0], class = v_set1(0);
    if (op_is_dense(op)) {
        strip_move(&a->y, w->g.first, w->g.n);
        strip_load(&a->y, 0, (int)classes, 0, w->y);
    }
    if (op_is_sparse(op)) {
        real label[VL];
        read_labels(job, &w->g);
        for (int i = 0; i < VL; i++)
            label[i] = (real)w->g.label[i];
        w->label = v_load_real(label);
    }
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
