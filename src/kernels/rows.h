/* What the kernels of rows share around the classes: labels, weights, values. */

/* The rows of one group. Lanes without a row hold label 0 and the weight of the first row: a row
 * of several blocks is alone in its group, and its classes take every lane. */
typedef struct {
    ptrdiff_t first;
    int n;
    ptrdiff_t label[VL];
    real x_label[VL];
    weights loss, gradient, hessian;
} group;

/* The weights of a group from those of its loss, W 2^k with W in [1/2, 1), or 0. Gradients and
 * Hessians are divided by the denominator too, Hessians multiplied by their factor. */
CE_ONCE void weigh_all(const ce_job *job, group *g, weights loss)
{
    int k;
    const double d = frexp(job->denominator, &k);
    const weights gradient = {x_div(loss.W, x_double(d)), v_sub(loss.k, v_set1((real)k)), loss.live,
                              loss.unit && job->denominator == 1.0};
    const double f = frexp(job->hessian_factor, &k);
    g->loss = loss;
    g->gradient = gradient;
    g->hessian = (weights){x_mul(gradient.W, x_double(f)), v_add(gradient.k, v_set1((real)k)),
                           loss.live, gradient.unit && job->hessian_factor == 1.0};
}

/* Rows without weights: the same for every group. */
CE_INLINE void weigh_evenly(const ce_job *job, group *g)
{
    if (job->denominator == 1.0 && job->hessian_factor == 1.0) { /* the common case, quickly */
        g->loss.W = g->gradient.W = g->hessian.W = x_double(1.0);
        g->loss.k = g->gradient.k = g->hessian.k = v_set1(0);
        g->loss.live = g->gradient.live = g->hessian.live = v_everywhere();
        g->loss.unit = g->gradient.unit = g->hessian.unit = 1;
        return;
    }
    weigh_all(job, g, (weights){x_double(0.5), v_set1(1), v_everywhere(), 1});
}

/* Of the rows of a group; lanes without a row hold that of the first. */
CE_INLINE void read_weights(const ce_job *job, const group *g, double *w)
{
    const ce_array *a = &job->weight;
    const char *p = row_place(job, a, g->first);
    const ptrdiff_t step = a->stride[2];
    if (a->type == CE_F32 && g->n == VL && step == (ptrdiff_t)sizeof(float)) {
        float v[VL];
        memcpy(v, p, sizeof v);
        for (int i = 0; i < VL; i++)
            w[i] = (double)v[i];
        return;
    }
    for (int i = 0; i < VL; i++)
        w[i] = load_any(p + (i < g->n ? i : 0) * step, a->type);
}

/* frexp by the bits, but for weights of 0, subnormal ones and infinity. */
CE_INLINE void split_weights(const double *w, double *mantissa, real *power)
{
    const uint64_t below = (UINT64_C(1) << 52) - 1, half = UINT64_C(0x3FE) << 52;
    uint64_t bits[VL];
    int rare = 0;
    memcpy(bits, w, sizeof bits);
    for (int i = 0; i < VL; i++) {
        const uint64_t fraction = (bits[i] & below) | half;
        const int exponent = (int)(bits[i] >> 52);
        memcpy(mantissa + i, &fraction, sizeof fraction);
        power[i] = (real)(exponent - 0x3FE);
        rare |= exponent == 0 || exponent == 0x7FF;
    }
    for (int i = 0; i < VL && rare; i++) {
        int k = 0;
        mantissa[i] = frexp(w[i], &k);
        power[i] = (real)k;
    }
}

CE_ONCE void weigh_rows(const ce_job *job, group *g)
{
    double w[VL], mantissa[VL];
    real power[VL], live[VL];
    read_weights(job, g, w);
    split_weights(w, mantissa, power);
    for (int i = 0; i < VL; i++)
        live[i] = w[i] != 0.0;
    weigh_all(job, g, (weights){x_doubles(mantissa), v_load_real(power),
                                v_ne(v_load_real(live), v_set1(0)), 0});
}

#define LABELS_OF(type)                                                                        \
    if (g->n == VL && step == (ptrdiff_t)sizeof(type)) { /* one conversion of vectors */       \
        type y[VL];                                                                            \
        memcpy(y, p, sizeof y);                                                                \
        for (int i = 0; i < VL; i++)                                                           \
            g->label[i] = (ptrdiff_t)y[i];                                                     \
        break;                                                                                 \
    }                                                                                          \
    for (int i = 0; i < g->n; i++) {                                                           \
        type y;                                                                                \
        memcpy(&y, p + i * step, sizeof y);                                                    \
        g->label[i] = (ptrdiff_t)y;                                                            \
    }                                                                                          \
    break;

CE_ONCE void read_labels(const ce_job *job, group *g)
{
    const char *p = job->labels.data + row_offset(&job->labels, job->shape, g->first);
    const ptrdiff_t step = job->labels.stride[2];
    switch (job->labels.type) {
    case CE_F32: LABELS_OF(float)
    case CE_F64: LABELS_OF(double)
    case CE_I8: LABELS_OF(int8_t)
    case CE_I16: LABELS_OF(int16_t)
    case CE_I32: LABELS_OF(int32_t)
    case CE_I64: LABELS_OF(int64_t)
    case CE_U8: LABELS_OF(uint8_t)
    case CE_U16: LABELS_OF(uint16_t)
    case CE_U32: LABELS_OF(uint32_t)
    case CE_U64: LABELS_OF(uint64_t)
    case CE_F16:
    case CE_BF16:
        for (int i = 0; i < g->n; i++)
            g->label[i] = (ptrdiff_t)load_any(p + i * step, job->labels.type);
    }
}

CE_INLINE void group_set(group *g, const ce_job *job, ptrdiff_t first, int n, int op)
{
    g->first = first;
    g->n = n;
    if (op_is_sparse(op)) {
        const char *x = job->x.data + row_offset(&job->x, job->shape, first);
        const ptrdiff_t step = job->x.stride[2], stride = job->x.stride[CE_CLASS_AXIS];
        read_labels(job, g);
        for (int i = n; i < VL; i++)
            g->x_label[i] = 0;
        for (int i = 0; i < n && is_io(&job->x); i++) {
            io v;
            memcpy(&v, x + i * step + g->label[i] * stride, sizeof v);
            g->x_label[i] = (real)v;
        }
        for (int i = 0; i < n && !is_io(&job->x); i++)
            g->x_label[i] = (real)load_any(x + i * step + g->label[i] * stride, job->x.type);
    }
    if (job->weight.data)
        weigh_rows(job, g);
    else
        weigh_evenly(job, g);
}

CE_INLINE void put_values(const ce_job *job, const group *g, vec value)
{
    char *p = job->value.data + row_offset(&job->value, job->shape, g->first);
    const ptrdiff_t step = job->value.stride[2];
    if (step == (ptrdiff_t)sizeof(io)) {
        if (g->n == VL)
            v_store((io *)p, value);
        else
            v_store_n((io *)p, value, g->n);
        return;
    }
    io v[VL];
    v_store(v, value);
    for (int i = 0; i < g->n; i++)
        memcpy(p + i * step, &v[i], sizeof(io));
}

/* The value of a row: log-sum-exp or loss. */
CE_INLINE vec row_value(const row_end *z, const weights *w, vec x_label, int op)
{
    return op_is_dense(op)    ? row_dense_loss(z, w)
           : op_is_sparse(op) ? row_sparse_loss(z, x_label, w)
                              : row_logsumexp(z);
}
CE_INLINE vec label_logits(const group *g, int op)
{
    return op_is_sparse(op) ? v_load_real(g->x_label) : v_set1(0);
}

/* Entries of gradient and Hessian that the row's end knows better than its e_j. */
typedef struct {
    io label_gradient[VL];              /* sparse labels: at the label */
    io top_gradient[VL], top_hessian[VL];/* dense labels, Hessian: at a single maximum */
    int single[VL];
} exact_entries;

CE_INLINE void entries_set(exact_entries *x, const row_end *z, const group *g, int op)
{
    if (op_marks_top(op)) {
        real ties[VL];
        v_store_real(ties, z->ties);
        for (int i = 0; i < VL; i++)
            x->single[i] = ties[i] == 1;
    }
    if (op_is_sparse(op))
        v_store(x->label_gradient,
                row_label_gradient(z, v_load_real(g->x_label), &g->gradient));
    if (op_is_dense(op))
        v_store(x->top_gradient, row_top_gradient(z, &g->gradient));
    if (op_has_hessian(op))
        v_store(x->top_hessian, row_top_hessian(z, &g->hessian, op_is_dense(op)));
}

/* Sparse labels: their entries of the gradient, for all rows of the group. */
CE_INLINE void put_label_entries(const ce_job *job, const group *g, const exact_entries *x)
{
    char *out = job->out.data + row_offset(&job->out, job->shape, g->first);
    const ptrdiff_t step = job->out.stride[2], stride = job->out.stride[CE_CLASS_AXIS];
    if (is_io(&job->out))
        for (int i = 0; i < g->n; i++)
            memcpy(out + i * step + g->label[i] * stride, &x->label_gradient[i], sizeof(io));
    else
        for (int i = 0; i < g->n; i++)
            put(out + i * step + g->label[i] * stride, job->out.type, x->label_gradient[i]);
}

/* The entries at a single maximum, which stands at class `at`, for the row in lane i. */
CE_INLINE void put_top_entries(const ce_job *job, const group *g, const exact_entries *x, int i,
                               ptrdiff_t at, int op)
{
    const ptrdiff_t row = g->first + i;
    if (!x->single[i])
        return;
    if (op_is_dense(op)) {
        char *out = job->out.data + row_offset(&job->out, job->shape, row);
        put(out + at * job->out.stride[CE_CLASS_AXIS], job->out.type, x->top_gradient[i]);
    }
    if (op_has_hessian(op)) {
        char *hessian = job->hessian.data + row_offset(&job->hessian, job->shape, row);
        put(hessian + at * job->hessian.stride[CE_CLASS_AXIS], job->hessian.type,
            x->top_hessian[i]);
    }
}

/* Rows from `row` on that one group may hold: at most VL, before row1, and a step apart. */
CE_INLINE int group_rows(const ce_job *job, ptrdiff_t row, ptrdiff_t row1, ptrdiff_t most)
{
    const ptrdiff_t run = row < job->shape[2] ? job->shape[2] - row
                                              : job->shape[2] - row % job->shape[2];
    const ptrdiff_t n = run < row1 - row ? run : row1 - row;
    return (int)(n < most ? n : most);
}
