/* Rows of several blocks whose classes lie side by side: each on its own, one block a lane. Its
 * blocks may be reduced and finished by different threads, between which only block_state passes.
 */

/* A row of more blocks: what its phases pass on. */
typedef struct {
    blocks part[MAX_BLOCKS / VL];
    row_end z;
    group g;
    exact_entries exact;
    ptrdiff_t top; /* class of the maximum */
    streams out;
    io *kept;      /* the row's e_j, if no output holds them and one thread has the row, or NULL */
    int is_direct; /* nothing holds them: direct.h */
} block_state;

CE_INLINE io *block_store(const ce_job *job, ptrdiff_t row, ptrdiff_t from, const block_state *s)
{
    return s->is_direct ? NULL : row_store(job, row, from, s->kept ? s->kept + from : NULL);
}

/* The label's logit is read before out, which may be the logits, is written. */
CE_INLINE void wide_begin(const ce_job *job, ptrdiff_t row, block_state *s, int op)
{
    group_set(&s->g, job, row, 1, op);
    s->is_direct = !s->out.out.waiting && job_is_direct(job, op);
}

/* Blocks [b, end), together at most VL. */
CE_INLINE void wide_reduce_blocks(const ce_job *job, ptrdiff_t row, ptrdiff_t b, ptrdiff_t end,
                                  block_state *s, int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS], size = block_size(classes);
    const ptrdiff_t ahead = (end - b) * size;
    CE_ALIGN64 io copy[CE_BLOCK];
    logit_run x[VL];
    real m[VL];
    for (ptrdiff_t i = 0; i < end - b; i++) {
        const ptrdiff_t from = (b + i) * size;
        x[i] = row_x(job, row, from, block_end(classes, from) - from);
        m[i] = wide_max_of(x + i, copy); /* of another type than io there is one block */
    }
    for (ptrdiff_t i = 0; i < end - b; i++) {
        const ptrdiff_t from = (b + i) * size;
        const char *next = row_x(job, row, from, 0).p + ahead * type_size(job->x.type);
        const wide_part w = {x[i], labels_at(job, row, from), next - x[i].p,
                             ahead * job->labels.stride[CE_CLASS_AXIS], m[i],
                             block_store(job, row, from, s), &s->out};
        wide_block(&w, s->part + (b + i) / VL, (int)((b + i) % VL), op);
    }
}
CE_INLINE void wide_reduce(const ce_job *job, ptrdiff_t row, ptrdiff_t b, ptrdiff_t end,
                           block_state *s, int op)
{
    const int together = wide_together(job, block_size(job->shape[CE_CLASS_AXIS]));
    for (ptrdiff_t n; b < end; b += n) {
        n = end - b < together ? end - b : together;
        wide_reduce_blocks(job, row, b, b + n, s, op);
    }
}

/* The shares of VL blocks at a time, then lane by lane in the order of the blocks. */
CE_ONCE totals wide_totals(const block_state *s, ptrdiff_t count, real m, int dense)
{
    totals t = {v_set1(m), v_set1(0), x_zero(), x_zero(), x_zero(), x_zero(), x_zero()};
    for (ptrdiff_t first = 0; first < count; first += VL) {
        const totals share = block_share(s->part + first / VL, v_set1(m), dense);
        CE_ALIGN64 real ties[VL];
        xlanes sum, gap, tiny, others, top;
        v_store_real(ties, share.ties);
        x_store(&sum, share.s);
        x_store(&gap, share.gap);
        x_store(&tiny, share.tiny);
        x_store(&others, share.others);
        x_store(&top, share.top);
        for (int i = 0; i < VL && first + i < count; i++) {
            const totals one = {t.m, v_set1(ties[i]), x_load1(&sum, i), x_load1(&gap, i),
                                x_load1(&tiny, i), x_load1(&others, i), x_load1(&top, i)};
            t = add_share(t, one, dense);
        }
    }
    return t;
}

CE_ONCE void wide_merge(const ce_job *job, block_state *s, int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS], count = block_count(classes);
    vec top = v_set1(-INFINITY);
    for (ptrdiff_t b = 0; b < count; b++)
        top = v_max(top, v_set1(s->part[b / VL].m[b % VL]));
    const real m = v_reduce_max(top);
    const totals t = wide_totals(s, count, m, op_is_dense(op));
    end_row(&s->z, &t, op_is_dense(op));
    entries_set(&s->exact, &s->z, &s->g, op);
    ptrdiff_t b = 0;
    while (b < count - 1 && s->part[b / VL].m[b % VL] != m)
        b++;
    s->top = b * block_size(classes) + (ptrdiff_t)s->part[b / VL].at[b % VL];
    if (job->value.data)
        put_values(job, &s->g,
                   row_value(&s->z, &s->g.loss, label_logits(&s->g, op), op));
}

CE_INLINE void wide_scale(const ce_job *job, ptrdiff_t row, ptrdiff_t b, const block_state *s,
                          int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS], from = b * block_size(classes);
    const ptrdiff_t n = block_end(classes, from) - from;
    const result_run out = row_out(job, &job->out, row, from);
    const logit_run x = row_x(job, row, from, n);
    direct d = {.m = s->z.m};
    real m[VL];
    if (op == CE_LOG_SOFTMAX) {
        const ext L = log1p_of(&s->z);
        d.hi = x_hi(L);
        d.lo = x_lo(L);
    } else {
        v_store_real(m, v_set1(s->part[b / VL].m[b % VL]));
        d.r = reference_of(v_set1(m[0]));
        finish_set(&d.q, &s->z, &s->g.gradient, &s->g.hessian, m, op);
    }
    if (s->is_direct)
        direct_block(&d, &x, labels_at(job, row, from), (io *)out.p,
                     (io *)row_out(job, &job->hessian, row, from).p, op);
    else if (op == CE_LOG_SOFTMAX)
        wide_log_softmax_of(&x, d.m, d.hi, d.lo, out);
    else
        wide_results(job, row, from, n, block_store(job, row, from, s), m[0], &d.q, op);
}

/* After a fence, where other results were streamed: these lie among them. */
CE_ONCE void wide_exact(const ce_job *job, const block_state *s, int op)
{
    if (s->is_direct)
        CE_STREAM_FENCE;
    if (op_is_sparse(op) && op_has_gradient(op))
        put_label_entries(job, &s->g, &s->exact);
    if (op_marks_top(op))
        put_top_entries(job, &s->g, &s->exact, 0, s->top, op);
}

CE_INLINE void blocked_row(const ce_job *job, ptrdiff_t row, block_state *s, const ce_kernel *k)
{
    const ptrdiff_t count = block_count(job->shape[CE_CLASS_AXIS]);
    k->begin(job, row, s);
    k->reduce(job, row, 0, count, s);
    streams_rest(&s->out, job->op);
    k->merge(job, s);
    for (ptrdiff_t b = 0; b < count && job->out.data; b++)
        k->scale(job, row, b, s);
    k->exact(job, s);
}

/* Bytes of scratch memory that an array's row takes while it waits. */
CE_INLINE ptrdiff_t waiting_bytes(const ce_job *job)
{
    return job->shape[CE_CLASS_AXIS] * (ptrdiff_t)sizeof(io) + STREAM_LINE;
}

/* Whether a row, or two of them, fit into what second-level caches hold of scratch memory. */
CE_INLINE int blocked_fits(const ce_job *job, int rows)
{
    return CE_STREAMS && waiting_bytes(job) <= CE_SCRATCH / 2 / rows;
}

/* Bytes of longer rows that wait, of all threads: a quarter of a last-level cache, which logits and
 * neighbours share. */
#define BLOCKED_WAITING (8 << 20)

/* Whether longer rows wait in memory that the last-level cache holds, which saves their exp a second
 * time: softmax of 4 x 1M in float32, one thread, 1.21 -> 0.92 ms. With 16 MiB two threads with
 * float64 took 1.7 ms on a quiet machine, else 2.6, where computing twice takes 1.8. Not
 * log-softmax, nor two arrays: no faster so. */
CE_INLINE int blocked_waits(const ce_job *job, ptrdiff_t rows)
{
    return rows > 1 && op_stores_exp(job->op) && !op_has_hessian(job->op) &&
           job->threads * waiting_bytes(job) <= BLOCKED_WAITING;
}

/* Rows of several blocks, one after the other. */
CE_ONCE void blocked_rows(const ce_job *job, ptrdiff_t row0, ptrdiff_t row1, const ce_kernel *k)
{
    const int streams = job_streams(job, job->op);
    const int keeps = op_stores_exp(job->op) && !is_io(&job->out) && blocked_fits(job, 1);
    const size_t bytes = (size_t)waiting_bytes(job);
    char *scratch = NULL, *longer = NULL;
    block_state s;
    ce_job near = *job;
    memset(&s.part, 0, sizeof s.part);
    if (streams && blocked_fits(job, op_has_hessian(job->op) ? 2 : 1))
        scratch = ce_scratch();
    else if (streams && bytes >= ce_memory_from && blocked_waits(job, row1 - row0))
        scratch = longer = ce_memory_malloc(NULL, bytes);
    s.out = scratch ? streams_in(scratch) : streams_none();
    s.kept = keeps ? (io *)(void *)ce_scratch() : NULL;
    for (ptrdiff_t row = row0; row < row1; row++) {
        if (scratch)
            near.out = waiting_rows(&s.out.out, job, &job->out, row);
        if (scratch && op_has_hessian(job->op))
            near.hessian = waiting_rows(&s.out.hessian, job, &job->hessian, row);
        blocked_row(&near, row, &s, k);
        if (scratch)
            streams_begin(&s.out, job, row, 1, job->op);
    }
    if (scratch)
        streams_end(&s.out, job->op);
    if (longer)
        ce_memory_free(NULL, longer, bytes);
}
