/* Element by element: sigmoid, log-sigmoid, softplus and the sigmoid cross-entropy.
 *
 * Elements are numbered in C order. They are taken in runs along the last axis, each at most
 * CE_STAGE long; an array that is not contiguous there is copied to and from the run. No element
 * depends on another, so the bits depend on neither run nor lane.
 */

CE_INLINE int op_has_value(int op)
{
    return op == CE_SIGMOID_LOSS || op == CE_SIGMOID_GRADIENT || op == CE_SIGMOID_HESSIAN;
}

/* The arrays of one run, contiguous. weight is NULL without weights, value without a value. */
typedef struct {
    const io *x, *y, *weight;
    io *value, *out, *hessian;
    const unsigned char *bits; /* of the labels, if they are packed: the run's from number `first` on */
    ptrdiff_t first;
    int streamed; /* out and hessian begin with a line, and go past the caches */
} each_run;

CE_INLINE vec load_labels(const each_run *r, ptrdiff_t j, int n, int packed)
{
    return packed ? labels_of_bits(r->bits, r->first + j) : load_run(r->y + j, n, 0);
}

/* Into out or hessian. */
CE_INLINE void store_result(const each_run *r, io *p, vec a, int n)
{
    if (n == VL && V_STREAMS && r->streamed)
        v_stream(p, a);
    else
        store_run(p, a, n);
}

/* weight/denominator as a pair; live is false where the weight is 0. */
typedef struct { vec hi, lo; vmask live; } each_weight;

CE_INLINE each_weight each_weight_of(const each_run *r, ptrdiff_t j, int n, real denominator)
{
    const vec d = v_set1(denominator);
    const vec w = r->weight ? load_run(r->weight + j, n, 1) : v_set1(1);
    const vec q = v_div(w, d);
    return (each_weight){q, v_div(v_nfma(q, d, w), d), v_ne(w, v_set1(0))};
}

CE_INLINE vec each_weighted(result a, const each_weight *w, int weighs)
{
    return weighs ? v_keep(w->live, result_weighted(a, w->hi, w->lo)) : a.value;
}

CE_INLINE int op_has_sides(int op)
{
    return op == CE_SIGMOID || op == CE_SIGMOID_GRADIENT || op == CE_SIGMOID_HESSIAN;
}

CE_INLINE void each_labelled(const each_run *r, ptrdiff_t j, int n, const sigmoid_parts *p,
                             const ce_job *job, int weighs, int packed, int op)
{
    const vec x = load_run(r->x + j, n, 0), y = load_labels(r, j, n, packed);
    const each_weight none = {x, x, v_eq(x, x)};
    if (r->value) {
        const each_weight w = weighs ? each_weight_of(r, j, n, 1) : none;
        store_run(r->value + j, each_weighted(sigmoid_loss_of(x, y, p), &w, weighs), n);
    }
    if (op == CE_SIGMOID_LOSS)
        return;
    const each_weight g = weighs ? each_weight_of(r, j, n, (real)job->denominator) : none;
    store_result(r, r->out + j, each_weighted(sigmoid_gradient_of(x, y, p), &g, weighs), n);
    if (op == CE_SIGMOID_HESSIAN)
        store_result(r, r->hessian + j, each_weighted(sigmoid_hessian_of(p), &g, weighs), n);
}
CE_INLINE void each_unlabelled(const each_run *r, ptrdiff_t j, int n, const sigmoid_parts *p,
                               int op)
{
    const vec x = load_run(r->x + j, n, 0), side = op == CE_LOG_SIGMOID ? v_neg(x) : x;
    const vec a = op == CE_SIGMOID ? sigmoid_of(side, p) : softplus_of(side, p);
    store_result(r, r->out + j, op == CE_LOG_SIGMOID ? v_neg(a) : a, n);
}

/* `vecs`, a constant, of n elements each from j on. The operations on one vec wait for each other, so
 * that V_TOGETHER take a step after the other, V_ABREAST each operation together; unrolled, as loops
 * of eight turns are predicted by luck (AVX-512, float32, gradient and Hessian: 0.30 ns an element,
 * unrolled 0.25). */
CE_INLINE void each_vecs(const each_run *r, ptrdiff_t j, ptrdiff_t vecs, int n, const ce_job *job,
                         int weighs, int packed, int op)
{
    sigmoid_parts p[V_TOGETHER];
    pair e[V_TOGETHER], log[V_TOGETHER];
    vec x[V_TOGETHER];
    const int logs = op_has_value(op) ? r->value != NULL : op != CE_SIGMOID;
    const int step = vecs < V_ABREAST ? (int)vecs : V_ABREAST;
    V_UNROLL
    for (ptrdiff_t i = 0; i < vecs; i++)
        x[i] = load_run(r->x + j + i * VL, n, 0);
    V_UNROLL
    for (ptrdiff_t i = 0; i < vecs; i += step) {
        biased_exps(x + i, e + i, step);
        if (logs)
            sigmoid_logs(e + i, log + i, step);
    }
    V_UNROLL
    for (ptrdiff_t i = 0; i < vecs; i++) {
        p[i].biased = e[i];
        if (op_has_sides(op))
            p[i].lower = sigmoid_lower(e[i]);
        if (logs)
            p[i].log = log[i];
    }
    V_UNROLL
    for (ptrdiff_t i = 0; i < vecs; i++)
        if (op_has_value(op))
            each_labelled(r, j + i * VL, n, p + i, job, weighs, packed, op);
        else
            each_unlabelled(r, j + i * VL, n, p + i, op);
}

CE_INLINE void each_all(const each_run *r, ptrdiff_t n, const ce_job *job, int weighs, int packed,
                        int op)
{
    ptrdiff_t j = 0;
    for (; j + V_TOGETHER * VL <= n; j += V_TOGETHER * VL)
        each_vecs(r, j, V_TOGETHER, VL, job, weighs, packed, op);
    for (; j + VL <= n; j += VL)
        each_vecs(r, j, 1, VL, job, weighs, packed, op);
    if (j < n)
        each_vecs(r, j, 1, (int)(n - j), job, weighs, packed, op);
}

/* Derivatives of a plain job (plain.h). */
CE_INLINE void each_plain_vec(const each_run *r, ptrdiff_t j, int n, const ce_job *job, int weighs,
                              int op)
{
    const vec x = load_run(r->x + j, n, 0), y = load_run(r->y + j, n, 0), one = v_set1(1);
    const vec w = r->weight ? load_run(r->weight + j, n, 1) : one;
    const vec weight = weighs ? v_div(w, v_set1((real)job->denominator)) : one;
    const plain_pair p = plain_sigmoid(x, y, weight);
    store_run(r->out + j, p.gradient, n);
    if (op == CE_SIGMOID_HESSIAN)
        store_run(r->hessian + j, p.hessian, n);
}
CE_INLINE void each_plain(const each_run *r, ptrdiff_t n, const ce_job *job, int weighs, int op)
{
    ptrdiff_t j = 0;
    for (; j + VL <= n; j += VL)
        each_plain_vec(r, j, VL, job, weighs, op);
    if (j < n)
        each_plain_vec(r, j, (int)(n - j), job, weighs, op);
}

CE_INLINE char *each_place(const ce_array *a, const ce_job *job, ptrdiff_t row, ptrdiff_t column)
{
    return a->data + row_offset(a, job->shape, row) + column * a->stride[CE_CLASS_AXIS];
}

/* Where the results of a run go: to their place if it is contiguous, else to a copy. */
CE_INLINE io *each_target(const ce_array *a, const ce_job *job, ptrdiff_t row, ptrdiff_t column,
                          io *copy)
{
    if (!a->data)
        return NULL;
    return is_io(a) && a->stride[CE_CLASS_AXIS] == (ptrdiff_t)sizeof(io)
               ? (io *)each_place(a, job, row, column)
               : copy;
}
CE_INLINE void each_unstage(const ce_array *a, const ce_job *job, ptrdiff_t row, ptrdiff_t column,
                            ptrdiff_t n, const io *target, const io *copy)
{
    if (target == copy)
        unstage(copy, each_place(a, job, row, column), a->stride[CE_CLASS_AXIS], a->type, n);
}
CE_INLINE const io *each_source(const ce_array *a, const ce_job *job, ptrdiff_t row,
                                ptrdiff_t column, ptrdiff_t n, io *copy)
{
    if (!a->data)
        return NULL;
    return stage(each_place(a, job, row, column), a->stride[CE_CLASS_AXIS], a->type, n, copy);
}

/* Two arrays of results only if their lines begin at the same elements. */
CE_INLINE int each_streams(const ce_job *job, int op)
{
    const ptrdiff_t least = op_has_value(op) ? STREAM_LABELLED_BYTES : STREAM_BYTES;
    return V_STREAMS && op != CE_SIGMOID_LOSS && array_streams(job, &job->out, least) &&
           (op != CE_SIGMOID_HESSIAN ||
            (array_streams(job, &job->hessian, least) &&
             stream_phase(job->out.data) == stream_phase(job->hessian.data)));
}

CE_INLINE void each_elements(const ce_job *job, ptrdiff_t first, ptrdiff_t last, int op)
{
    const ptrdiff_t length = job->shape[CE_CLASS_AXIS];
    const int weighs = job->weight.data != NULL || job->denominator != 1.0;
    const int streamed = each_streams(job, op), plain = job_is_plain(job, op);
    while (first < last) {
        io x[CE_STAGE], y[CE_STAGE], w[CE_STAGE], value[CE_STAGE], out[CE_STAGE], h[CE_STAGE];
        const ptrdiff_t row = first / length, column = first % length;
        ptrdiff_t n = length - column < last - first ? length - column : last - first;
        n = n < CE_STAGE ? n : CE_STAGE;
        const ptrdiff_t phase =
            streamed ? stream_phase(each_place(&job->out, job, row, column)) : 0;
        if (phase > 0 && n > VL - phase)
            n = VL - phase; /* the next run begins with a line */
        const int packed = first + n <= job->packed_labels && !plain;
        const each_run r = {each_source(&job->x, job, row, column, n, x),
                            packed ? NULL : each_source(&job->labels, job, row, column, n, y),
                            each_source(&job->weight, job, row, column, n, w),
                            each_target(&job->value, job, row, column, value),
                            each_target(&job->out, job, row, column, out),
                            each_target(&job->hessian, job, row, column, h),
                            job->label_bits, first, streamed && phase == 0};
        if (packed && op_has_value(op))
            each_all(&r, n, job, weighs, 1, op);
        else if (plain)
            each_plain(&r, n, job, weighs, op);
        else
            each_all(&r, n, job, weighs, 0, op);
        if (op_has_value(op))
            each_unstage(&job->value, job, row, column, n, r.value, value);
        if (op != CE_SIGMOID_LOSS)
            each_unstage(&job->out, job, row, column, n, r.out, out);
        if (op == CE_SIGMOID_HESSIAN)
            each_unstage(&job->hessian, job, row, column, n, r.hessian, h);
        first += n;
    }
}
