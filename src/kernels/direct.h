/* Results of a block of a long row straight from its logits, once the row is reduced.
 *
 * e_j that wait in an output come back from memory, where a row is longer than scratch memory: five
 * passes over lines (logits, results read to be written, written, read, written) where the logits
 * twice and the results once are three. So exp is computed twice, and the results go past the
 * caches. The more threads share the memory, the more that pays: softmax of 1 x 8M in float32 with
 * AVX-512, one thread 2.8 -> 2.5 ms, two 2.4 -> 1.8; with AVX2 4.1 -> 4.9 and 3.1 -> 2.6; gradient and
 * Hessian of 4 x 1M with AVX-512 1.7 -> 1.9 and 1.35 -> 1.15.
 */

/* Of a row, in every lane: log_softmax is made of m and hi + lo, all else of r and q. */
typedef struct { reference r; finish q; vec m, hi, lo; } direct;

/* Whether a job is better off so; two arrays of results only if their lines begin at the same
 * elements. The arithmetic of one thread may take as long as five passes do, that of several not:
 * so many threads there must be more for what is slower. */
CE_INLINE int job_is_direct(const ce_job *job, int op)
{
    const int slower = (V_PAIRED == 1) /* not AVX-512 */ + (sizeof(io) == sizeof(double)) +
                       op_is_dense(op) + op_has_hessian(op);
    return job_streams(job, op) && (op == CE_LOG_SOFTMAX || job->threads > slower) &&
           (!op_has_hessian(op) ||
            stream_phase(job->out.data) == stream_phase(job->hessian.data));
}

/* `vecs`, a constant, of n elements each, at j: of VL, a constant, where out and hessian begin with a
 * line. The steps of one vec wait for each other, so that several take them together. */
CE_INLINE void direct_vecs(const direct *d, const io *x, const io *y, io *out, io *hessian,
                           int vecs, int n, int op)
{
    vec a[V_PAIRED], h[V_PAIRED];
    vmask keep[V_PAIRED];
    product e[V_PAIRED];
    CE_UNROLL
    for (int i = 0; i < vecs; i++) {
        a[i] = load_run(x + i * VL, n, 0);
        if (op != CE_LOG_SOFTMAX) {
            a[i] = v_sub(a[i], d->r.M);
            keep[i] = v_nle(a[i], d->r.floor);
        }
    }
    if (op != CE_LOG_SOFTMAX)
        v_exps(a, NULL, d->r.shift, e, vecs);
    CE_UNROLL
    for (int i = 0; i < vecs; i++) {
        if (op == CE_LOG_SOFTMAX) {
            a[i] = finish_log_softmax(d->m, d->hi, d->lo, a[i]);
            continue;
        }
        const vec term = v_rounded(e[i], keep[i]);
        a[i] = op_is_dense(op) ? finish_dense(&d->q, term, load_run(y + i * VL, n, 0))
                               : finish_softmax(&d->q, term);
        if (op_has_hessian(op))
            h[i] = finish_hessian(&d->q, term);
    }
    CE_UNROLL
    for (int i = 0; i < vecs; i++) {
        if (n == VL)
            v_stream(out + i * VL, a[i]);
        else
            v_store_n(out + i * VL, a[i], n);
        if (op_has_hessian(op) && n == VL)
            v_stream(hessian + i * VL, h[i]);
        else if (op_has_hessian(op))
            v_store_n(hessian + i * VL, h[i], n);
    }
}

/* n results; the first line of out may have begun before. */
CE_INLINE void direct_run(const direct *d, const io *x, const io *y, io *out, io *hessian,
                          ptrdiff_t n, int op)
{
    const ptrdiff_t phase = stream_phase(out), head = phase > 0 ? VL - phase : 0;
    const ptrdiff_t step = V_PAIRED * VL;
    ptrdiff_t j = head < n ? head : n;
    if (j > 0)
        direct_vecs(d, x, y, out, hessian, 1, (int)j, op);
    for (; j + step <= n; j += step)
        direct_vecs(d, x + j, y + j, out + j, hessian + j, V_PAIRED, VL, op);
    for (; j + VL <= n; j += VL)
        direct_vecs(d, x + j, y + j, out + j, hessian + j, 1, VL, op);
    if (j < n)
        direct_vecs(d, x + j, y + j, out + j, hessian + j, 1, (int)(n - j), op);
}

/* Runs of CE_STAGE, lest a copy of logits or labels be longer; each ends with a line. */
CE_INLINE void direct_block(const direct *row, const logit_run *x, label_run y, io *out,
                            io *hessian, int op)
{
    const direct d = *row; /* results may be anywhere, but not here */
    for (ptrdiff_t start = 0, n; start < x->n; start += n) {
        CE_ALIGN64 io logits[CE_STAGE], labels[CE_STAGE];
        n = CE_STAGE - stream_phase(out + start);
        n = n < x->n - start ? n : x->n - start;
        const io *logit = logits_in(x, start, start + n, logits);
        const io *label = op_is_dense(op) ? stage(y.p + start * y.stride, y.stride, y.type, n,
                                                  labels)
                                          : logit;
        direct_run(&d, logit, label, out + start, hessian + start, n, op);
    }
}
