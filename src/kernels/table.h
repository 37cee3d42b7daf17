/* The functions of one ISA and type, one a public operation, for the dispatch table. */

#include "../dispatch.h"

CE_INLINE int classes_adjoin(const ce_array *a)
{
    return !a->data || a->stride[CE_CLASS_AXIS] == type_size(a->type);
}
CE_INLINE int job_is_wide(const ce_job *job)
{
    return job->shape[CE_CLASS_AXIS] >= WIDE_CLASSES && classes_adjoin(&job->x) &&
           classes_adjoin(&job->out) && classes_adjoin(&job->hessian);
}
/* From V_SHORT classes on, where short.h is as fast as narrow.h, and rows too few for a group of
 * narrow.h always: one of 100 classes takes 0.1 microseconds, not 1.1. Both give the same bits. */
CE_INLINE int job_is_short(const ce_job *job, ptrdiff_t rows, int op)
{
    const ptrdiff_t classes = job->shape[CE_CLASS_AXIS];
    return VL > 1 && !op_is_dense(op) && classes <= SHORT_CLASSES && !few_classes(classes, op) &&
           classes >= (rows < VL ? VL : V_SHORT) && classes_adjoin(&job->x) &&
           classes_adjoin(&job->out) && classes_adjoin(&job->hessian) &&
           (!op_has_hessian(op) || is_io(&job->hessian)) &&
           !(classes < WIDE_CLASSES && job_is_plain(job, op));
}
CE_INLINE int job_is_narrow(const ce_job *job)
{
    return !job_is_wide(job) && job->shape[CE_CLASS_AXIS] <= NARROW_CLASSES;
}

#define ROW_OPERATION(name, op)                                                                \
    static void name##_begin(const ce_job *job, ptrdiff_t row, void *state)                    \
    {                                                                                          \
        wide_begin(job, row, (block_state *)state, op);                                        \
    }                                                                                          \
    static void name##_reduce(const ce_job *job, ptrdiff_t row, ptrdiff_t b, ptrdiff_t end,    \
                              void *state)                                                     \
    {                                                                                          \
        wide_reduce(job, row, b, end, (block_state *)state, op);                               \
    }                                                                                          \
    static void name##_merge(const ce_job *job, void *state)                                   \
    {                                                                                          \
        wide_merge(job, (block_state *)state, op);                                             \
    }                                                                                          \
    static void name##_scale(const ce_job *job, ptrdiff_t row, ptrdiff_t b, void *state)       \
    {                                                                                          \
        wide_scale(job, row, b, (block_state *)state, op);                                     \
    }                                                                                          \
    static void name##_exact(const ce_job *job, void *state)                                   \
    {                                                                                          \
        wide_exact(job, (block_state *)state, op);                                             \
    }                                                                                          \
    static void name(const ce_job *job, ptrdiff_t row0, ptrdiff_t row1)                        \
    {                                                                                          \
        if (job_is_short(job, row1 - row0, op))                                                \
            short_rows(job, row0, row1, op);                                                   \
        else if (job_is_narrow(job))                                                           \
            narrow_rows(job, row0, row1, op);                                                  \
        else if (!job_is_wide(job))                                                            \
            vertical_rows(job, row0, row1, op);                                                \
        else if (block_count(job->shape[CE_CLASS_AXIS]) == 1)                                  \
            wide_rows(job, row0, row1, op);                                                    \
        else                                                                                   \
            blocked_rows(job, row0, row1, &CE_KERNELS.operation[op]);                          \
    }

extern const ce_kernels CE_KERNELS;

ROW_OPERATION(logsumexp, CE_LOGSUMEXP)
ROW_OPERATION(softmax, CE_SOFTMAX)
ROW_OPERATION(log_softmax, CE_LOG_SOFTMAX)
ROW_OPERATION(sparse_loss, CE_SPARSE_LOSS)
ROW_OPERATION(sparse_gradient, CE_SPARSE_GRADIENT)
ROW_OPERATION(sparse_hessian, CE_SPARSE_HESSIAN)
ROW_OPERATION(dense_loss, CE_DENSE_LOSS)
ROW_OPERATION(dense_gradient, CE_DENSE_GRADIENT)
ROW_OPERATION(dense_hessian, CE_DENSE_HESSIAN)

#define ELEMENT_OPERATION(name, op)                                                            \
    static void name(const ce_job *job, ptrdiff_t first, ptrdiff_t last)                       \
    {                                                                                          \
        each_elements(job, first, last, op);                                                   \
    }

ELEMENT_OPERATION(sigmoid, CE_SIGMOID)
ELEMENT_OPERATION(log_sigmoid, CE_LOG_SIGMOID)
ELEMENT_OPERATION(softplus, CE_SOFTPLUS)
ELEMENT_OPERATION(sigmoid_loss, CE_SIGMOID_LOSS)
ELEMENT_OPERATION(sigmoid_gradient, CE_SIGMOID_GRADIENT)
ELEMENT_OPERATION(sigmoid_hessian, CE_SIGMOID_HESSIAN)

/* One loop a step, which compilers turn into vectors; all in one, GCC 12 takes the sums one by one.
 * float32 needs no errors of its sums: losses are not negative, so that nothing cancels, and a part
 * of 2^24 of them is within 2^-33. */
static void add_values(const char *values, ptrdiff_t n, ce_sums *sums)
{
    const io *value = (const io *)(const void *)values;
    double h[CE_SUMS], l[CE_SUMS];
    memcpy(h, sums->high, sizeof h);
    memcpy(l, sums->low, sizeof l);
    for (ptrdiff_t i = 0; i < n; i += CE_SUMS) {
        double v[CE_SUMS], s[CE_SUMS];
        for (int j = 0; j < CE_SUMS; j++)
            v[j] = value[i + j];
        for (int j = 0; j < CE_SUMS; j++)
            s[j] = h[j] + v[j];
        for (int j = 0; j < CE_SUMS && sizeof(io) == sizeof(double); j++) {
            const double t = s[j] - h[j];
            l[j] += (h[j] - (s[j] - t)) + (v[j] - t);
        }
        memcpy(h, s, sizeof h);
    }
    memcpy(sums->high, h, sizeof h);
    memcpy(sums->low, l, sizeof l);
}

/* The maximum is a use: the loads stay. */
static void read_lines(const char *p, ptrdiff_t n)
{
    const io *v = (const io *)(const void *)p;
    io end[VL];
    vec most = v_set1(0);
    for (ptrdiff_t i = 0; i < n * (ptrdiff_t)(64 / sizeof(io)); i += VL)
        most = v_max(most, v_load(v + i));
    v_store(end, most);
    __asm__ volatile("" : : "r"(end) : "memory");
}

/* Blocks of a row are shared by threads only where the wide kernel would take the row. */
static int shares_rows(const ce_job *job)
{
    return job_is_wide(job) && block_count(job->shape[CE_CLASS_AXIS]) > 1;
}
static ptrdiff_t blocks_of(ptrdiff_t classes) { return block_count(classes); }

#define ROW_ENTRY(name) \
    {name, name##_begin, name##_reduce, name##_merge, name##_scale, name##_exact}
#define ELEMENT_ENTRY(name) {name, NULL, NULL, NULL, NULL, NULL}

const ce_kernels CE_KERNELS = {
    {ROW_ENTRY(logsumexp), ROW_ENTRY(softmax), ROW_ENTRY(log_softmax), ROW_ENTRY(sparse_loss),
     ROW_ENTRY(sparse_gradient), ROW_ENTRY(sparse_hessian), ROW_ENTRY(dense_loss),
     ROW_ENTRY(dense_gradient), ROW_ENTRY(dense_hessian), ELEMENT_ENTRY(sigmoid),
     ELEMENT_ENTRY(log_sigmoid), ELEMENT_ENTRY(softplus), ELEMENT_ENTRY(sigmoid_loss),
     ELEMENT_ENTRY(sigmoid_gradient), ELEMENT_ENTRY(sigmoid_hessian)},
    add_values, may_be_bad, pack_labels, VL > 1 ? read_lines : NULL, shares_rows, blocks_of};

_Static_assert(sizeof(block_state) <= CE_STATE_MAX, "parallel.c keeps one on its stack");
