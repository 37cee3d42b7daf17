/* What the vertical and the wide kernel share around the classes: labels, weights, values. */

/* The rows of one group; lanes without a row hold a harmless label and weight 1. */
typedef struct {
    ptrdiff_t first;
    int n;
    ptrdiff_t label[VL];
    real x_label[VL];
    weights loss, gradient;
} group;

/* W 2^k = w with W in [1/2, 1); gradients and Hessians are divided by the denominator as well. */
CE_ONCE void weigh(const ce_job *job, group *g)
{
    double mantissa[VL];
    real power[VL], live[VL];
    for (int i = 0; i < VL; i++) {
        int k = 0;
        const ptrdiff_t row = g->first + (i < g->n ? i : 0);
        const char *p = job->weight.data + row_offset(&job->weight, job->shape, row);
        const double w = job->weight.data ? load_any(p, job->weight.type) : 1.0;
        mantissa[i] = frexp(w, &k);
        power[i] = (real)k;
        live[i] = w != 0.0;
    }
    int k;
    const double d = frexp(job->denominator, &k);
    const vec exponent = v_load_real(power);
    const vmask some = v_ne(v_load_real(live), v_set1(0));
    g->loss = (weights){x_doubles(mantissa), exponent, some};
    g->gradient = (weights){x_div(g->loss.W, x_double(d)),
                            v_sub(exponent, v_set1((real)k)), some};
}

CE_ONCE group group_of(const ce_job *job, ptrdiff_t first, int n, int op)
{
    group g;
    g.first = first;
    g.n = n;
    for (int i = 0; i < VL; i++) {
        const ptrdiff_t row = first + (i < n ? i : 0);
        g.label[i] = 0;
        g.x_label[i] = 0;
        if (op_is_sparse(op)) {
            const char *x = job->x.data + row_offset(&job->x, job->shape, row);
            io v;
            g.label[i] = (ptrdiff_t)load_any(
                job->labels.data + row_offset(&job->labels, job->shape, row), job->labels.type);
            memcpy(&v, x + g.label[i] * job->x.stride[CE_CLASS_AXIS], sizeof v);
            g.x_label[i] = (real)v;
        }
    }
    g.loss = (weights){x_double(1.0), v_set1(0), v_everywhere()};
    g.gradient = g.loss;
    if (job->weight.data || job->denominator != 1.0)
        weigh(job, &g);
    return g;
}

CE_ONCE void put_values(const ce_job *job, const group *g, vec value)
{
    io v[VL];
    v_store(v, value);
    for (int i = 0; i < g->n; i++)
        memcpy(job->value.data + row_offset(&job->value, job->shape, g->first + i), &v[i],
               sizeof(io));
}

/* The value of a row: log-sum-exp or loss. */
CE_ONCE vec row_value(const row_end *z, const group *g, int op)
{
    if (op == CE_LOGSUMEXP)
        return row_logsumexp(z);
    return op_is_dense(op) ? row_dense_loss(z, &g->loss)
                           : row_sparse_loss(z, v_load_real(g->x_label), &g->loss);
}

/* Entries of gradient and Hessian that the row's end knows better than its e_j. */
typedef struct {
    io label_gradient[VL];              /* sparse labels: at the label */
    io top_gradient[VL], top_hessian[VL];/* dense labels, Hessian: at a single maximum */
    int single[VL];
} exact_entries;

CE_ONCE exact_entries entries_of(const row_end *z, const group *g, int op)
{
    exact_entries x;
    real ties[VL];
    v_store_real(ties, z->ties);
    for (int i = 0; i < VL; i++)
        x.single[i] = ties[i] == 1;
    if (op_is_sparse(op))
        v_store(x.label_gradient,
                row_label_gradient(z, v_load_real(g->x_label), &g->gradient));
    if (op_is_dense(op))
        v_store(x.top_gradient, row_top_gradient(z, &g->gradient));
    if (op_has_hessian(op))
        v_store(x.top_hessian, row_top_hessian(z, &g->gradient, op_is_dense(op)));
    return x;
}

/* Write them for the row in lane i, whose maximum stands at class `at`. */
CE_ONCE void put_entries(const ce_job *job, const group *g, const exact_entries *x, int i,
                           ptrdiff_t at, int op)
{
    const ptrdiff_t row = g->first + i;
    char *out = job->out.data + row_offset(&job->out, job->shape, row);
    if (op_is_sparse(op))
        memcpy(out + g->label[i] * job->out.stride[CE_CLASS_AXIS], &x->label_gradient[i],
               sizeof(io));
    if (op_is_dense(op) && x->single[i])
        memcpy(out + at * job->out.stride[CE_CLASS_AXIS], &x->top_gradient[i], sizeof(io));
    if (op_has_hessian(op) && x->single[i]) {
        char *hessian = job->hessian.data + row_offset(&job->hessian, job->shape, row);
        memcpy(hessian + at * job->hessian.stride[CE_CLASS_AXIS], &x->top_hessian[i], sizeof(io));
    }
}
